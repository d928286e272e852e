"""A hold tries one lane per interval, and the interval doubles: however often it is probed, and whatever acceptance turns out to mean."""

import itertools
from collections.abc import Sequence

import pytest

from heliograph.domain import health as rules
from heliograph.domain.events import Event, HoldEnded, HoldProlonged, HoldStarted, TrialPassed, TrialStarted
from heliograph.domain.health import LAST_INTERVAL, PROBATION, RECEIPT, SEND, Condition, Health
from heliograph.domain.outcomes import CheckResult, Inconclusive, Invalid, Valid
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND

START = 1_000 * SECOND
PASSES = Valid("me")


def after(health: Health, events: Sequence[Event], at: int) -> Health:
    for event in events:
        health = rules.evolve(health, event, at)
    return health


def probe(health: Health, now: int, result: CheckResult = PASSES) -> Health:
    """A probe, carried out."""
    events, schedule = rules.probed(health, result, now=now)
    health = after(health, events, now)
    return health._replace(interval=schedule.interval, trial_at=schedule.trial_at) if schedule else health


def held(operation: str) -> Health:
    health = rules.well("acc", "channel", "chn")
    return after(health, rules.hold(health, Reason.NOT_PERMITTED, "403", operation, now=START), START)


@pytest.mark.parametrize("every", [0.02, 0.5, 7.0])
def test_each_failed_trial_doubles_the_wait_however_often_the_probe_passes_meanwhile(every: float) -> None:
    health, now, trials = held(SEND), START, [START]
    while now < START + 600 * SECOND:
        health = probe(health, now)
        if health.condition is Condition.TRIAL:
            trials.append(now)
            health = after(health, rules.hold(health, Reason.NOT_PERMITTED, "403", SEND, now=now), now)
        now += int(every * SECOND)
    waits = [later - earlier for earlier, later in itertools.pairwise(trials)]
    due = [1, 2, 4, 8, 16, 30, 30, 30]
    assert all(wait >= wanted * SECOND for wait, wanted in zip(waits, due, strict=False))
    assert all(wait >= LAST_INTERVAL for wait in waits[6:])
    assert 15 <= len(trials) <= 26


@pytest.mark.parametrize("fails", [Invalid(Reason.BAD_CREDENTIALS, "401"), Inconclusive(Reason.NETWORK, "")])
@pytest.mark.parametrize("every", [0.02, 0.5, 7.0])
@pytest.mark.parametrize("lasting", [0.5, 3.0, 20.0, 300.0])
def test_a_fault_that_is_over_is_noticed_soon_however_often_the_probe_failed_meanwhile(
    fails: CheckResult, every: float, lasting: float
) -> None:
    """Each of many calls that fail at once asks for a probe. The wait is what the fault's length calls for, not their number."""
    health, now = held(SEND), START
    while now < START + int(lasting * SECOND):
        health = probe(health, now, fails)
        now += int(every * SECOND)
    over = now
    while health.condition is Condition.HELD and now < over + 600 * SECOND:
        # Nothing is tried now, so that nothing fails and only probes that are due are made.
        now = max(now, health.trial_at)
        health = probe(health, now)
    assert health.condition is Condition.TRIAL
    assert now - over <= min(over - START + 2 * SECOND, LAST_INTERVAL)


@pytest.mark.parametrize("lag", [0.1, 3.0, 45.0, 200.0])
def test_a_channel_that_accepts_and_hands_back_is_tried_once_per_interval(lag: float) -> None:
    """`lag`: seconds from acceptance to the receipt that takes it back."""
    health, now, trials = held(RECEIPT), START, []
    returns: list[int] = []
    while now < START + 3600 * SECOND:
        while returns and returns[0] <= now:
            returns.pop(0)
            health = after(health, rules.hold(health, Reason.NOT_PERMITTED, "403", RECEIPT, now=now), now)
        health = probe(health, now)
        if health.condition is Condition.TRIAL or (health.condition is Condition.WELL and not returns):
            trials.append(now)
            returns.append(now + int(lag * SECOND))
            health = after(health, rules.proved(health, now=now), now)
        now += SECOND // 2
    assert len(trials) <= 3600 / 30 + 10
    waits = [later - earlier for earlier, later in itertools.pairwise(trials)]
    assert all(wait >= LAST_INTERVAL for wait in waits[6:])


def test_what_was_handed_back_is_proved_by_a_trial_that_is_not() -> None:
    health = probe(held(RECEIPT), START)
    health = probe(health, START + SECOND)
    assert health.condition is Condition.TRIAL
    at = START + SECOND + 1
    events = rules.proved(health, now=at)
    assert events == [TrialPassed(SECOND, at + SECOND)]
    health = after(health, events, at)
    assert health.condition is Condition.HELD
    assert rules.proved(health, now=at) == []
    assert probe(health, at + SECOND - 1) == health
    events, _ = rules.probed(health, Valid("me"), now=at + SECOND)
    assert events == [HoldEnded(2)]
    assert after(health, events, at + SECOND).condition is Condition.WELL


def test_a_fault_while_the_verdict_is_awaited_is_that_verdict() -> None:
    health = probe(probe(held(RECEIPT), START), START + SECOND)
    health = after(health, rules.proved(health, now=START + SECOND), START + SECOND)
    now = START + SECOND + 5
    [prolonged] = rules.hold(health, Reason.NOT_PERMITTED, "403", RECEIPT, now=now)
    assert prolonged == HoldProlonged(Reason.NOT_PERMITTED, "403", RECEIPT, 2 * SECOND, now + 2 * SECOND)


def test_a_silent_probe_is_no_verdict() -> None:
    health = probe(probe(held(RECEIPT), START), START + SECOND)
    health = after(health, rules.proved(health, now=START + SECOND), START + SECOND)
    events, schedule = rules.probed(health, Inconclusive(Reason.NETWORK, ""), now=START + 2 * SECOND)
    assert events == [] and schedule is not None and schedule.trial_at > START + 2 * SECOND


def test_handed_back_long_after_a_hold_it_is_a_new_story() -> None:
    health = probe(probe(held(SEND), START), START + SECOND)
    end = START + 2 * SECOND
    health = after(health, rules.proved(health, now=end), end)
    assert health.condition is Condition.WELL
    soon, late = end + PROBATION - 1, end + PROBATION
    assert rules.hold(health, Reason.NOT_PERMITTED, "", RECEIPT, now=soon) == [
        HoldStarted(Reason.NOT_PERMITTED, "", RECEIPT, soon + 2 * SECOND, 2 * SECOND)
    ]
    assert rules.hold(health, Reason.NOT_PERMITTED, "", RECEIPT, now=late) == [HoldStarted(Reason.NOT_PERMITTED, "", RECEIPT, late)]
    assert rules.hold(health, Reason.NOT_PERMITTED, "", SEND, now=soon) == [HoldStarted(Reason.NOT_PERMITTED, "", SEND, soon)]


def test_what_a_probe_found_a_probe_clears_at_once() -> None:
    health = rules.well("acc", "credential", "crd@f")
    events, _ = rules.probed(health, Invalid(Reason.BAD_CREDENTIALS, "401"), now=START)
    health = after(health, events, START)
    assert rules.probed(health, Valid("me"), now=START + 1)[0] == [TrialStarted()]
