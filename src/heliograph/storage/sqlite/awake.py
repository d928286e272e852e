"""Channels that may have a runnable lane, remembered: nobody else writes to the file, and looking them all up for each claim adds up."""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

Place = tuple[str, str]


class Awake:
    """Every channel that has a runnable lane, as (account, channel), and some that have none any more."""

    def __init__(self, look: Callable[[], Iterable[Place]]) -> None:
        self._look = look
        self._known: set[Place] | None = None
        self._order: list[Place] = []

    def forget(self) -> None:
        """Look them up again when next asked."""
        self._known = None

    def add(self, account: str, channel: str) -> None:
        """A lane of the channel may have become runnable."""
        if self._known is not None and (account, channel) not in self._known:
            self._known.add((account, channel))
            insort(self._order, (account, channel))

    def discard(self, place: Place) -> None:
        """The channel has no runnable lane."""
        if self._known is not None and place in self._known:
            self._known.discard(place)
            self._order.remove(place)

    def beginning_after(self, place: Place) -> Iterator[Place]:
        """All of them in order, from the first one after `place` on and round. Nothing may be added or discarded meanwhile."""
        if self._known is None:
            self._order = sorted(self._look())
            self._known = set(self._order)
        at = bisect_right(self._order, place)
        return (self._order[index] for index in chain(range(at, len(self._order)), range(at)))
