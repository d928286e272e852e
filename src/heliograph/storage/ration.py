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
        parts = room.parts.get(channel)
        if parts is None:
            return int(channel not in self._met and self._strangers > 0)
        for part in parts:
            if part not in self._left:
                self._left[part] = room.left(part)
        return max(min(self._left[part] for part in parts), 0)

    def take(self, channel: tuple[str, str], lanes: int) -> None:
        """So many were taken; a negative number gives back."""
        room = self._room
        if room is None or not lanes:
            return
        parts = room.parts.get(channel)
        if parts is None:
            self._strangers -= lanes
            (self._met.add if lanes > 0 else self._met.discard)(channel)
            return
        for part in parts:
            self._left[part] -= lanes
