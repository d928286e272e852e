"""What only PostgreSQL has: several processes at once, lost answers, other people's roles and poolers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from heliograph.domain import decide, events as ev
from heliograph.domain.delivery import State
from heliograph.domain.health import well
from heliograph.domain.outcomes import Accepted
from heliograph.domain.reasons import Reason
from heliograph.ports.rows import EventRead
from heliograph.ports.store import Changes, Conflict, Fenced, Fold, Loose, Unavailable
from heliograph.storage.postgres import sessions
from heliograph.storage.postgres.sessions import refuse_unsafe
from heliograph.storage.postgres.store import PostgresStore
from tests.storage.acts import NOW, claim, folding, found_account, opening, reply, result, send_one
from tests.storage.engines import PostgresEngine, eventually, inside
from tests.storage.law import check_all


@pytest.fixture
async def two(postgres: PostgresEngine) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """The stores of two processes on one database."""
    stores = (await postgres.open(release="rel_1"), await postgres.open(release="rel_2"))
    yield stores
    await check_all(stores[0])
    for store in stores:
        await store.close()


async def test_two_processes_never_get_the_same_lane(two: tuple[PostgresStore, PostgresStore]) -> None:
    places = await found_account(two[0], channels=2, lanes=30)
    await asyncio.gather(*(two[n % 2].commit(reply(place, f"r{n}", parts=2)) for n, place in enumerate(places)))
    sent: list[tuple[str, int]] = []

    async def work(store: PostgresStore, worker: str) -> None:
        idle = 0
        while idle < 3:
            batch = await claim(store, worker=worker, limit=4)
            idle = 0 if batch else idle + 1
            sent.extend((claimed.lane, claimed.delivery.seq) for claimed in batch)
            await asyncio.gather(*(store.commit(result(c, Accepted(f"p-{c.delivery.id}"), worker=worker)) for c in batch))

    await asyncio.gather(*(work(two[n % 2], f"w{n}") for n in range(8)))
    assert Counter(sent) == Counter((place.lane, seq) for place in places for seq in (1, 2))
    for place in places:
        assert [seq for lane, seq in sent if lane == place.lane] == [1, 2]
    assert {row[0] for row in await inside(two[0], "SELECT DISTINCT release FROM event WHERE kind = 'attempt_started'")} == {
        "rel_1",
        "rel_2",
    }


async def test_a_trial_is_one_lane_among_all_processes(two: tuple[PostgresStore, PostgresStore]) -> None:
    places = await found_account(two[0], channels=2, lanes=10, shared=True)
    await asyncio.gather(*(two[0].commit(reply(place, f"r{n}")) for n, place in enumerate(places)))
    fault = ev.HoldStarted(Reason.BAD_CREDENTIALS, "401", "send", NOW)
    await two[0].commit(Changes("acc_a", NOW, folds=[Fold(well("acc_a", "credential", "cre_1@f1"), [fault, ev.TrialStarted()])]))
    batches = await asyncio.gather(*(claim(two[n % 2], worker=f"w{n}") for n in range(16)))
    assert sum(len(batch) for batch in batches) == 1


async def test_writers_in_two_processes_share_lanes_and_numbers(two: tuple[PostgresStore, PostgresStore]) -> None:
    places = await found_account(two[0], lanes=3)
    finished: list[tuple[str, int]] = []

    async def write(n: int) -> None:
        place = places[n % 3]
        await two[(n // 3) % 2].commit(reply(place, f"r{n}", parts=2))
        row = await two[0].delivery(place.account, f"r{n}.2")
        assert row is not None
        finished.append((place.lane, row.seq))

    tickets = [two[n % 2].commit(opening(100 + n)[0]) for n in range(30)]
    await asyncio.gather(*(write(n) for n in range(120)), *tickets)
    assert Counter(finished) == Counter((place.lane, 2 * n) for place in places for n in range(1, 41))


async def test_one_row_changed_in_two_processes_changes_once(two: tuple[PostgresStore, PostgresStore]) -> None:
    places = await found_account(two[0], lanes=20)
    await asyncio.gather(*(two[0].commit(reply(place, f"r{n}")) for n, place in enumerate(places)))
    rows = [(await two[0].open_deliveries(place.account, place.lane))[0] for place in places]
    # Each process in its own order: locks are taken in one all the same.
    acts = [(two[0], row) for row in rows] + [(two[1], row) for row in reversed(rows)]
    found = await asyncio.gather(*(store.commit(folding(row, decide.cancel(row))) for store, row in acts), return_exceptions=True)
    assert Counter(type(one) for one in found) == {type(None): 20, Conflict: 20}


async def test_a_lane_that_is_being_taken_over_is_waited_for(postgres: PostgresEngine) -> None:
    store = await postgres.open()
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [claimed] = await claim(store)
    sweeper = await postgres.connect()
    taking = sweeper.transaction()
    await taking.start()
    await sweeper.execute("UPDATE lane SET owner = '~sweeper', fence = fence + 1")
    late = asyncio.create_task(store.commit(result(claimed, Accepted("p1"))))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    await eventually(lambda: postgres.raw(waiting), lambda found: found[0][0] == 1)
    await taking.commit()
    with pytest.raises(Fenced):
        await late
    assert await postgres.raw("SELECT owner, fence FROM lane") == [("~sweeper", claimed.fence + 1)]
    await sweeper.close()
    await store.close()


async def test_the_other_process_is_woken_and_the_own_one_only_once(two: tuple[PostgresStore, PostgresStore]) -> None:
    [place] = await found_account(two[0])
    woken = asyncio.Event()
    own: list[int] = []
    two[1].on_touched = woken.set
    two[0].on_touched = lambda: own.append(1)
    await two[0].commit(reply(place, "r1"))
    await asyncio.wait_for(woken.wait(), 10)
    assert own == [1]


class Writing:
    """A transaction of another process that writes events of account acc_a, step by step."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._running = connection.transaction()

    @classmethod
    async def begin(cls, postgres: PostgresEngine) -> "Writing":
        """Begun, and older than whatever begins later."""
        writing = cls(await postgres.connect())
        await writing._running.start()
        await writing._connection.execute("SELECT set_config('heliograph.account', '*', true), pg_current_xact_id()")
        return writing

    async def event(self) -> int:
        """Write one and return its number."""
        found: int = await self._connection.fetchval(
            "INSERT INTO event (account, stream, stream_id, subject, kind, version, recorded_at, actor, channel, credential, release, "
            "reason, data) VALUES ('acc_a', 'account', 'acc_a', '', 'token_issued', 1, 1, 'system', '', '', 'r', '', "
            '\'{"token": "t"}\') RETURNING seq'
        )
        return found

    async def end(self, *, commit: bool = True) -> None:
        """Commit, or roll back."""
        await (self._running.commit() if commit else self._running.rollback())
        await self._connection.close()


READINGS: dict[str, Callable[[PostgresStore, int], Awaitable[Sequence[EventRead]]]] = {
    "account_events": lambda store, after: store.account_events("acc_a", after=after, limit=500),
    "events": lambda store, after: store.events("acc_a", stream="account", stream_id="acc_a", after=after, limit=500),
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("commit", [True, False])
async def test_events_wait_for_lower_numbers_that_may_still_come(postgres: PostgresEngine, reading: str, commit: bool) -> None:
    store = await postgres.open()
    await found_account(store)
    slow = await Writing.begin(postgres)
    low = await slow.event()
    await store.commit(Changes("acc_a", NOW, loose=[Loose("account", "acc_a", ev.TokenRevoked("t"))]))
    assert await READINGS[reading](store, 0) == []
    await slow.end(commit=commit)
    found = await READINGS[reading](store, 0)
    assert [event.kind for event in found] == ["token_issued", "token_revoked"][not commit :]
    assert (found[0].seq == low) is commit
    await store.close()


@pytest.mark.parametrize("reading", READINGS)
async def test_a_reader_misses_nothing_that_a_younger_transaction_commits_late(postgres: PostgresEngine, reading: str) -> None:
    store = await postgres.open()
    await found_account(store)
    older, younger = await Writing.begin(postgres), await Writing.begin(postgres)
    low = await younger.event()
    high = await older.event()
    await older.end()
    seen = [event.seq for event in await READINGS[reading](store, 0)]
    await younger.end()
    seen += [event.seq for event in await READINGS[reading](store, seen[-1] if seen else 0)]
    assert seen == [low, high]
    await store.close()


async def test_events_do_not_wait_for_transactions_that_write_none(postgres: PostgresEngine) -> None:
    store = await postgres.open()
    await found_account(store)
    other = await Writing.begin(postgres)
    await store.commit(Changes("acc_a", NOW, loose=[Loose("account", "acc_a", ev.TokenRevoked("t"))]))
    assert [event.kind for event in await store.account_events("acc_a", after=0, limit=9)] == ["token_revoked"]
    await other.end()
    await store.close()


@pytest.mark.parametrize("reading", READINGS)
async def test_a_reader_that_follows_many_writers_sees_all_once_and_in_order(postgres: PostgresEngine, reading: str) -> None:
    store = await postgres.open()
    await found_account(store)
    written: list[int] = []

    async def write(n: int) -> None:
        for step in range(10):
            writing = await Writing.begin(postgres)
            numbers = [await writing.event() for _ in range(1 + (n + step) % 4)]
            commit = (n + step) % 5 > 0
            await writing.end(commit=commit)
            written.extend(numbers if commit else [])

    async def follow(over: asyncio.Event) -> list[int]:
        seen: list[int] = []
        while True:
            last = over.is_set()
            page = await READINGS[reading](store, seen[-1] if seen else 0)
            seen += [event.seq for event in page]
            if last:
                return seen

    over = asyncio.Event()
    followers = [asyncio.create_task(follow(over)) for _ in range(2)]
    await asyncio.gather(*(write(n) for n in range(6)))
    over.set()
    for seen in await asyncio.gather(*followers):
        assert seen == sorted(written)
    await store.close()


# --- safety ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "undo", "complaint"),
    [
        ("ALTER DATABASE {} SET synchronous_commit = off", "", "synchronous_commit = off"),
        ("ALTER ROLE heliograph_app BYPASSRLS", "ALTER ROLE heliograph_app NOBYPASSRLS", "row-level security"),
        ("ALTER ROLE heliograph_app SUPERUSER", "ALTER ROLE heliograph_app NOSUPERUSER", "superuser"),
        ("ALTER TABLE event OWNER TO heliograph_app", "", "owns the tables"),
    ],
)
async def test_an_unsafe_server_is_refused(postgres: PostgresEngine, statement: str, undo: str, complaint: str) -> None:
    await postgres.raw(statement.format(urlsplit(postgres.dsn).path[1:]))
    try:
        with pytest.raises(Unavailable, match=complaint):
            await postgres.open()
    finally:
        if undo:
            await postgres.raw(undo)


@pytest.mark.parametrize("off", ["fsync", "full_page_writes", "synchronous_commit"])
def test_each_setting_that_risks_replies_is_named(off: str) -> None:
    values = {name: "on" for name in ("fsync", "full_page_writes", "synchronous_commit")} | {off: "off"}
    with pytest.raises(Unavailable, match=f"{off} = off"):
        refuse_unsafe((*values.values(), False, False, False))


async def test_an_unreachable_server_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await PostgresEngine("postgresql://nobody@127.0.0.1:1/none").open()


async def test_errors_quote_no_rows(postgres: PostgresEngine) -> None:
    store = await postgres.open()
    [place] = await found_account(store)
    broken = reply(place, "r1")
    broken.queue[0] = broken.queue[0].__class__("secret-id", place.ticket, "secret-handle", place.channel, place.lane, 1, 1)
    with pytest.raises(ValueError, match="delivery") as caught:
        await store.commit(broken)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    await store.close()


async def test_behind_a_pooler_nothing_stays_on_a_connection(postgres: PostgresEngine) -> None:
    store = await postgres.open(statement_cache_size=0, pool_size=1)
    places = [await found_account(store, account) for account in ("acc_a", "acc_b")]
    await asyncio.gather(*(store.commit(reply(place, "r1")) for [place] in places))
    for [place] in places:
        row = await store.delivery(place.account, "r1.1")
        assert row is not None
        assert row.account == place.account
    assert len(await claim(store)) == 2
    async with store._sessions._pool.acquire() as connection:
        assert await connection.fetchval("SELECT current_user::text") == "postgres"
        assert await connection.fetchval("SELECT coalesce(current_setting('heliograph.account', true), '')") == ""
    await check_all(store)
    await store.close()


# --- lost answers ---------------------------------------------------------------------------------


class Cutter:
    """A server in front of the server, which cuts the line at a COMMIT."""

    def __init__(self, upstream: str, folder: Path) -> None:
        self._upstream = upstream
        self._folder = folder
        #: "before": the server never sees the next COMMIT; "after": its answer is lost.
        self.cut = ""
        self.cuts = 0
        #: Whether the server is out of reach after a cut.
        self.gone = False
        self._server: Any = None

    async def start(self) -> str:
        """Listen; returns the folder of the socket."""
        self._server = await asyncio.start_unix_server(self._serve, str(self._folder / ".s.PGSQL.5432"))
        return str(self._folder)

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        if self.gone and self.cuts:
            answers.close()
            return
        server, requests = await asyncio.open_unix_connection(f"{self._upstream}/.s.PGSQL.5432")
        back = asyncio.create_task(self._relay(server, answers))
        try:
            while data := await client.read(65536):
                if self.cut and b"COMMIT\0" in data:
                    how, self.cut = self.cut, ""
                    self.cuts += 1
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    if how == "after":
                        requests.write(data)
                        assert await server.read(65536)
                    break
                requests.write(data)
        finally:
            back.cancel()
            requests.close()
            answers.close()

    async def _relay(self, server: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        while data := await server.read(65536):
            answers.write(data)
        answers.close()


@pytest.fixture
async def cut_off(postgres: PostgresEngine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Cutter, PostgresStore]]:
    """A store whose line to the server can be cut."""
    address = urlsplit(postgres.dsn)
    cutter = Cutter(parse_qs(address.query)["host"][0], tmp_path_factory.mktemp("cut"))
    store = await PostgresEngine(f"postgresql://postgres@{address.path}?host={await cutter.start()}").open()
    yield cutter, store
    await check_all(store)
    await store.close()
    await cutter.stop()


@pytest.mark.parametrize("how", ["before", "after"])
async def test_the_outcome_of_a_lost_commit_is_learned(cut_off: tuple[Cutter, PostgresStore], how: str) -> None:
    cutter, store = cut_off
    places = await found_account(store, lanes=5)
    cutter.cut = how
    await asyncio.gather(*(store.commit(reply(place, f"r{n}")) for n, place in enumerate(places)))
    assert cutter.cuts == 1
    assert await store.counts("acc_a") == {"queued": 5}


@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_claim_whose_commit_was_lost_is_neither_lost_nor_doubled(cut_off: tuple[Cutter, PostgresStore], how: str) -> None:
    cutter, store = cut_off
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    cutter.cut = how
    await send_one(store)
    assert cutter.cuts == 1
    row = await store.delivery(place.account, "r1.1")
    assert row is not None
    assert (row.state, row.attempt) == (State.ACCEPTED, 1)


@pytest.mark.parametrize("how", ["before", "after"])
async def test_an_outcome_that_cannot_be_learned_is_said_and_the_act_is_safe_to_repeat(
    cut_off: tuple[Cutter, PostgresStore], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutter, store = cut_off
    [place] = await found_account(store)
    monkeypatch.setattr(sessions, "ASK_FOR", 0.2)
    monkeypatch.setattr(sessions, "ASK_PAUSE", 0.01)
    cutter.cut, cutter.gone = how, True
    with pytest.raises(Unavailable, match="safe to repeat"):
        await store.commit(reply(place, "r1"))
    cutter.gone = False
    if how == "after":
        with pytest.raises(Conflict):
            await store.commit(reply(place, "r1"))
    else:
        await store.commit(reply(place, "r1"))
    assert await store.counts("acc_a") == {"queued": 1}
