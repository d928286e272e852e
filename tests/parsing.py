"""Keeps a fault of Python 3.11 from ending a test run: ast.parse fails where collected garbage parses something itself meanwhile."""

import ast
import functools
import gc
import sys
from typing import Any


def guard() -> None:
    """Let ast.parse run without garbage collection.

    3.11 counts the depth of all trees that are being built in one place (github.com/python/cpython/issues/106905 tells of the check that
    fails). A task whose exception nobody asked for is logged when it is collected, with a traceback, for which 3.11 parses the line.
    If that happens while pytest parses a test that failed, or a module whose asserts it rewrites, the run ends with an internal error.
    """
    if sys.version_info >= (3, 12) or hasattr(ast.parse, "__wrapped__"):
        return
    parse = ast.parse

    @functools.wraps(parse)
    def uninterrupted(*arguments: Any, **named: Any) -> Any:
        collecting = gc.isenabled()
        gc.disable()
        try:
            return parse(*arguments, **named)
        finally:
            if collecting:
                gc.enable()

    ast.parse = uninterrupted
