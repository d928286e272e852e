"""Named queries in .sql files, with `:name` parameters turned into an engine's positional placeholders."""

import re
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple


class Query(NamedTuple):
    """SQL with positional placeholders, and the parameter names in the order of their positions."""

    sql: str
    parameters: tuple[str, ...]


NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


def load(*paths: str, placeholder: Callable[[int], str]) -> dict[str, Query]:
    """Read the named queries of package files such as "queries.sql" or "sqlite/ledger.sql". Raises ValueError on a name given twice."""
    found: dict[str, Query] = {}
    for path in paths:
        text = files("heliograph.storage").joinpath(path).read_text("utf-8")
        pieces = NAME.split(text)[1:]
        for name, body in zip(pieces[::2], pieces[1::2], strict=True):
            if name in found:
                raise ValueError(f"{path}: query {name} is defined twice")
            found[name] = _positional(COMMENT.sub("", body).strip(), placeholder)
    return found


def _positional(sql: str, placeholder: Callable[[int], str]) -> Query:
    order: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in order:
            order.append(name)
        return placeholder(order.index(name) + 1)

    return Query(PARAMETER.sub(replace, sql), tuple(order))
