"""A store that was restored, copied or failed over: what waits in it is looked up or asked, and never just sent again."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import apsw
import asyncpg
import pytest

from heliograph.bootstrap import places
from heliograph.bootstrap.application import Application, Config, build, glance
from heliograph.bootstrap.checks.run import run
from heliograph.bootstrap.places import CARRIED, Mark, verdict
from heliograph.bootstrap.settings import Settings
from heliograph.domain.content import Text
from heliograph.domain.delivery import Question, State
from heliograph.ports import rows
from heliograph.ports.store import Changes, Unavailable
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.world import Demo
from heliograph.services import configure
from heliograph.services.moved import doubt_all
from heliograph.services.reply import reply
from heliograph.storage.glance import Glance
from heliograph.storage.ledger import decode
from heliograph.storage.postgres import sessions
from heliograph.storage.postgres.store import PostgresStore
from heliograph.worker.worker import Worker
from tests.services.test_releases import until
from tests.storage.engines import AnyStore
from tests.storage.law import check_all


def seen(*, epoch: str = "e1", former: tuple[str, ...] = (), engine: str = "file:1", kept: str = "file:1", last: int = 10) -> Glance:
    place = f'{{"epoch": "{epoch}", "engine": "{kept}", "former": [{", ".join(f"{chr(34)}{e}{chr(34)}" for e in former)}], "at": 1}}'
    return Glance(installation="ins_1", notes={"place": place}, engine=engine, last_event=last)


def mark(epoch: str = "e1", event: int = 10, *, closed: bool = False, installation: str = "ins_1") -> Mark:
    return Mark(installation, epoch, event, 0, closed)


CASES = [
    ("a new store", Glance(installation="ins_1", engine="file:1"), mark(), ""),
    ("as it was left", seen(), mark(), ""),
    ("it has gone on since the mark", seen(last=12), mark(), ""),
    ("a folder that knows nothing", seen(), None, ""),
    ("a backup over the file", seen(last=9), mark(), "older"),
    ("copied while it ran", seen(engine="file:2"), mark(), "elsewhere"),
    ("copied without its folder", seen(engine="file:2"), None, "elsewhere"),
    ("carried over, closed", seen(engine="file:2"), mark(closed=True), ""),
    ("carried over, and it had gone on", seen(engine="file:2", last=11), mark(closed=True), "elsewhere"),
    ("another process dealt with a move", seen(epoch="e2", former=("e1",)), mark(), ""),
    ("dealt with, and then restored to before", seen(epoch="e1"), mark("e2"), "stranger"),
    ("a folder of another store", seen(last=1), mark("e9", installation="ins_2"), ""),
]


@pytest.mark.parametrize(("glimpse", "left", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_reveals_a_move(glimpse: Glance, left: Mark | None, why: str) -> None:
    assert verdict(glimpse, left, now=1) == why


def test_a_cold_backup_of_long_ago_is_no_removal() -> None:
    assert verdict(seen(engine="file:2"), mark(closed=True), now=CARRIED + 1) == "elsewhere"


class Place:
    """One installation with two replies that wait, and services that tell what they took."""

    def __init__(self, folder: Path, database: str, sandbox: RunningSandbox, demo: Demo) -> None:
        self.sandbox, self.demo = sandbox, demo
        self.config = Config(folder, b"k" * 32, database=database, allow_networks=("127.0.0.0/8",), http_process=False)

    @asynccontextmanager
    async def opened(self, config: Config | None = None, *, working: bool = False) -> AsyncIterator[Application]:
        application = await build(config or self.config)
        worker = Worker(application.context, application.holds, name="w", concurrency=4, lease=60.0)
        application.context.store.on_touched = worker.delivery.wake
        if working:
            worker.start()
        try:
            yield application
        finally:
            if working:
                await worker.stop()
            await application.close()

    async def write(self, application: Application, provider: str, *texts: str) -> tuple[str, str]:
        context = application.context
        account = await configure.create_account(context, provider)
        agent = await configure.create_agent(context, account, "Sam")
        base, own = {
            "sunshine": (
                self.sandbox.sunshine_url,
                {"app_id": self.demo.app_id, "key_id": self.demo.key_id, "key_secret": self.demo.key_secret},
            ),
            "telegram": (self.sandbox.telegram_url, {"token": self.demo.bot_token}),
        }[provider]
        config = {"base_url": base, "settle_seconds": "0", **own} if provider == "sunshine" else {"base_url": base, **own}
        spec = application.specs[provider]
        channel = await configure.create_channel(context, account, spec, name="x", config=config, actor="operator")
        address = self.demo.conversation_id if provider == "sunshine" else "77"
        changes = Changes(account, context.clock.now())
        changes.puts += [
            rows.Contact(account, "con_1", "Ada", 1),
            rows.Conversation(account, f"cnv_{provider}", channel, address, "con_1", "tkt_1", "", 1, 0, 1),
            rows.Ticket(account, "tkt_1", 0, f"cnv_{provider}", channel, "con_1", "open", 1, 1),
        ]
        await context.store.commit(changes)
        for text in texts:
            await reply(context, account, "tkt_1", agent=agent, actor="agent:a", contents=[Text(text)], public=True)
        return account, channel

    def taken(self) -> list[str]:
        return [message.text for message in self.sandbox.sandbox.tally.taken()]


@pytest.fixture(params=["sqlite", "postgres"])
async def place(tmp_path: Path, request: pytest.FixtureRequest, empty_database: str) -> AsyncIterator[Place]:
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(1))
    database = empty_database if request.param == "postgres" else ""
    yield Place(tmp_path / "desk", database, sandbox, sandbox.sandbox.seed_demo())
    await sandbox.stop()


async def states(application: Application, account: str) -> list[str]:
    return [str(delivery.state) for delivery in await application.context.store.deliveries_of(account, "tkt_1")]


async def test_a_store_that_is_as_it_was_left_is_left_alone(place: Place) -> None:
    async with place.opened() as application:
        account, _ = await place.write(application, "sunshine", "one")
    for _ in range(2):
        async with place.opened() as application:
            assert await states(application, account) == [State.QUEUED]
    left = places.read(place.config.data)
    assert left is not None and left.closed and left.event > 0
    found = {finding.rule.id for finding in await run(Settings(), place.config, deploy=False, probes=False)}
    assert "HG.E024" not in found


async def test_what_was_sent_after_the_backup_is_found_and_the_rest_is_sent_once_in_order(tmp_path: Path, place: Place) -> None:
    if place.config.database:
        pytest.skip("a backup of PostgreSQL is not a file; its own identity is tested below")
    async with place.opened() as application:
        account, _ = await place.write(application, "sunshine", "one", "two")
    shutil.copytree(place.config.data, tmp_path / "backup")
    async with place.opened(working=True):
        await until(lambda: len(place.taken()) == 2)
    # Two more replies after the backup are lost with it; what the backup holds must not be said twice.
    (place.config.data / "heliograph.db").write_bytes((tmp_path / "backup" / "heliograph.db").read_bytes())
    found = {finding.rule.id for finding in await run(Settings(), place.config, deploy=False, probes=False)}
    assert "HG.E024" in found
    async with place.opened() as application:
        assert await states(application, account) == [State.UNKNOWN, State.UNKNOWN]
    async with place.opened(working=True) as application:
        for _ in range(200):
            if set(await states(application, account)) <= {State.ACCEPTED, State.DELIVERED, State.READ}:
                break
            await application.context.clock.sleep(0.1)
        else:
            raise AssertionError(await states(application, account))
        told = await application.context.store.events("", stream="account", stream_id="", after=0, limit=10)
        assert [getattr(decode(event), "doubted", None) for event in told if event.kind == "store_moved"] == [2]
    assert len(place.taken()) == 2


async def test_where_nobody_can_tell_a_person_is_asked(place: Place) -> None:
    async with place.opened() as application:
        account, _ = await place.write(application, "telegram", "one")
        assert await doubt_all(application.context) == 1
        (delivery,) = await application.context.store.deliveries_of(account, "tkt_1")
        assert (delivery.state, delivery.question) == (State.ASKING, Question.MAY_HAVE_BEEN_SENT)
        assert await doubt_all(application.context) == 0


async def test_another_engine_is_a_move_and_dealt_with_once(place: Place) -> None:
    async with place.opened() as application:
        account, _ = await place.write(application, "sunshine", "one")
        engine = application.engine
    await forge(place, engine)
    async with place.opened() as application:
        assert await states(application, account) == [State.UNKNOWN]
        assert application.engine == engine
    other = replace(place.config, data=place.config.data.parent / "other") if place.config.database else place.config
    async with place.opened(other) as application:
        told = await application.context.store.events("", stream="account", stream_id="", after=0, limit=10)
        assert len([event for event in told if event.kind == "store_moved"]) == 1


async def forge(place: Place, engine: str) -> None:
    """Make the store believe that it was kept elsewhere, and the folder that it was not closed."""
    left = places.read(place.config.data)
    assert left is not None and (await glance(place.config)).engine == engine
    left.closed = False
    places.write(place.config.data, left)
    sql = f"UPDATE document SET data = replace(data, '{engine}', 'another') WHERE account = '' AND kind = 'installation' AND id = 'place'"
    if place.config.database:
        connection = await asyncpg.connect(place.config.database)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('heliograph.account', '*', true)")
                await connection.execute(sql)
        finally:
            await connection.close()
    else:
        apsw.Connection(str(place.config.data / "heliograph.db")).execute(sql)


async def test_a_store_of_another_installation_is_not_touched(place: Place) -> None:
    async with place.opened() as application:
        account, _ = await place.write(application, "sunshine", "one")
        engine = application.engine
    await forge(place, engine)
    async with place.opened(replace(place.config, installation="ins_another")) as application:
        assert application.engine == "" and await states(application, account) == [State.QUEUED]


async def test_a_running_process_sees_that_the_store_is_another_one(place: Place) -> None:
    async with place.opened() as application:
        assert await application.still_there()
        application.engine = "another"
        assert not await application.still_there()


async def test_the_rows_are_still_the_fold_of_the_ledger(place: Place) -> None:
    async with place.opened() as application:
        await place.write(application, "sunshine", "one", "two")
        await place.write(application, "telegram", "one")
        assert await doubt_all(application.context) == 3
        store = application.context.store
        assert isinstance(store, AnyStore)
        await check_all(store)
        for account in await store.accounts():
            assert await store.written(account.id) == sum((await store.counts(account.id)).values())


async def test_connections_to_another_history_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.opened() as application:
        store = application.context.store
        if not isinstance(store, PostgresStore):
            pytest.skip("one process has one file open")
        account, _ = await place.write(application, "sunshine", "one")
        monkeypatch.setattr(sessions, "_TIMELINE", "SELECT 'FFFFFFFF'")
        await store._sessions._pool.expire_connections()
        with pytest.raises(Unavailable, match="another history"):
            await store.claim(worker="w", now=application.context.clock.now(), lease_until=1 << 60, limit=10)
        monkeypatch.undo()
        assert await states(application, account) == [State.QUEUED]
