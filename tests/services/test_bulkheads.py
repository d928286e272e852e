"""Virtual time: whatever hangs or bursts, something is left for everybody else, and what hangs keeps a few calls only."""

import heapq
from dataclasses import dataclass, field
from itertools import count

import pytest

from heliograph.domain.retry import SECOND
from heliograph.services.bulkheads import OLD, Bulkhead, Bulkheads, Call, Kind

START = 1_800_000_000 * SECOND
CONCURRENCY = 100
#: How often the worker looks.
STEP = 10_000
#: How long a provider that hangs is waited for.
TIMEOUT = 10 * SECOND


@dataclass
class Channel:
    """`takes`: microseconds until its provider answers; None where it never does. `every`: between two replies, 0 for a burst."""

    takes: int | None
    bulkheads: tuple[Bulkhead, ...]
    every: int = 0
    due: int = START
    started: int = 0
    answered: int = 0
    waits: list[int] = field(default_factory=list)


class Street:
    """Claims in turns what there is room for, as a worker does, whenever something may have changed."""

    def __init__(self) -> None:
        self.bulkheads = Bulkheads(CONCURRENCY)
        self.channels: list[Channel] = []
        self.now = START
        self.order = count()
        self.ends: list[tuple[int, int, Call, Channel, bool]] = []
        self.most = 0

    def place(self) -> Bulkhead:
        return self.bulkheads.new(Kind.PLACE)

    def channel(self, takes: int | None, *, place: Bulkhead, every: int = 0) -> Channel:
        made = Channel(takes, (self.bulkheads.new(Kind.CHANNEL, place), self.bulkheads.new(Kind.ACCOUNT), place), every, self.now)
        self.channels.append(made)
        return made

    def run(self, seconds: float) -> None:
        until = self.now + int(seconds * SECOND)
        while self.now < until:
            while self.ends and self.ends[0][0] <= self.now:
                _, _, call, channel, answered = heapq.heappop(self.ends)
                for bulkhead in call.bulkheads:
                    if answered:
                        bulkhead.window.answered(self.now)
                    else:
                        bulkhead.window.silent(call.started_at)
                channel.answered += answered
                self.bulkheads.end(call)
            self._claim()
            self.most = max(self.most, self.bulkheads.under_way)
            self.now += STEP

    def _claim(self) -> None:
        free, going = self.bulkheads.free(self.now), True
        while free and going:
            going = False
            for channel in self.channels:
                if free and channel.due <= self.now and all(self.bulkheads.left(bulkhead) for bulkhead in channel.bulkheads):
                    self._start(channel)
                    free, going = free - 1, True
        self.channels.append(self.channels.pop(0))

    def _start(self, channel: Channel) -> None:
        call = self.bulkheads.begin(channel.bulkheads, self.now)
        channel.started += 1
        if channel.every:
            channel.waits.append(self.now - channel.due)
            channel.due += channel.every
        silent = channel.takes is None
        heapq.heappush(self.ends, (self.now + (channel.takes or TIMEOUT), next(self.order), call, channel, not silent))


def answered_in_half_a_minute(hanging: int, *, opened: bool, places: int = 1) -> tuple[int, Street]:
    street = Street()
    well = street.channel(20_000, place=street.place())
    where = [street.place() for _ in range(places)]
    hung = [street.channel(20_000 if opened else None, place=where[n % places]) for n in range(hanging)]
    street.run(2)
    before = well.answered
    for channel in hung:
        channel.takes = None
    street.run(30)
    return well.answered - before, street


@pytest.mark.parametrize(("hanging", "places"), [(1, 1), (8, 1), (6, 3)])
def test_a_provider_that_hangs_costs_the_others_five_percent_at_most(hanging: int, places: int) -> None:
    alone, _ = answered_in_half_a_minute(0, opened=False)
    beside, street = answered_in_half_a_minute(hanging, opened=False, places=places)
    assert beside >= 0.95 * alone
    assert street.most <= OLD * CONCURRENCY * 1.2


@pytest.mark.parametrize("hanging", [1, 12])
def test_one_that_begins_to_hang_in_the_middle_of_its_work_costs_no_more(hanging: int) -> None:
    alone, _ = answered_in_half_a_minute(0, opened=True)
    beside, _ = answered_in_half_a_minute(hanging, opened=True)
    assert beside >= 0.95 * alone


def test_what_hangs_keeps_a_few_calls_and_gets_more_once_it_answers() -> None:
    street = Street()
    hung = street.channel(None, place=street.place())
    street.run(60)
    begun = hung.started
    street.run(10)
    assert hung.started - begun <= 4
    hung.takes = 20_000
    street.run(TIMEOUT / SECOND + 5)
    answered = hung.answered
    street.run(1)
    assert hung.answered - answered >= 0.9 * CONCURRENCY / 0.02


@pytest.mark.parametrize("bursts", [1, 3])
def test_a_burst_delays_no_steady_account_by_more_than_a_moment(bursts: int) -> None:
    street = Street()
    place = street.place()
    for _ in range(bursts):
        street.channel(300_000, place=place)
    street.run(3)
    steady = street.channel(300_000, place=place, every=50_000)
    street.run(20)
    assert len(steady.waits) >= 390
    assert sorted(steady.waits)[int(len(steady.waits) * 0.99)] <= STEP


def test_a_provider_that_begins_to_hang_delays_no_steady_account() -> None:
    street = Street()
    burst, steady = street.channel(20_000, place=street.place()), street.channel(20_000, place=street.place(), every=50_000)
    street.run(3)
    burst.takes = None
    steady.waits.clear()
    street.run(20)
    assert max(steady.waits) <= STEP


def test_one_busy_channel_alone_has_all_the_calls_that_were_configured() -> None:
    street = Street()
    street.channel(400_000, place=street.place())
    street.run(8)
    assert street.most == CONCURRENCY


def test_a_slow_provider_that_answers_gets_its_calls_beside_the_others() -> None:
    street = Street()
    slow, quick = street.channel(5 * SECOND, place=street.place()), street.channel(20_000, place=street.place())
    street.run(60)
    before = slow.answered, quick.answered
    street.run(30)
    assert slow.answered - before[0] >= 30 / 5 * CONCURRENCY
    assert quick.answered - before[1] >= 0.5 * 30 * CONCURRENCY / 0.02
