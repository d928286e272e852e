"""Detection reads the ledger of either store once, whoever does it and whenever it is killed, and writes down why."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from heliograph.domain import health as rules
from heliograph.domain.delivery import State
from heliograph.domain.detection_events import AlarmRaised, AttributionDecided
from heliograph.domain.detectors import silence
from heliograph.domain.detectors.state import Alarm
from heliograph.domain.events import EVENTS, ReplyCancelled
from heliograph.domain.health import well
from heliograph.domain.outcomes import Accepted, Deferred, Invalid, Refused, SendResult
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Fold
from heliograph.services import detection
from heliograph.services.context import Context
from tests.storage.acts import NOW, Place, claim, found_account, reply, result
from tests.storage.engines import AnyStore, Engine, eventually

WELL = Accepted("p")
DOWN = Deferred(Reason.PROVIDER_DOWN, code="503")


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


async def no_failpoint(name: str) -> None:
    """Nothing."""


def context_of(store: AnyStore, clock: Time) -> Context:
    nothing: Any = None
    return Context(store, clock, nothing, nothing, nothing, no_failpoint, lambda name, fields: None, nothing, nothing)


class Desk:
    """Accounts that send, one message after the other."""

    def __init__(self, store: AnyStore) -> None:
        self.store = store
        self.clock = Time()
        self.context = context_of(store, self.clock)
        self.places: dict[str, Place] = {}
        self.sent = 0

    async def send(self, account: str, outcome: SendResult, *, store: AnyStore | None = None) -> None:
        """A new reply of the account's own conversation, attempted once; the rest of its story is a person's."""
        store = store or self.store
        if account not in self.places:
            [self.places[account]] = await found_account(self.store, account)
        self.sent += 1
        self.clock.at += SECOND
        now = self.clock.at
        await store.commit(reply(self.places[account], f"r{self.sent}", at=now))
        claimed = next(c for c in await claim(store, now=now) if c.delivery.account == account)
        ending = outcome if not isinstance(outcome, Accepted) else Accepted(f"p{self.sent}")
        await store.commit(result(claimed, ending, at=now))
        row = await store.delivery(account, claimed.delivery.id)
        if row is not None and row.state is State.QUEUED:
            await store.commit(Changes(account, now, folds=[Fold(row, [ReplyCancelled()])]))

    async def step(self) -> list[Alarm]:
        return await detection.step(self.context)


@pytest.fixture
async def desk(engine: Engine) -> AsyncIterator[Desk]:
    made = Desk(await engine.open())
    yield made
    await made.store.close()


async def known(store: AnyStore) -> int:
    """How many signals the store shows by now; PostgreSQL hides those of transactions that may still be overtaken."""
    return len(await store.signals_after(0, 0, limit=10_000)) - 1


async def stepped(desk: Desk, signals: int) -> list[Alarm]:
    await eventually(lambda: known(desk.store), lambda n: n >= signals)
    return await desk.step()


async def events(store: AnyStore, account: str = "") -> list[Any]:
    found = await store.account_events(account, after=0, limit=1_000)
    return [msgspec.json.decode(row.data, type=EVENTS[row.kind]) for row in found]


async def test_a_total_outage_is_found_at_the_fourth_failure_and_says_why(desk: Desk) -> None:
    for n in range(40):
        await desk.send(f"acc_{n % 8}", WELL)
    assert await stepped(desk, 40) == []
    for n in range(4):
        assert not [alarm for alarm in await desk.step() if alarm.detector == "fleet"]
        await desk.send(f"acc_{n}", DOWN)
    [alarm] = [alarm for alarm in await stepped(desk, 44) if alarm.detector == "fleet"]
    assert (alarm.kind, alarm.account, alarm.score, alarm.threshold, alarm.failed, alarm.counted) == ("installation", "", 20, 20, 4, 4)
    assert alarm.reason == Reason.PROVIDER_DOWN and alarm.likelihood == pytest.approx(5.59, abs=0.01)
    assert alarm.raised_at - alarm.onset_at == 3 * SECOND
    raised = [e for e in await eventually(lambda: events(desk.store), bool) if isinstance(e, AlarmRaised)]
    assert [(e.detector, e.subject, e.failed, e.counted, e.score, e.threshold) for e in raised] == [("fleet", "installation", 4, 4, 20, 20)]
    assert await detection.alarms(desk.store) == [alarm]


async def test_throttling_and_what_is_the_contacts_fault_count_as_nothing(desk: Desk) -> None:
    for n in range(12):
        await desk.send(f"acc_{n % 6}", Deferred(Reason.RATE_LIMITED, after=0.0))
        await desk.send(f"acc_{n % 6}", Refused(Reason.BLOCKED))
        await desk.send(f"acc_{n % 6}", Deferred(Reason.BAD_CREDENTIALS, after=0.0, code="not_started"))
    assert await stepped(desk, 36) == []
    state, _ = await detection.read(desk.store)
    assert state.runs == {} and state.spent == {}


async def test_one_accounts_trouble_is_its_own(desk: Desk) -> None:
    for n in range(30):
        await desk.send(f"acc_{n % 6}", WELL)
    for _ in range(20):
        await desk.send("acc_0", DOWN)
    raised = await stepped(desk, 50)
    assert {alarm.account for alarm in raised} == {"acc_0"} and {alarm.detector for alarm in raised} == {"channel", "credential"}


async def test_several_processes_count_once(engine: Engine, desk: Desk) -> None:
    for n in range(12):
        await desk.send(f"acc_{n % 6}", WELL)
    for n in range(2):
        await desk.send(f"acc_{n}", DOWN)
    await eventually(lambda: known(desk.store), lambda n: n >= 14)
    others = [context_of(desk.store, desk.clock) for _ in range(4)]
    assert [alarm for alarms in await asyncio.gather(*(detection.step(other) for other in others)) for alarm in alarms] == []
    state, _ = await detection.read(desk.store)
    assert (state.runs["fleet"].failed, state.runs["fleet"].score) == (2, 10)
    assert sum(seen.succeeded for seen in state.releases.values()) == 12


class Killed(Exception):
    """The process is gone."""


@pytest.mark.parametrize("every", [1, 3])
async def test_a_restart_at_any_point_changes_nothing(desk: Desk, every: int) -> None:
    """Killed before each commit, and after it, the next process finds the same."""
    told: list[str] = []
    story = [WELL] * 10 + [DOWN] * 5 + [WELL] * 25 + [DOWN] * 3
    for n, outcome in enumerate(story):
        await desk.send(f"acc_{n % 5}", outcome)
        if n % every:
            continue
        await eventually(lambda: known(desk.store), lambda k, n=n: k >= n + 1)  # type: ignore[misc]

        async def killed(name: str) -> None:
            raise Killed

        dying = replace(desk.context, failpoint=killed)
        with pytest.raises(Killed):
            await detection.step(dying)
        told += [f"{alarm.detector} {alarm.onset_at} {alarm.failed}/{alarm.counted}" for alarm in await desk.step()]
    await stepped(desk, len(story))
    raised = [e for e in await eventually(lambda: events(desk.store), bool) if isinstance(e, AlarmRaised) and e.detector == "fleet"]
    first = NOW + 11 * SECOND
    assert [(e.onset_at, e.failed, e.counted) for e in raised] == [(first, 4, 4)]
    assert len(told) == len(set(told))
    assert [alarm for alarm in await detection.alarms(desk.store) if alarm.kind == "installation"] == []


async def test_a_bad_release_is_told_from_an_outage(engine: Engine, desk: Desk) -> None:
    """Whatever the store, events carry the release that made the attempt. SQLite has one writer: it is opened again in between."""
    for n in range(50):
        await desk.send(f"acc_{n % 10}", WELL)
    if engine.name == "sqlite":
        await desk.store.close()
    other = await engine.open(release="rel_2")
    try:
        for n in range(3):
            await desk.send(f"acc_{n}", DOWN, store=other)
        desk.context.store = other
        await eventually(lambda: known(other), lambda n: n >= 53)
        await detection.step(desk.context)
        decided = [e for e in await eventually(lambda: events(other), bool) if isinstance(e, AttributionDecided)]
        [last] = [e for e in decided if e.release == "rel_2"]
        assert (last.verdict, last.other, last.failed, last.succeeded, last.other_failed, last.other_succeeded) == (
            "release", "rel_1", 3, 0, 0, 50,
        )  # fmt: skip
        assert last.chance == pytest.approx(4.3e-5, rel=0.02) and last.likelihood > 4
        compared = await detection.compare(other, "rel_2")
        assert (compared.other, compared.mine, compared.others) == ("rel_1", (3, 0), (0, 50))
        assert compared.attribution.verdict == "release"
        assert (await detection.compare(other, "rel_1")).attribution.verdict == "undecided"
        assert (await detection.compare(other, "rel_3")).attribution.verdict == "undecided"
        state, _ = await detection.read(other)
        assert state.alarms["release|release||rel_2|rel_2"].failed == 2
    finally:
        if engine.name == "postgres":
            await desk.store.close()
        desk.store = other


async def hold(store: AnyStore, subject: rules.Health, reason: Reason, operation: str, at: int, *, probe: bool) -> None:
    """A hold, and the probe that confirms it."""
    changes = Changes(subject.account or "acc_a", at)
    changes.folds.append(Fold(subject, rules.hold(subject, reason, "401", operation, now=at)))
    await store.commit(changes)
    if probe:
        row = await store.health(subject.account, subject.kind, subject.subject)
        assert row is not None
        events, _ = rules.probed(row, Invalid(reason, "401"), now=at)
        await store.commit(Changes(subject.account or "acc_a", at, folds=[Fold(row, events)]))


async def test_a_credential_is_an_alarm_once_its_probe_fails_too(desk: Desk) -> None:
    await found_account(desk.store)
    row = well("acc_a", "credential", "cre_1@f1")
    await hold(desk.store, row, Reason.BAD_CREDENTIALS, "send", NOW, probe=False)
    assert await stepped(desk, 1) == []
    held = await desk.store.health("acc_a", "credential", "cre_1@f1")
    assert held is not None
    changed, _ = rules.probed(held, Invalid(Reason.BAD_CREDENTIALS, "401"), now=NOW)
    await desk.store.commit(Changes("acc_a", NOW, folds=[Fold(held, changed)]))
    [alarm] = await stepped(desk, 2)
    assert (alarm.detector, alarm.kind, alarm.account, alarm.id) == ("hold", "credential", "acc_a", "cre_1@f1")
    # Somebody puts a new one in place: the old version is of no interest any more.
    await desk.store.commit(Changes("acc_a", NOW, puts=[rows.Credential("acc_a", "cre_1", "sandbox", "x", "f2", "", NOW)]))
    desk.clock.at += silence.LOOK
    await desk.step()
    assert await detection.alarms(desk.store) == []


async def test_a_shared_credential_is_the_installations_trouble(desk: Desk) -> None:
    await found_account(desk.store)
    await hold(desk.store, well("", "credential", "sunshine@f1"), Reason.BAD_CREDENTIALS, "send", NOW, probe=True)
    [alarm] = await stepped(desk, 2)
    assert (alarm.detector, alarm.kind, alarm.account, alarm.id) == ("hold", "credential", "", "sunshine@f1")
    raised = [e for e in await eventually(lambda: events(desk.store), bool) if isinstance(e, AlarmRaised)]
    assert [(e.subject, e.account, e.reason) for e in raised] == [("credential:sunshine@f1", "", "bad_credentials")]


async def test_lanes_that_nobody_takes_raise_an_alarm_and_those_of_a_held_channel_none(desk: Desk) -> None:
    [place] = await found_account(desk.store)
    await desk.store.commit(reply(place, "r1"))
    for _ in range(7):
        assert await desk.step() == []
        desk.clock.at += silence.LOOK
    [alarm] = await desk.step()
    assert (alarm.detector, alarm.kind, alarm.account, alarm.id) == ("waiting", "channel", "acc_a", "chn_1")
    await hold(desk.store, well("acc_a", "channel", "chn_1"), Reason.PROVIDER_DOWN, "send", desk.clock.at, probe=False)
    desk.clock.at += silence.LOOK
    await stepped(desk, 1)
    assert [alarm.detector for alarm in await detection.alarms(desk.store)] == ["hold"]


async def beat(desk: Desk, process: str, started_at: int) -> None:
    """What services.releases writes down."""
    data = msgspec.json.encode({"release": "rel_1", "host": "here", "started_at": started_at, "seen_at": desk.clock.at}).decode()
    put = rows.Document("", detection.PROCESS, process, 0, desk.clock.at, data)
    await desk.store.commit(Changes("", desk.clock.at, puts=[put]))


async def test_a_process_that_went_away_is_missed_until_another_takes_its_place(desk: Desk) -> None:
    await beat(desk, "w1", NOW)
    await beat(desk, "w2", NOW)
    assert await desk.step() == []
    desk.clock.at += silence.GONE
    await beat(desk, "w2", NOW)
    [alarm] = await desk.step()
    assert (alarm.detector, alarm.kind, alarm.id, alarm.release) == ("heartbeat", "process", "w1", "rel_1")
    await beat(desk, "w3", desk.clock.at)
    desk.clock.at += silence.LOOK
    await desk.step()
    assert await detection.alarms(desk.store) == []
    assert {d.id for d in await desk.store.documents("", detection.PROCESS)} == {"w2", "w3"}


async def test_nothing_new_is_nothing_written(desk: Desk) -> None:
    await desk.send("acc_a", WELL)
    await stepped(desk, 1)
    _, version = await detection.read(desk.store)
    for _ in range(5):
        await desk.step()
    assert (await detection.read(desk.store))[1] == version


async def test_what_a_long_transaction_shows_late_is_not_missed(engine: Engine, desk: Desk) -> None:
    """On PostgreSQL a number given out early may be committed late, after later ones were read."""
    if engine.name != "postgres":
        pytest.skip("one writer")
    await desk.send("acc_a", WELL)
    await stepped(desk, 1)
    slow = await engine.connect()  # type: ignore[attr-defined]
    insert = """INSERT INTO event (account, stream, stream_id, subject, position, kind, version, recorded_at, actor, channel, credential,
        release, attempt, reason, data) VALUES ('acc_a', 'ticket', 't', 'late', 1, 'attempt_accepted', 1, $1, 'system', 'chn_1', 'cre_1@f1',
        'rel_1', 1, '', '{}')"""
    try:
        await slow.execute("SELECT set_config('heliograph.account', '*', false)")
        running = slow.transaction()
        await running.start()
        await slow.execute(insert, desk.clock.at)
        await desk.send("acc_a", WELL)
        await desk.step()
        await running.commit()
    finally:
        await slow.close()
    await stepped(desk, 3)
    state, _ = await detection.read(desk.store)
    assert state.releases["rel_1"].succeeded == 3


async def test_the_reading_on_postgresql_is_by_its_index(engine: Engine, desk: Desk) -> None:
    if engine.name != "postgres":
        pytest.skip("SQLite reads its ledger by number")
    sql, _ = desk.store._reads["signals_after"]  # type: ignore[union-attr]
    plan = await engine.raw("EXPLAIN " + sql.replace("$1", "0").replace("$2", "0").replace("$3", "10"))
    assert sum("event_signal" in line for (line,) in plan) == 2, plan
