"""Which channels have a runnable lane, by the index."""

from collections.abc import Callable, Iterator
from typing import Any

Run = Callable[..., Any]


def runnable_channels(run: Run, sql: dict[str, str]) -> Iterator[tuple[str, str]]:
    """As (account, channel), in order; one step in the index each, however many lanes wait."""
    at = ("", "")
    while (
        step := run(sql["runnable_channel_within"], at).fetchone() or run(sql["runnable_channel_beyond"], at[:1]).fetchone()
    ) is not None:
        at = step
        yield step
