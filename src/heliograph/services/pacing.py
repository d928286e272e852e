"""Keeps each channel, app and conversation at the pace that its provider takes, and learns that pace from refusals."""

from collections.abc import Iterable

from heliograph.domain import pacing
from heliograph.domain.pacing import Pace
from heliograph.domain.retry import SECOND
from heliograph.ports.provider import Rates
from heliograph.services.bulkheads import Bulkhead, Kind
from heliograph.services.channels import Connected

#: Seconds to wait where a provider says "too fast" and not for how long.
UNTOLD = 1.0
#: Below this share of its pace a channel does not come too fast: the conversation does.
QUIET = 0.5
#: Conversations whose own pace is remembered, and how slow one may get, in seconds between two messages.
LANES, SLOWEST = 10_000, 60.0
#: By how much a conversation that was too fast gets faster with each message that got through: eight make up for one refusal.
EASING = 1.1
#: Bulkheads whose pace can be learnt, so what gets through is counted.
METERED = frozenset({Kind.CHANNEL, Kind.APP})
#: Within this many microseconds, refusals in two conversations are the channel's affair.
TOGETHER = 10 * SECOND


class Paces:
    """The paces of channels and apps. What has none is not counted."""

    def __init__(self) -> None:
        #: Those that had nothing for the last claim.
        self._asked: list[Pace] = []
        self._all: list[Pace] = []
        self._share = 1.0
        #: When one last started at a pace.
        self.started_at = 0

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._all)

    def know(self, bulkhead: Bulkhead, published: float | None, now: int) -> None:
        """A channel or app, and the limit that its provider documents."""
        if published is not None and bulkhead.pace is None:
            bulkhead.pace = self._made(pacing.published(published, now))

    def _made(self, pace: Pace) -> Pace:
        pace.share = self._share if pace.published is not None else 1.0
        self._all.append(pace)
        return pace

    def share(self, share: float) -> None:
        """What share of each pace is this process's. What it has learnt itself, it has learnt of its own share."""
        self._share = share
        for pace in self._all:
            if pace.published is not None:
                pace.share = share

    def look(self) -> None:
        """A claim begins."""
        self._asked.clear()

    def available(self, pace: Pace, now: int) -> int:
        """How many may start, where there are some that want to."""
        ready = pace.available(now)
        if not ready:
            self._asked.append(pace)
        return ready

    def next_at(self, now: int) -> int | None:
        """When some more may start of those for which the last claim has asked in vain; that may be now, since time has passed."""
        return min((now if pace.available(now) else pace.next_at(now) for pace in self._asked), default=None)

    def begin(self, bulkheads: Iterable[Bulkhead], now: int) -> None:
        """One starts."""
        if not self._all:
            return
        for bulkhead in bulkheads:
            if bulkhead.pace is not None:
                bulkhead.pace.take(1, now)
                self.started_at = now

    def accepted(self, bulkheads: Iterable[Bulkhead], now: int) -> None:
        """One got through."""
        for bulkhead in bulkheads:
            if bulkhead.kind in METERED:
                bulkhead.meter.tick(now)
            if bulkhead.pace is not None:
                bulkhead.pace.got_through(bulkhead.meter.rate(now), now)
                bulkhead.pace.accepted(now)

    def busy(self, bulkheads: Iterable[Bulkhead], now: int) -> bool:
        """Whether a channel sends so much that its own pace may be too fast."""
        return any(
            bulkhead.pace is None or bulkhead.meter.rate(now) >= QUIET * bulkhead.pace.rate * bulkhead.pace.share
            for bulkhead in bulkheads
            if bulkhead.kind is Kind.CHANNEL
        )

    def refused(self, bulkheads: Iterable[Bulkhead], rates: Rates, *, started_at: int, after: float | None, now: int) -> None:
        """One was refused for coming too fast. Where a limit of channels is documented, it was the channel's; else the app's or key's."""
        until = now + int((UNTOLD if after is None else after) * SECOND)
        blamed = Kind.APP if rates.channel is None else Kind.CHANNEL
        for bulkhead in bulkheads:
            if bulkhead.kind is not blamed:
                continue
            if bulkhead.pace is None:
                bulkhead.pace = self._made(pacing.measured(bulkhead.meter.rate(now), now))
            bulkhead.pace.refused(now, started_at=started_at, until=until)


class Lanes:
    """The pace of conversations, where the provider documents one; a conversation that it refuses goes slower for a while."""

    def __init__(self) -> None:
        #: Lane -> how many times slower than documented.
        self._slow: dict[str, float] = {}
        self._alone: set[str] = set()
        #: Lane -> when all that it has sent would have been sent at its pace.
        self._ahead: dict[str, int] = {}
        #: Channel -> the lane that was refused last, and when.
        self._refused: dict[str, tuple[str, int]] = {}

    def next_at(self, rates: Rates, lane: str, started_at: int) -> int:
        """When the next message of a conversation may start, after one that started then; 0 where its provider documents no pace."""
        if not rates.conversation:
            return 0
        interval = self._interval(rates, lane)
        if rates.burst <= 1 or lane in self._slow:
            return started_at + interval
        ahead = max(self._ahead.pop(lane, 0), started_at) + interval
        if len(self._ahead) >= LANES:
            del self._ahead[next(iter(self._ahead))]
        self._ahead[lane] = ahead
        return ahead - (rates.burst - 1) * interval

    def _interval(self, rates: Rates, lane: str) -> int:
        assert rates.conversation
        seconds = min(self._slow.get(lane, 1.0) / (rates.conversation * pacing.MARGIN), max(SLOWEST, 1 / rates.conversation))
        return int(seconds * SECOND)

    def refused(self, connected: Connected, lane: str, now: int, *, busy: bool, told: bool = False) -> bool:
        """Whether a refusal for coming too fast speaks of the conversation alone; it then goes at half its pace.

        With `told`, the provider says so.
        """
        self._alone.discard(lane)
        if not told and not self._seems_alone(connected, lane, now, busy=busy):
            return False
        slow = self._slow.pop(lane, 1.0)
        if len(self._slow) >= LANES:
            oldest = next(iter(self._slow))
            del self._slow[oldest]
            self._alone.discard(oldest)
        self._slow[lane] = min(slow * 2, SLOWEST)
        self._alone.add(lane)
        return True

    def _seems_alone(self, connected: Connected, lane: str, now: int, *, busy: bool) -> bool:
        if not connected.spec.rates.conversation or busy:
            return False
        other, at = self._refused.get(connected.channel.id, (lane, 0))
        self._refused[connected.channel.id] = (lane, now)
        return other == lane or now - at > TOGETHER

    def alone(self, lane: str) -> bool:
        """Whether the lane's last refusal spoke of it alone."""
        return lane in self._alone

    def accepted(self, lane: str) -> None:
        """One got through: the conversation's pace climbs back."""
        slow = self._slow.get(lane) if self._slow else None
        if slow is not None:
            if slow <= EASING:
                del self._slow[lane]
                self._alone.discard(lane)
            else:
                self._slow[lane] = slow / EASING
