"""What one claim may still take of each channel: its own count of the room that its worker has."""

from collections.abc import Hashable

from heliograph.ports.store import Room

#: More than any claim takes.
ENDLESS = 1 << 30


class Ration:
    """Made anew for every run of a claim's transaction. Without `room` there is no bound."""

    def __init__(self, room: Room | None) -> None:
        self._room = room
        self._left: dict[Hashable, int] = {}
        self._strangers = room.strangers if room is not None else 0
        self._met: set[tuple[str, str]] = set()

    def of(self, channel: tuple[str, str]) -> int:
        """How many lanes may be taken of the channel, (account, channel), now."""
        room = self._room
        if room is None:
            return ENDLESS
        bulkheads = room.bulkheads.get(channel)
        if bulkheads is None:
            return int(channel not in self._met and self._strangers > 0)
        least, left = ENDLESS, self._left
        for bulkhead in bulkheads:
            if bulkhead not in left:
                left[bulkhead] = room.left(bulkhead)
            if left[bulkhead] < least:
                least = left[bulkhead]
        return max(least, 0)

    def take(self, channel: tuple[str, str], lanes: int) -> None:
        """So many were taken; a negative number gives back."""
        room = self._room
        if room is None or not lanes:
            return
        bulkheads = room.bulkheads.get(channel)
        if bulkheads is None:
            self._strangers -= lanes
            (self._met.add if lanes > 0 else self._met.discard)(channel)
            return
        for bulkhead in bulkheads:
            self._left[bulkhead] -= lanes
