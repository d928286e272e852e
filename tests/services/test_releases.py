"""Two releases of one installation on a real PostgreSQL: the running one stands witness, and bad settings never send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain import release_events as ev
from heliograph.domain.content import Text
from heliograph.domain.event import Event
from heliograph.domain.gate import Stage
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.world import Demo
from heliograph.services import configure, detection, releases
from heliograph.services.proving import Expected
from heliograph.services.reply import reply
from heliograph.storage.ledger import decode
from heliograph.worker.gatekeeper import Gatekeeper
from heliograph.worker.worker import Worker
from tests.storage.engines import PostgresEngine

KEY = b"k" * 32
VARIABLE = "HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET"


class Running:
    """One process of one release."""

    def __init__(self, application: Application, name: str, expected: str = "") -> None:
        assert application.identity is not None
        self.application = application
        self.id = application.identity.id
        self.worker = Worker(application.context, application.holds, name=name, concurrency=4, lease=60.0)
        self.keeper = Gatekeeper(
            application.context, application.identity, Expected(expected), process=name, host="h", shares=True,
            admitted=self.worker.delivery.wake,
        )  # fmt: skip
        application.noticing.append(self.keeper.noticed)
        application.context.store.on_touched = self.worker.delivery.wake

    async def begin(self) -> "Running":
        await self.keeper.register()
        self.keeper.start()
        self.worker.start()
        return self

    async def stage(self, wanted: Stage) -> None:
        await until(lambda: self.keeper.row is not None and self.keeper.row.stage is wanted, lambda: self.keeper.row)

    async def stop(self) -> None:
        await self.worker.stop()
        await self.keeper.stop()
        await self.application.close()


async def until(holds: Callable[[], Any], what: Callable[[], object] = lambda: "", seconds: float = 15) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never came: {what()!r}") from None


class Place:
    """A database, a sandbox, and processes that are stopped at the end."""

    def __init__(self, dsn: str, folder: Path, sandbox: RunningSandbox, demo: Demo) -> None:
        self.dsn, self.folder, self.sandbox, self.demo = dsn, folder, sandbox, demo
        self.started: list[Running] = []

    async def process(
        self, name: str, *, secret: str = "", key: bytes = KEY, expected: str = "", code: str = "1.0", **more: str
    ) -> Running:
        fields = {"key_id": self.demo.key_id, "key_secret": secret or self.demo.key_secret} | more
        given = {f"HELIOGRAPH_CREDENTIAL__SUNSHINE__{field.upper()}": value for field, value in fields.items()}
        config = Config(
            self.folder, key, database=self.dsn, allow_networks=("127.0.0.0/8",), http_process=False, code=code, variables=given,
            shared={"sunshine": {"provider": "sunshine", **fields}},
        )  # fmt: skip
        running = Running(await build(config), name, expected)
        self.started.append(running)
        return running

    async def ticket(self, running: Running) -> tuple[str, str]:
        context = running.application.context
        account = await configure.create_account(context, "Lighthouse")
        agent = await configure.create_agent(context, account, "Sam")
        config = {"base_url": self.sandbox.sunshine_url, "app_id": self.demo.app_id}
        spec = running.application.specs["sunshine"]
        channel = await configure.create_channel(context, account, spec, name="Chat", config=config, actor="operator", shared="sunshine")
        changes = Changes(account, context.clock.now())
        changes.puts += [
            rows.Contact(account, "con_1", "Ada", 1),
            rows.Conversation(account, "cnv_1", channel, self.demo.conversation_id, "con_1", "tkt_first", "", 1, 0, 1),
            rows.Ticket(account, "tkt_first", 0, "cnv_1", channel, "con_1", "open", 1, 1),
        ]
        await context.store.commit(changes)
        return account, agent

    async def lanes(self, running: Running, account: str, number: int) -> None:
        """So many conversations more, tkt_0 and on."""
        context = running.application.context
        [channel] = await context.store.channels(account)
        app = self.sandbox.sandbox.sunshine.center.apps[self.demo.app_id]
        changes = Changes(account, context.clock.now())
        for n in range(number):
            address = self.sandbox.sandbox.new_contact(app, "Ada").id
            changes.puts += [
                rows.Conversation(account, f"lane_{n}", channel.id, address, "con_1", f"tkt_{n}", "", 1, 0, 1),
                rows.Ticket(account, f"tkt_{n}", 0, f"lane_{n}", channel.id, "con_1", "open", 1, 1),
            ]
        await context.store.commit(changes)

    async def say(self, running: Running, account: str, agent: str, text: str, ticket: str = "tkt_first") -> None:
        contents = [Text(text)]
        await reply(running.application.context, account, ticket, agent=agent, actor=f"agent:{agent}", contents=contents, public=True)

    def calls(self) -> int:
        """Sends that the service was asked for, whatever it answered."""
        return len(self.sandbox.sandbox.journal._arrivals)

    async def story(self, running: Running, release: str) -> list[Event]:
        store = running.application.context.store
        return [decode(read) for read in await store.events("", stream="release", stream_id=release, after=0, limit=100)]


@pytest.fixture
async def place(postgres: PostgresEngine, tmp_path: Path) -> AsyncIterator[Place]:
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(1))
    found = Place(postgres.dsn, tmp_path, sandbox, sandbox.sandbox.seed_demo())
    yield found
    for running in found.started:
        await running.stop()
    await sandbox.stop()


async def first(place: Place) -> tuple[Running, str, str]:
    old = await (await place.process("old")).begin()
    account, agent = await place.ticket(old)
    await old.stage(Stage.ADMITTED)
    return old, account, agent


async def test_wrong_variables_are_refused_by_name_and_send_nothing(place: Place) -> None:
    old, account, agent = await first(place)
    new = await (await place.process("new", secret="wrong")).begin()
    await new.stage(Stage.REFUSED)
    assert new.keeper.row is not None and (new.keeper.row.variable, new.keeper.row.reason) == (VARIABLE, "bad_credentials")
    for number in range(5):
        await place.say(new, account, agent, f"answer {number}")
    await until(lambda: len(place.sandbox.sandbox.tally.taken()) == 5)
    stamped = await new.application.context.store.account_events(account, after=0, limit=1000)
    assert {event.release for event in stamped if event.kind == "attempt_started"} == {old.id}


async def test_a_good_release_is_tried_on_a_share_then_takes_over_and_the_old_one_retires(place: Place) -> None:
    old, account, agent = await first(place)
    new = await (await place.process("new", code="1.1")).begin()
    await new.stage(Stage.SHARING)
    new.keeper._succeeded = 11
    await new.stage(Stage.ADMITTED)
    await old.stage(Stage.RETIRED)
    await place.say(old, account, agent, "hello")
    await until(lambda: place.sandbox.sandbox.tally.taken())
    stamped = await new.application.context.store.account_events(account, after=0, limit=1000)
    assert {event.release for event in stamped if event.kind == "attempt_started"} == {new.id}


async def test_forced_through_it_is_fenced_at_its_first_refusal_and_the_old_one_sends_on(place: Place) -> None:
    old, account, agent = await first(place)
    new = await (await place.process("new", secret="wrong")).begin()
    await new.stage(Stage.REFUSED)
    await releases.force(new.application.context, new.id, reason="I know better", actor="operator")
    await until(lambda: new.keeper.row is not None and new.keeper.row.forced_at)
    await place.say(new, account, agent, "hello")
    await new.stage(Stage.FENCED)
    await old.stage(Stage.ADMITTED)
    await until(lambda: place.sandbox.sandbox.tally.taken())
    [fenced] = [event for event in await place.story(new, new.id) if isinstance(event, ev.ReleaseFenced)]
    assert fenced.variable == VARIABLE and fenced.basis == "witness_passes"
    stamped = await new.application.context.store.account_events(account, after=0, limit=1000)
    tried = [event.release for event in stamped if event.kind == "attempt_started"]
    assert tried[0] == new.id and tried[-1] == old.id


async def test_when_the_key_is_revoked_a_deploy_decides_nothing_and_its_repair_goes_in(place: Place) -> None:
    old, account, agent = await first(place)
    center = place.sandbox.sandbox.sunshine.center
    center.keys[place.demo.key_id].revoked = True
    stuck = await (await place.process("stuck", code="1.1")).begin()
    await until(lambda: stuck.keeper.row is not None and stuck.keeper.row.basis == "both_fail", lambda: stuck.keeper.row)
    assert stuck.keeper.row is not None and stuck.keeper.row.stage is Stage.UNPROVED
    assert old.keeper.row is not None and old.keeper.row.stage is Stage.ADMITTED
    await place.say(old, account, agent, "hello")
    fresh = center.new_key(center.apps[place.demo.app_id], "app")
    repair = await (await place.process("repair", secret=fresh.secret, key_id=fresh.id)).begin()
    await repair.stage(Stage.ADMITTED)
    assert repair.keeper.row is not None and repair.keeper.row.basis == "repair"
    await until(lambda: place.sandbox.sandbox.tally.taken())


async def test_a_wrong_master_key_and_a_wrong_store_are_refused_for_certain(place: Place) -> None:
    await first(place)
    wrong_key = await (await place.process("key", key=b"w" * 32)).begin()
    await wrong_key.stage(Stage.REFUSED)
    assert wrong_key.keeper.row is not None and wrong_key.keeper.row.variable == "HELIOGRAPH_MASTER_KEY"
    wrong_store = await (await place.process("store", expected="ins_other", code="1.2")).begin()
    await wrong_store.stage(Stage.REFUSED)
    assert wrong_store.keeper.row is not None and wrong_store.keeper.row.subject == "store"


async def test_after_a_reboot_what_was_admitted_starts_at_once_and_what_was_not_waits(place: Place) -> None:
    old, account, agent = await first(place)
    await old.stop()
    place.started.remove(old)
    unproved = await (await place.process("bad", secret="wrong")).begin()
    # The process that was stopped said so; nobody is left to speak for or against.
    await until(lambda: unproved.keeper.row is not None and unproved.keeper.row.basis == "no_witness", lambda: unproved.keeper.row)
    await place.say(unproved, account, agent, "hello")
    await asyncio.sleep(0.5)
    assert not place.sandbox.sandbox.tally.taken()
    again = await (await place.process("again")).begin()
    await until(lambda: place.sandbox.sandbox.tally.taken())
    assert again.keeper.row is not None and again.keeper.row.stage is Stage.ADMITTED


async def test_a_release_whose_attempts_fail_where_the_others_succeed_is_fenced(place: Place) -> None:
    """Its settings lead to nowhere, which no probe can tell from an outage; somebody forced it onto half the lanes."""
    old, account, agent = await first(place)
    await place.lanes(old, account, 60)
    new = await (await place.process("new", base_url="http://127.0.0.1:9")).begin()
    await until(lambda: new.keeper.row is not None and new.keeper.row.basis == "untold", lambda: new.keeper.row)
    await releases.force(new.application.context, new.id, reason="it looks well to me", actor="operator", percent=50)
    await new.stage(Stage.SHARING)

    async def watch() -> None:
        while True:
            await detection.step(old.application.context)
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    for number in range(60):
        await place.say(old, account, agent, f"answer {number}", ticket=f"tkt_{number}")
    await new.stage(Stage.FENCED)
    watching.cancel()
    [fenced] = [event for event in await place.story(new, new.id) if isinstance(event, ev.ReleaseFenced)]
    assert fenced.basis == "attempts" and fenced.failed >= 3 and not fenced.succeeded and fenced.other_succeeded >= 11
    await until(lambda: len(place.sandbox.sandbox.tally.taken()) == 60, lambda: len(place.sandbox.sandbox.tally.taken()), seconds=60)


async def test_the_lanes_of_a_release_that_dies_on_trial_come_back(place: Place) -> None:
    old, account, agent = await first(place)
    new = await (await place.process("new", code="1.1")).begin()
    await new.stage(Stage.SHARING)
    await new.stop()
    place.started.remove(new)

    async def share() -> rows.ReleaseShare | None:
        return await old.application.context.store.release_share(old.id)

    async with asyncio.timeout(20):
        while (limits := await share()) is None or (limits.low, limits.high) != (0, 100):
            await asyncio.sleep(0.05)
    await place.say(old, account, agent, "hello")
    await until(lambda: place.sandbox.sandbox.tally.taken())


async def test_a_fence_gives_the_bad_one_s_share_back(place: Place) -> None:
    old, _, _ = await first(place)
    new = await (await place.process("new", secret="wrong")).begin()
    await new.stage(Stage.REFUSED)
    await releases.force(new.application.context, new.id, reason="I know better", actor="operator", percent=60)
    assert await releases.fence(new.application.context, new.id, old.id, basis="attempts")
    assert await old.application.context.store.release_share(old.id) == rows.ReleaseShare(old.id, 0, 100)
