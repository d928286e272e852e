"""A pace that is learnt from refusals settles just below what the provider takes, and is not refused again."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from heliograph.domain import pacing
from heliograph.domain.pacing import FORGET, MARGIN, Meter, Pace
from heliograph.domain.retry import SECOND

START = 1_800_000_000 * SECOND
#: Microseconds from here to the provider, and back.
LATENCY = 20_000


@dataclass
class Bucket:
    """A provider that takes `limit` a second and saves up `saved`."""

    limit: float
    saved: float
    tokens: float = 0.0
    at: int = START

    def __post_init__(self) -> None:
        self.tokens = self.saved

    def takes(self, now: int) -> float | None:
        """None where it takes one, else the seconds after which to come again."""
        self.tokens = min(self.saved, self.tokens + (now - self.at) * self.limit / SECOND)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return None
        return (1 - self.tokens) / self.limit


@dataclass
class Sliding:
    """A provider that takes `limit` in any second."""

    limit: int
    took: deque[int] = field(default_factory=deque)

    def takes(self, now: int) -> float | None:
        while self.took and self.took[0] <= now - SECOND:
            self.took.popleft()
        if len(self.took) < self.limit:
            self.took.append(now)
            return None
        return (self.took[0] + SECOND - now) / SECOND


class Sender:
    """Sends as fast as the pace allows; several calls may be under way."""

    def __init__(self, provider: Bucket | Sliding, pace: Pace | None, *, tells: bool = True, burst: int = 100) -> None:
        self.provider, self.pace, self.tells, self.burst = provider, pace, tells, burst
        self.now, self.meter, self.chance = START, Meter(), random.Random(7)
        self.accepted: list[int] = []
        self.refused: list[int] = []
        self.back: deque[tuple[int, int, float | None]] = deque()

    def run(self, seconds: float) -> None:
        until = self.now + int(seconds * SECOND)
        while self.now < until:
            while self.back and self.back[0][0] <= self.now:
                self._answer(*self.back.popleft())
            ready = min(self.pace.available(self.now) if self.pace else self.burst, self.burst - len(self.back))
            for _ in range(ready):
                if self.pace:
                    self.pace.take(1, self.now)
                arrives = self.now + LATENCY + self.chance.randrange(5_000)
                self.back.append((arrives + LATENCY, self.now, self.provider.takes(arrives)))
            self.now = max(self.now + 1_000, min(self.pace.next_at(self.now) if self.pace else self.now, self.now + 20_000))

    def _answer(self, at: int, started_at: int, after: float | None) -> None:
        if after is None:
            self.accepted.append(at)
            self.meter.tick(at)
            if self.pace:
                self.pace.got_through(self.meter.rate(at), at)
                self.pace.accepted(at)
            return
        self.refused.append(at)
        if self.pace is None:
            self.pace = pacing.measured(self.meter.rate(at), at)
        self.pace.refused(at, started_at=started_at, until=at + int((after if self.tells else 1.0) * SECOND))


PROVIDERS: dict[str, Callable[[], Bucket | Sliding]] = {
    "bucket of 50/s": lambda: Bucket(50.0, 50.0),
    "bucket of 10/s that saves 200": lambda: Bucket(10.0, 200.0),
    "sliding window of 80/s": lambda: Sliding(80),
    "sliding window of 5/s": lambda: Sliding(5),
}


@pytest.mark.parametrize("tells", [True, False], ids=["says when", "says nothing"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_an_unpublished_limit_is_learnt_and_then_kept(name: str, tells: bool) -> None:
    sender = Sender(PROVIDERS[name](), None, tells=tells)
    sender.run(120)
    assert sender.refused
    learnt, taken = len(sender.refused), len(sender.accepted)
    sender.run(300)
    assert len(sender.refused) == learnt
    assert 300 * sender.provider.limit / (len(sender.accepted) - taken) <= 1.2


def test_a_backlog_meets_an_unpublished_limit_once() -> None:
    """Being told off costs a second each time."""
    sender = Sender(Sliding(20), None, tells=False)
    sender.run(40)
    assert max(sender.refused) - min(sender.refused) < SECOND
    assert 40 * 20 / len(sender.accepted) <= 1.2


def test_a_rate_that_few_have_measured_is_not_trusted() -> None:
    sender = Sender(Sliding(50), pacing.measured(2, START))
    sender.run(90)
    taken = len(sender.accepted)
    sender.run(60)
    assert (len(sender.accepted) - taken) / 60 >= 50 / 1.2


@pytest.mark.parametrize("name", ["sliding window of 80/s", "sliding window of 5/s", "bucket of 50/s"])
def test_a_published_limit_is_kept_from_the_first_message_on(name: str) -> None:
    provider = PROVIDERS[name]()
    sender = Sender(provider, pacing.published(float(provider.limit), START))
    sender.run(60)
    assert not sender.refused
    assert 60 * provider.limit / len(sender.accepted) <= 1.2


def test_a_limit_that_was_raised_is_found_after_a_while() -> None:
    provider = Sliding(20)
    sender = Sender(provider, None)
    sender.run(120)
    provider.limit = 60
    sender.run(FORGET + 60)
    taken, refused = len(sender.accepted), len(sender.refused)
    sender.run(60)
    assert (len(sender.accepted) - taken) / 60 >= 60 / 1.2
    assert len(sender.refused) == refused


def test_what_was_under_way_when_the_pace_fell_does_not_let_it_fall_again() -> None:
    pace = pacing.published(100.0, START)
    assert pace.refused(START + SECOND, started_at=START, until=START + 2 * SECOND)
    slower = pace.rate
    assert not pace.refused(START + SECOND + 9, started_at=START, until=START + 5 * SECOND)
    assert (pace.rate, pace.available(START + 5 * SECOND - 1)) == (slower, 0)
    assert pace.next_at(START + 3 * SECOND) >= START + 5 * SECOND


def test_nothing_is_saved_up_while_the_provider_wants_nothing() -> None:
    pace = pacing.published(100.0, START)
    pace.refused(START, started_at=START, until=START + 60 * SECOND)
    assert pace.available(START + 60 * SECOND) == 0
    assert pace.available(pace.next_at(START + 60 * SECOND)) >= 1


def test_two_processes_with_half_of_a_pace_each_keep_it_together() -> None:
    whole, halves = pacing.published(40.0, START), [pacing.published(40.0, START) for _ in range(2)]
    for half in halves:
        half.share = 0.5
    sent = {id(pace): 0 for pace in (whole, *halves)}
    for step in range(10_000):
        for pace in (whole, *halves):
            ready = pace.available(START + step * 1_000)
            pace.take(ready, START + step * 1_000)
            sent[id(pace)] += ready
    assert sent[id(whole)] == pytest.approx(10 * 40 * MARGIN, rel=0.02)
    assert sum(sent[id(half)] for half in halves) == pytest.approx(sent[id(whole)], rel=0.02)


def test_a_burst_across_the_turn_of_a_second_is_measured_whole() -> None:
    meter = Meter()
    for after in (900_000, 950_000, 999_999, 1_000_000, 1_050_000):
        meter.tick(START + after)
    assert meter.rate(START + 1_100_000) >= 4.5
    assert meter.rate(START + 1_999_999) == pytest.approx(3), "never less than a whole second had"
    assert meter.rate(START + 3_500_000) == 0


def test_answers_that_the_first_refusal_has_overtaken_still_count() -> None:
    pace = pacing.measured(3, START)
    pace.got_through(20, START + SECOND // 10)
    assert pace.rate == pytest.approx(20 * MARGIN)
    pace.got_through(500, START + SECOND)
    assert pace.rate == pytest.approx(20 * MARGIN), "later ones are what the pace lets through"
    assert not pace.refused(START + SECOND // 2, started_at=START + SECOND // 4, until=START), "it is of the same second"
    pace.refused(START + 2 * SECOND, started_at=START + 2 * SECOND, until=START)
    pace.got_through(20, START + 2 * SECOND)
    assert pace.rate == pytest.approx(10 * MARGIN), "what is refused again is not measured by what came before"
