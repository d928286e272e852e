"""Room for calls: how many may start, so that what does not answer, or comes in bursts, leaves room for everything else."""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from math import ceil

from heliograph.domain.pacing import Meter, Pace
from heliograph.domain.retry import SECOND
from heliograph.domain.window import Window

#: Microseconds after which a call is old: it no longer takes a place of those that answer at once.
PATIENCE = 1 * SECOND
#: How much more a place may have than any single channel there, and the pool than any single place or account; and how many pools
#: old calls may fill.
SPARE, OLD = 1 / 8, 4


class Kind(Enum):
    """What traffic is bounded together."""

    CHANNEL = "channel"
    ACCOUNT = "account"
    #: A provider at one host.
    PLACE = "place"
    #: What a provider calls an app, or else a credential: several channels that share a limit.
    APP = "app"


@dataclass(slots=True, eq=False)
class Bulkhead:
    """Traffic that is bounded together. `young`: its calls under way that are not old yet."""

    kind: Kind
    window: Window
    place: "Bulkhead | None" = None
    young: int = 0
    pace: Pace | None = None
    meter: Meter = field(default_factory=Meter)


@dataclass(slots=True, eq=False)
class Call:
    """A call under way, or the next one of the same lane."""

    bulkheads: tuple[Bulkhead, ...]
    started_at: int
    young: bool = True
    #: What it was last told of its channel; see Traffic.know.
    known: object = None


class Bulkheads:
    """`concurrency` calls of one channel may be under way, some more at one place, and some more of others, as long as they are young.

    Three bounds, each for a fault of its own. The *spare* of the pool bounds what is young: each bulkhead gets a multiple of what is still
    free, so something always is (the dynamic threshold of shared-memory switches). The *window* (domain.window) bounds what does not
    answer. And old calls leave the pool, into one of their own in which each place may have half of what is left.
    """

    def __init__(self, concurrency: int) -> None:
        most, self._greed = _beyond(concurrency)
        #: Of a channel among those of its place, and of a place or account in the pool.
        self._pool, self._wider_greed = _beyond(most)
        self._most = OLD * self._pool
        self._young = 0
        self._under_way = 0
        self._ages: deque[tuple[int, Call]] = deque()
        self._scarce = False
        self._now = 0

    @property
    def under_way(self) -> int:
        """Calls."""
        return self._under_way

    def new(self, kind: Kind, place: Bulkhead | None = None) -> Bulkhead:
        """A new one, with no call under way."""
        return Bulkhead(kind, Window(self._most), place)

    def free(self, now: int) -> int:
        """How many calls may start at most. To be asked before `left`."""
        while self._ages and (self._ages[0][0] <= now - PATIENCE or self._ages[0][0] != self._ages[0][1].started_at):
            at, call = self._ages.popleft()
            if call.young and at == call.started_at:
                self._age(call)
        self._now = now
        free = max(min(self._pool - self._young, self._most - self._under_way), 0)
        self._scarce = not free
        return free

    def left(self, bulkhead: Bulkhead) -> int:
        """How many calls may start within a bulkhead, as far as what is under way goes."""
        free, window, place = self._pool - self._young, bulkhead.window, bulkhead.place
        if place is not None:
            there = _fair(place.young, free, self._wider_greed)
            beside = _fair(window.under_way, place.window.left(self._now), self._greed)
            room = min(window.left(self._now), _fair(bulkhead.young, there, self._greed), beside)
        else:
            room = _fair(bulkhead.young, free, self._wider_greed)
            if bulkhead.kind is Kind.PLACE:
                room = min(room, window.left(self._now), _fair(window.under_way, self._most - self._under_way, 1.0))
        if not room:
            self._scarce = True
        return room

    def begin(self, bulkheads: tuple[Bulkhead, ...], now: int) -> Call:
        """A call starts."""
        call = Call(bulkheads, now)
        self._under_way += 1
        for bulkhead in bulkheads:
            bulkhead.window.under_way += 1
        self._be_young(call)
        return call

    def join(self, call: Call, bulkheads: tuple[Bulkhead, ...]) -> None:
        """What bounds a call becomes known after it has started."""
        call.bulkheads = bulkheads
        for bulkhead in bulkheads:
            bulkhead.window.under_way += 1
            bulkhead.young += call.young

    def again(self, call: Call, now: int) -> None:
        """The lane goes on with its next call."""
        if not call.young:
            call.young = True
            call.started_at = now
            self._be_young(call)
        else:
            call.started_at = now
            self._ages.append((now, call))

    def end(self, call: Call) -> None:
        """It is over, and its answer is written down."""
        if call.young:
            self._age(call)
        call.started_at = -1
        self._under_way -= 1
        for bulkhead in call.bulkheads:
            bulkhead.window.under_way -= 1

    def next_at(self) -> int | None:
        """When there will be more room although nothing ends, if any was missing; None where time alone brings none."""
        return self._ages[0][0] + PATIENCE if self._scarce and self._ages else None

    def _be_young(self, call: Call) -> None:
        self._young += 1
        for bulkhead in call.bulkheads:
            bulkhead.young += 1
        self._ages.append((call.started_at, call))

    def _age(self, call: Call) -> None:
        call.young = False
        self._young -= 1
        for bulkhead in call.bulkheads:
            bulkhead.young -= 1


def _beyond(most: int) -> tuple[int, float]:
    """How large something is of which one may have `most`, and what multiple of the rest that is."""
    spare = max(1, int(most * SPARE))
    return most + spare, most / spare


def _fair(mine: int, free: int, greed: float) -> int:
    """How much more one may take that never has more than `greed` times what it leaves free."""
    room = (greed * free - mine) / (1 + greed)
    return ceil(room) if room > 0 else 0
