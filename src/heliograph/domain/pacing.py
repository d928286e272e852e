"""How fast messages may go where a provider counts them: a token bucket whose rate is learnt from refusals. Pure; times in microseconds."""

from dataclasses import dataclass

from heliograph.domain.retry import SECOND

#: Share of a rate that is known to be too fast, or was published as the limit, at which to stay: arrival at the provider is less even
#: than departure here.
MARGIN = 0.9
#: Seconds' worth of tokens that may be saved up, so that a waking loop need not come for each.
SAVED = 0.05
#: Of a token: what a loop that comes a little late must not lose, and what may be lost to that while others wait for the pace.
HALF = 0.5
#: The slowest pace: one a minute.
SLOWEST = 1 / 60
#: How fast the pace climbs, a second: a share of the way to what is known to be too fast; where nothing is known, of itself.
CLIMB, SEARCH = 0.25, 0.05
#: Seconds for which a rate that was measured is kept before a search for more, and how many must have got through in its second:
#: being told off costs more than being a little too slow.
TRUSTED, ENOUGH = 60, 5
#: What is left of a pace that was kept for a while and then refused.
EASED = 0.75
#: Seconds for which a rate was kept before it is known to be too fast.
TRIED = 2
#: Longest stretch that one answer may climb for, seconds: between rare ones nothing was tried.
STRETCH = 0.25
#: Seconds after the first refusal in which more of them come from what was sent before it.
SETTLING = 1.25
#: Seconds after which a rate that was too fast may be tried again: the provider may have raised its limit.
FORGET = 900


@dataclass(slots=True)
class Pace:
    """Of one channel, or one app at a provider. `rate` is of all processes together; this one has `share` of it.

    `published`: the limit that the provider documents, None where it names none. It is never exceeded.
    """

    published: float | None
    rate: float
    at: int
    share: float = 1.0
    tokens: float = 1.0
    #: Nothing before this moment: the provider said so.
    blocked_until: int = 0
    #: The lowest rate that was too fast, of late; 0 where none is known. And when that was.
    ceiling: float = 0.0
    refused_at: int = 0
    #: Refusals of what began before this say nothing new.
    changed_at: int = 0
    climbed_at: int = 0
    #: Until then, what gets through still belongs to what the first refusal was measured by.
    measured_until: int = 0
    #: Until then, what was measured is not exceeded.
    trusted_until: int = 0
    #: When one last started that had waited for the pace; and tokens that nobody has wanted since.
    waited_at: int = 0
    spilt: float = 0.0

    @property
    def target(self) -> float:
        """How far the pace may climb."""
        known = [limit * MARGIN for limit in (self.published, self.ceiling) if limit]
        return min(known, default=float("inf"))

    def available(self, now: int) -> int:
        """How many may start now."""
        self._fill(now)
        if now < self.blocked_until:
            return 0
        # A moment that was computed from the rate must not be missed by a rounding.
        return int(self.tokens + 1e-6)

    def take(self, number: int, now: int) -> None:
        """So many start."""
        self._fill(now)
        self.tokens -= number
        if self.spilt < HALF:
            self.waited_at = now
        self.spilt = 0.0

    def next_at(self, now: int) -> int:
        """When some more may start."""
        self._fill(now)
        rate = self.rate * self.share
        # So that a loop which comes for them need not come for each.
        wanted = max(1.0, rate * SAVED / 2)
        return max(self.at, now) + int(max(wanted - self.tokens, 0.0) / rate * SECOND) + 1

    def accepted(self, now: int) -> None:
        """One got through. While others wait for the pace, it climbs."""
        if self.ceiling and now - self.refused_at > FORGET * SECOND:
            self.ceiling = 0.0
        if now - self.waited_at <= max(SECOND, 2 * SECOND / self.rate):
            seconds = min(max(now - self.climbed_at, 0) / SECOND, STRETCH)
            target = self.target
            if target < float("inf"):
                step = max((target - self.rate) * CLIMB, target * SEARCH)
            else:
                step = self.rate * SEARCH * (now >= self.trusted_until)
            self.rate = max(self.rate, min(self.rate + step * seconds, target))
        self.climbed_at = max(now, self.climbed_at)

    def got_through(self, rate: float, now: int) -> None:
        """So many a second get through. Answers of one moment come one after the other: the first refusal may overtake most of them."""
        if now < self.measured_until and rate * MARGIN > self.rate:
            self.rate = rate * MARGIN
            self.trusted_until = _trusted(rate, now)

    def refused(self, now: int, *, started_at: int, until: int) -> bool:
        """One was refused for coming too fast; the provider wants none before `until`. Returns whether that has changed the rate."""
        self.blocked_until = max(self.blocked_until, until)
        self.tokens, self.at = min(self.tokens, 0.0), max(self.at, self.blocked_until)
        if started_at < self.changed_at:
            return False
        kept = now - self.changed_at > TRIED * SECOND
        if kept:
            # Not while the provider still counts what came before the pace has changed.
            self.ceiling, self.refused_at = self.rate, now
        # What went well for a while is hardly too fast; what is refused at once may be far beyond.
        self.rate = max(self.rate * (EASED if kept else 0.5), SLOWEST)
        self.measured_until = self.trusted_until = 0
        self.changed_at = now
        self.climbed_at = max(now, until)
        return True

    def _fill(self, now: int) -> None:
        rate = self.rate * self.share
        if now > self.at:
            room = max(1.0, rate * SAVED + HALF)
            tokens = self.tokens + rate * (now - self.at) / SECOND
            self.tokens, self.at = min(tokens, room), now
            self.spilt += tokens - self.tokens


def published(rate: float, now: int) -> Pace:
    """The pace where a provider documents its limit."""
    return Pace(rate, rate * MARGIN, now)


def measured(rate: float, now: int) -> Pace:
    """The pace after a first refusal where nothing is published: what got through in the second before it."""
    # What was sent in that second is counted by the provider for the next one too: refusals until then say nothing of the new pace.
    settled = now + int(SETTLING * SECOND)
    return Pace(
        None, max(rate * MARGIN, 1.0), now,
        tokens=0.0, changed_at=settled, climbed_at=settled, measured_until=now + SECOND, trusted_until=_trusted(rate, now),
    )  # fmt: skip


def _trusted(rate: float, now: int) -> int:
    return now + TRUSTED * SECOND if rate >= ENOUGH else 0


@dataclass(slots=True)
class Meter:
    """Counts what got through, by the second."""

    second: int = 0
    count: int = 0
    before: int = 0

    def tick(self, now: int) -> None:
        """One more."""
        if now // SECOND != self.second:
            self._turn(now // SECOND)
        self.count += 1

    def rate(self, now: int) -> float:
        """How many in the last second, about: of the second before this one, the part that is not a second ago yet."""
        self._turn(now // SECOND)
        return max(self.count + self.before * (1 - now % SECOND / SECOND), float(self.before))

    def _turn(self, second: int) -> None:
        if second != self.second:
            self.before = self.count if second == self.second + 1 else 0
            self.second, self.count = second, 0
