"""Identifiers: opaque, time-ordered, readable by their prefix."""


def id_value(now: int, entropy: int) -> int:
    """`now` (microseconds) keeps new rows together in the indexes, 40 bits of `entropy` keep them apart."""
    return ((now // 1000) << 40) | (entropy & 0xFF_FFFF_FFFF)


def make_id(prefix: str, value: int) -> str:
    """An id such as `dlv_0199…` whose order is that of `value`."""
    return f"{prefix}_{value:022x}"
