"""The detectors over whole days: silent when all is well enough, quick when it is not, and the same after any interruption."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from heliograph.domain.detection_events import AlarmCleared, AlarmRaised, AttributionDecided
from heliograph.domain.detectors import scores
from heliograph.domain.detectors.detect import fold
from heliograph.domain.detectors.scores import CAP, Finding
from heliograph.domain.detectors.signal import DAY, FAILURES, MINUTE, Signal
from heliograph.domain.detectors.silence import GONE, Beat, Idle, departed, unmoved
from heliograph.domain.detectors.state import State
from heliograph.domain.detectors.stopped import deaths
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.domain.retry import SECOND

START = 20_000 * DAY
ACCOUNTS = 200
DAYS, SEEDS = 30, 100 if os.environ.get("DETECTORS") == "all" else 10
RATE = 300
TOKEN_DEAD = 4 * 60 * MINUTE


def result(
    at: int, account: str, reason: Reason | None = None, *, release: str = "rel_1", seq: int = 0, ticket: str = "t", code: str = "",
) -> Signal:  # fmt: skip
    """The first attempt of a message."""
    kind, data = ("attempt_accepted", "") if reason is None else ("attempt_deferred", f'{{"code":"{code}"}}')
    return Signal(
        0, seq, at, account, ticket, "", kind, f"chn_{account}", f"cre_{account}@1", release, 1, reason or "", data,
    )  # fmt: skip


def hold(at: int, account: str, kind: str, reason: Reason, operation: str = "send", *, event: str = "hold_started") -> Signal:
    """A hold of a channel or of a credential version."""
    subject = f"channel:chn_{account}" if kind == "channel" else f"credential:cre_{account}@1"
    return Signal(0, 0, at, account, "x", subject, event, "", f"cre_{account}@1", "rel_1", None, reason, f'{{"operation":"{operation}"}}')


def fleet(found: list[Finding]) -> list[AlarmRaised]:
    """Alarms that could become public."""
    return [f.event for f in found if isinstance(f.event, AlarmRaised) and not f.event.account]


def raised(found: list[Finding]) -> list[str]:
    return [f"{f.event.detector} {f.event.subject}" for f in found if isinstance(f.event, AlarmRaised)]


def month(seed: int, days: int) -> Iterator[list[Signal]]:
    """Hours of an installation without an outage: Zipf's accounts, 2 % ordinary failures, dead tokens four hours long, 429 storms."""
    rng = random.Random(seed)
    weights = [1 / rank for rank in range(1, ACCOUNTS + 1)]
    names = [f"a{n}" for n in range(ACCOUNTS)]
    dead = sorted((START + rng.random() * days * DAY, rng.choice(names)) for _ in range(ACCOUNTS * days // 90))
    dying = {name: [at for at, other in dead if other == name] for name in names}
    storms = [START + rng.random() * days * DAY for _ in range(days)]
    noticed: set[float] = set()
    ordinary = [Reason.NO_ANSWER, Reason.PROVIDER_DOWN, Reason.NETWORK, Reason.OTHER]
    for hour in range(days * 24):
        begin = START + hour * 60 * MINUTE
        times = sorted(rng.random() for _ in range(RATE))
        stormy = any(begin <= at < begin + 60 * MINUTE for at in storms)
        signals = [hold(begin, name, "credential", Reason.BAD_CREDENTIALS, event="hold_ended") for name in over(dying, noticed, begin)]
        for n, (share, account) in enumerate(zip(times, rng.choices(names, weights, k=RATE), strict=True)):
            at = begin + int(share * 60 * MINUTE)
            reason = rng.choice(ordinary) if rng.random() < 0.02 else None
            if since := next((since for since in dying[account] if since <= at < since + TOKEN_DEAD), 0):
                reason = Reason.BAD_CREDENTIALS
                if since not in noticed:
                    noticed.add(since)
                    signals.append(hold(at, account, "credential", reason))
                    signals.append(hold(at, account, "credential", reason, "check", event="hold_prolonged"))
            elif stormy and rng.random() < 0.7:
                reason = Reason.RATE_LIMITED
            elif rng.random() < 0.03:
                reason = Reason.BLOCKED
            signals.append(result(at, account, reason, ticket=f"t{account}{n % 7}"))
        yield signals


def over(dying: dict[str, list[float]], noticed: set[float], now: float) -> list[str]:
    """Accounts that have a working token again, each once."""
    again = [name for name, times in dying.items() if any(at in noticed and at + TOKEN_DEAD <= now for at in times)]
    noticed.difference_update([at for at in noticed if at + TOKEN_DEAD <= now])
    return again


def test_without_the_cap_single_accounts_would_raise_alarms_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that quiet months prove something."""
    monkeypatch.setattr(scores, "CAP", 1_000_000)
    false = 0
    for seed in range(3):
        state = State()
        for signals in month(seed, DAYS):
            false += len(fleet(fold(state, signals, now=signals[-1].at)))
    assert false >= 3


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_quiet_month_raises_no_alarm_of_the_installation(seed: int) -> None:
    state = State()
    for signals in month(seed, DAYS):
        assert fleet(fold(state, signals, now=signals[-1].at)) == []
    assert len(msgspec.json.encode(state)) < 60_000


@pytest.mark.parametrize("accounts", [20, 60, 200])
def test_a_total_outage_is_found_at_the_fourth_attempt(accounts: int) -> None:
    rng = random.Random(accounts)
    weights = [1 / rank for rank in range(1, accounts + 1)]
    found = []
    for _ in range(300):
        state, at = State(), START
        for name in rng.choices(range(accounts), weights, k=60):
            at += SECOND
            fold(state, [result(at, f"a{name}", Reason.NO_ANSWER if rng.random() < 0.02 else None)], now=at)
        state.runs.clear()
        for n, name in enumerate(rng.choices(range(accounts), weights, k=50), 1):
            at += SECOND
            if fleet(fold(state, [result(at, f"a{name}", Reason.PROVIDER_DOWN)], now=at)):
                found.append(n)
                break
    found.sort()
    assert len(found) == 300
    assert found[150] == 4 and found[270] <= 5


def test_one_account_adds_two_failures_until_it_next_succeeds() -> None:
    state = State()
    fold(state, [result(START, "b"), *(result(START + n, "a", Reason.BAD_CREDENTIALS) for n in range(1, 100))], now=START)
    assert state.runs["fleet"].score == 5 * CAP and state.spent == {"a": [CAP, START + CAP]}
    fold(state, [result(START + 200, "a")], now=START + 200)
    assert state.spent == {}


def test_an_installation_of_one_account_counts_by_conversation() -> None:
    state = State()
    one = [result(START + n, "a", Reason.PROVIDER_DOWN, ticket="t1") for n in range(50)]
    assert fleet(fold(state, one, now=START + 50)) == []
    assert state.runs["fleet"].score == 10
    other = [result(START + 60 + n, "a", Reason.PROVIDER_DOWN, ticket=f"t{n}") for n in range(2, 4)]
    assert [event.detector for event in fleet(fold(state, other, now=START + 70))] == ["fleet"]


def test_the_only_accounts_own_key_is_no_trouble_of_the_installation() -> None:
    dead = [result(START + n, "a", Reason.BAD_CREDENTIALS, ticket=f"t{n}") for n in range(50)]
    state = State()
    found = fold(state, dead, now=START + 50)
    assert fleet(found) == [] and raised(found) != []
    fold(state, [result(START + 60, "a", ticket="t99")], now=START + 60)
    assert state.spent == {}


def story(seed: int) -> list[Signal]:
    """Quiet, an outage, recovery, a bad release beside a good one, an account's trouble, several at once."""
    rng = random.Random(seed)
    signals: list[Signal] = []

    def some(number: int, failing: float, release: str = "rel_1") -> None:
        for _ in range(number):
            at = START + len(signals) * SECOND
            reason = Reason.PROVIDER_DOWN if rng.random() < failing else None
            signals.append(result(at, f"a{rng.randrange(12)}", reason, release=release, ticket=f"t{len(signals)}"))

    some(100, 0.02)
    some(15, 1.0)
    some(200, 0.02)
    for _ in range(15):
        some(5, 0.0)
        some(1, 1.0, "rel_2")
    for n in range(4):
        at = START + len(signals) * SECOND
        signals.append(hold(at, f"a{n}", "credential", Reason.BAD_CREDENTIALS))
        signals.append(hold(at + 1, f"a{n}", "credential", Reason.BAD_CREDENTIALS, "check", event="hold_prolonged"))
    some(40, 0.02)
    return signals


@pytest.mark.parametrize("seed", range(5))
def test_however_the_signals_are_divided_and_the_state_is_kept_the_alarms_are_the_same(seed: int) -> None:
    signals = story(seed)
    end = signals[-1].at

    def alarms(findings: list[Finding]) -> list[Finding]:
        return [f for f in findings if f.alarm is not None]

    rng = random.Random(seed)
    state, found, at = State(), [], 0
    while at < len(signals):
        share = rng.choice((1, 1, 2, 7, 40))
        part = signals[at : at + share]
        found += alarms(fold(state, part, now=part[-1].at))
        at += share
        # Killed here: what was written down is all that is left.
        state = msgspec.json.decode(msgspec.json.encode(state), type=State)
    one = State()
    single = [finding for signal in signals for finding in alarms(fold(one, [signal], now=signal.at))]
    assert sorted(raised(found)) == sorted(raised(single)) and len(raised(found)) >= 4
    whole = State()
    assert sorted(raised(alarms(fold(whole, signals, now=end)))) == sorted(raised(single))
    assert state.alarms.keys() == one.alarms.keys() == whole.alarms.keys()


def test_an_alarm_ends_when_enough_goes_well_again() -> None:
    state = State()
    bad = [result(START + n * SECOND, f"a{n}", Reason.PROVIDER_DOWN) for n in range(8)]
    assert raised(fold(state, bad, now=bad[-1].at)) == ["fleet installation"]
    good = [result(START + (10 + n) * SECOND, f"b{n}") for n in range(20)]
    [ended] = [f.event for f in fold(state, good, now=good[-1].at) if isinstance(f.event, AlarmCleared)]
    assert (ended.detector, ended.seconds) == ("fleet", 29 - 3)
    assert state.alarms == {} and "fleet" not in state.runs


def test_a_release_that_fails_where_the_other_succeeds_is_blamed_and_an_outage_blames_none() -> None:
    good = [result(START + n * SECOND, f"a{n % 9}", ticket=f"t{n}") for n in range(50)]
    new = [result(START + (50 + n) * SECOND, f"a{n}", Reason.NO_ANSWER, release="rel_2") for n in range(3)]
    found = fold(State(), [*good, *new], now=new[-1].at)
    [blamed] = [f for f in found if isinstance(f.event, AttributionDecided)]
    assert blamed.release == "rel_2"
    assert isinstance(blamed.event, AttributionDecided)
    assert (blamed.event.verdict, blamed.event.failed, blamed.event.other_succeeded) == ("release", 3, 50)
    assert blamed.event.chance == pytest.approx(4.3e-5, rel=0.02)
    down = [result(START + (50 + n) * SECOND, f"a{n}", Reason.NO_ANSWER, release=f"rel_{1 + n % 2}") for n in range(8)]
    verdicts = {f.event.verdict for f in fold(State(), [*good[:5], *down], now=down[-1].at) if isinstance(f.event, AttributionDecided)}
    assert verdicts == {"upstream"}


def test_one_accounts_dead_token_does_not_roll_back_a_release() -> None:
    good = [result(START + n * SECOND, f"a{n % 9}", ticket=f"t{n}") for n in range(50)]
    dead = [result(START + (50 + n) * SECOND, "a1", Reason.BAD_CREDENTIALS, release="rel_2", ticket=f"u{n}") for n in range(30)]
    found = fold(State(), [*good, *dead], now=dead[-1].at)
    assert [f.event for f in found if isinstance(f.event, AttributionDecided) and f.event.verdict == "release"] == []


def test_just_after_a_rollout_two_failures_are_enough() -> None:
    good = [result(START + n * SECOND, f"a{n}") for n in range(9)]
    new = [result(START + (50 + n) * SECOND, f"a{n}", Reason.NO_ANSWER, release="rel_2") for n in range(2)]
    assert raised(fold(State(), [*good, *new], now=new[-1].at)) == ["release release:rel_2"]


def test_a_hold_is_an_alarm_once_it_is_confirmed_or_has_lasted() -> None:
    state = State()
    assert fold(state, [hold(START, "a", "credential", Reason.BAD_CREDENTIALS)], now=START) == []
    prolonged = hold(START + SECOND, "a", "credential", Reason.BAD_CREDENTIALS, "check", event="hold_prolonged")
    assert raised(fold(state, [prolonged], now=START + SECOND)) == ["hold credential:cre_a@1"]
    assert raised(fold(state, [hold(START, "b", "channel", Reason.PROVIDER_DOWN)], now=START)) == ["hold channel:chn_b"]
    assert fold(state, [hold(START, "c", "channel", Reason.PROVIDER_DOWN, "check")], now=START) == []
    assert raised(fold(state, [], now=START + 29 * SECOND)) == []
    assert "hold channel:chn_c" in raised(fold(state, [], now=START + 30 * SECOND))
    ended = hold(START + 60 * SECOND, "c", "channel", Reason.PROVIDER_DOWN, event="hold_ended")
    [finding] = fold(state, [ended._replace(reason="", data="{}")], now=START + 60 * SECOND)
    assert isinstance(finding.event, AlarmCleared) and finding.event.subject == "channel:chn_c"


@pytest.mark.parametrize("kind", ["channel", "credential"])
def test_with_its_hold_what_had_added_up_on_a_channel_ends(kind: str) -> None:
    state = State()
    fold(state, [result(START, "b"), *(result(START + n, "a", Reason.PROVIDER_DOWN) for n in range(9))], now=START)
    fold(state, [hold(START, "a", kind, Reason.PROVIDER_DOWN)], now=START)
    assert len(state.alarms) == 3
    fold(state, [hold(START + SECOND, "a", kind, Reason.PROVIDER_DOWN, event="hold_ended")], now=START + SECOND)
    assert state.alarms == {} and not {"channel", "credential"} & {run.kind for run in state.runs.values()}


def test_two_credentials_of_a_release_that_stop_together_are_the_installations_trouble() -> None:
    holds = [hold(START + n * MINUTE, name, "channel", Reason.PROVIDER_DOWN) for n, name in enumerate("ab")]
    assert [event.detector for event in fleet(fold(State(), holds, now=START + MINUTE))] == ["spread"]
    apart = [hold(START + n * 11 * MINUTE, name, "channel", Reason.PROVIDER_DOWN) for n, name in enumerate("ab")]
    state = State()
    assert fleet(fold(state, apart[:1], now=START) + fold(state, apart[1:], now=START + 11 * MINUTE)) == []


def test_accounts_own_dead_tokens_are_an_incident_only_where_accident_is_out_of_the_question() -> None:
    assert [deaths(n) for n in (2, 20, 200, 1000)] == [2, 2, 3, 4]
    state = State()
    fold(state, [result(START + n, f"a{n}") for n in range(200)], now=START)

    def dies(n: int) -> list[Finding]:
        at = START + n * MINUTE
        return fold(state, [hold(at, f"a{n}", "credential", Reason.BAD_CREDENTIALS, "check")], now=at)

    assert [fleet(dies(n)) for n in range(2)] == [[], []]
    assert [event.detector for event in fleet(dies(2))] == ["spread"]


def test_what_counts_follows_from_the_table_of_reasons() -> None:
    assert Reason.RATE_LIMITED not in FAILURES and Reason.MOVED not in FAILURES and Reason.INTERRUPTED not in FAILURES
    assert {Reason.BAD_CREDENTIALS, Reason.WRONG_IDENTITY, Reason.NOT_PERMITTED, Reason.PROVIDER_DOWN, Reason.NO_ANSWER} <= FAILURES
    assert {reason for reason in FAILURES if REASONS[Reason(reason)].effect is Effect.FAIL} == {Reason.BAD_REQUEST}


def test_an_attempt_that_was_not_made_counts_as_nothing() -> None:
    state = State()
    fold(state, [result(START, "a", Reason.BAD_CREDENTIALS, code="not_started") for _ in range(30)], now=START)
    assert state.runs == {}


def test_a_repeated_attempt_counts_for_nothing_but_helps_to_end_an_alarm() -> None:
    state = State()
    again = [replace_attempt(result(START + n, f"a{n}", Reason.PROVIDER_DOWN), 2) for n in range(30)]
    assert fold(state, again, now=START + 30) == [] and state.runs == {}
    bad = [result(START + n * SECOND, f"a{n}", Reason.PROVIDER_DOWN) for n in range(4)]
    fold(state, bad, now=START + 4 * SECOND)
    found = fold(state, [replace_attempt(result(START + 5 * SECOND + n, f"a{n}"), 2) for n in range(20)], now=START + 6 * SECOND)
    assert [type(f.event) for f in found] == [AlarmCleared]
    assert state.releases["rel_1"].succeeded == 0


def replace_attempt(signal: Signal, attempt: int) -> Signal:
    return signal._replace(attempt=attempt)


def test_a_channel_that_often_fails_is_judged_by_its_own_measure() -> None:
    rng = random.Random(1)
    state, often = State(), 0
    for n in range(20_000):
        at = START + n * 60 * SECOND
        found = fold(state, [result(at, "a", Reason.NO_ANSWER if rng.random() < 0.08 else None, ticket=f"t{n}")], now=at)
        often += sum("channel" in one for one in raised(found)) if n > 2_000 else 0
    assert state.usual["a/chn_a"][0] > 5_000
    assert often == 0


def test_a_lane_that_stays_the_oldest_stands_still() -> None:
    old, new = Idle("a", "c", START), Idle("b", "c", START)
    seen, still = unmoved({}, [old, new], now=START + 70 * SECOND)
    assert still == [] and set(seen) == {"a/c", "b/c"}
    _, still = unmoved(seen, [old, new._replace(ready_at=START + SECOND)], now=START + 80 * SECOND)
    assert [(alarm.account, alarm.id, alarm.score) for alarm in still] == [("a", "c", 80)]


def test_a_process_is_missed_until_a_later_one_lives() -> None:
    dead, alive = Beat("w1", "r", START, START + GONE), Beat("w2", "r", START, START + 2 * GONE)
    over, gone = departed([dead, alive], now=START + 2 * GONE)
    assert over == [] and [alarm.id for alarm in gone] == ["w1"]
    over, gone = departed([dead, alive._replace(started_at=START + GONE + 1)], now=START + 2 * GONE)
    assert over == [dead] and gone == []


def test_the_state_fades_and_forgets() -> None:
    state = State()
    fold(state, [result(START, "a", ticket="t")] * 400 + [result(START, "b", Reason.NO_ANSWER)], now=START)
    fold(state, [], now=START + 14 * DAY)
    assert state.usual["a/chn_a"][0] == pytest.approx(400 / 2.718, rel=0.01)
    assert state.runs == {} and state.spent == {}
    assert replace(state) == state
