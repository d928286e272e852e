"""Garbage that parses something when it is collected does not disturb whoever parses at that moment."""

import ast
import gc


class Parsing:
    """Can only be collected, and parses then."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("a + b")


def test_what_is_collected_while_a_tree_is_built_may_build_one() -> None:
    before = gc.get_threshold()
    source = "\n".join(f"x{n} = {n} + 2 * 3" for n in range(500))
    garbage = [Parsing() for _ in range(20)]
    gc.set_threshold(50)
    try:
        garbage.clear()
        assert len(ast.parse(source).body) == 500
    finally:
        gc.set_threshold(*before)
