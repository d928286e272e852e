"""The conservation statement: everything that was written is somewhere. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from heliograph.domain.delivery import OPEN, TAKEN, State


class Statement(NamedTuple):
    """What became of all parts of replies that an account ever wrote, and of those of one day (UTC)."""

    account: str
    #: Start of the day and when the counts were made, microseconds.
    day: int
    at: int
    #: By the conversations' own count, which no state can change.
    written: int
    delivered: int
    waiting: int
    asked: int
    failed: int
    dropped: int
    #: Of the day itself.
    written_today: int
    settled_today: int

    @property
    def unaccounted(self) -> int:
        """Written and in no state: anything but 0 is a loss."""
        return self.written - self.delivered - self.waiting - self.asked - self.failed - self.dropped


def statement(account: str, counts: Mapping[str, int], written: int, today: Mapping[str, int], *, day: int, at: int) -> Statement:
    """From the number of deliveries in each state, all in all and of the day, and from how many were ever queued."""
    taken, waiting = (str(s) for s in TAKEN), [str(s) for s in OPEN if s is not State.ASKING]
    return Statement(
        account, day, at, written,
        sum(counts.get(s, 0) for s in taken), sum(counts.get(s, 0) for s in waiting), counts.get(State.ASKING, 0),
        counts.get(State.FAILED, 0), counts.get(State.CANCELLED, 0),
        sum(today.values()), sum(number for s, number in today.items() if s not in waiting and s != State.ASKING),
    )  # fmt: skip
