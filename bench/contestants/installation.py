"""A Heliograph of the benchmark: accounts with a Sunshine channel at the bench's provider, their conversations and tickets."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.job import Job
from bench.payload import Reply
from heliograph.bootstrap.application import Application, Config, build, worker_name
from heliograph.bootstrap.settings import Settings
from heliograph.domain.content import Text
from heliograph.domain.events import AttemptAccepted
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services import holds
from heliograph.services.configure import create_account, create_agent, create_channel
from heliograph.services.reply import reply
from heliograph.worker.worker import Worker

MASTER_KEY = bytes(range(32))
LEASE = 60.0
#: Lanes in hand for each call that may be open: the others wait for the disk before or after their call.
LANES_PER_CALL = 4
SHIPPED = Settings()
#: Acts that are under way at once while replies are accepted.
ACCEPTING = 256


class Bench:
    """An application, its worker, and a count of the acceptances that it has recorded since it started."""

    def __init__(self, application: Application, worker: Worker) -> None:
        self.application = application
        self.worker = worker
        self.recorded = 0
        self._changed = asyncio.Event()
        store = application.context.store
        noticed = store.on_committed

        def count(changes: Changes) -> None:
            if noticed is not None:
                noticed(changes)
            self.recorded += sum(type(event) is AttemptAccepted for fold in changes.folds for event in fold.events)
            self._changed.set()

        store.on_committed = count
        store.on_touched = worker.delivery.wake

    async def until_recorded(self, number: int) -> None:
        """Wait until `number` acceptances are on disk."""
        while self.recorded < number:
            self._changed.clear()
            await self._changed.wait()


@asynccontextmanager
async def running(job: Job, *, database: str = "", work: bool = True, as_shipped: bool = False) -> AsyncIterator[Bench]:
    """A Heliograph on an empty store, at work unless `work` is False. `as_shipped`: as many calls and connections as by default."""
    config = Config(
        data=Path(job.scratch),
        master_key=MASTER_KEY,
        database=database,
        release="bench",
        allow_networks=("127.0.0.0/8",),
        connections=SHIPPED.connections if as_shipped else job.concurrency,
    )
    application = await build(config)
    lanes = SHIPPED.concurrency if as_shipped else LANES_PER_CALL * job.concurrency
    worker = Worker(application.context, application.holds, name=worker_name(), concurrency=lanes, lease=LEASE)
    bench = Bench(application, worker)
    if work:
        worker.start()
    try:
        yield bench
    finally:
        await worker.stop()
        await application.close()


@dataclass(slots=True)
class Installation:
    """What a contestant works with. `tickets` maps a conversation's address to its ticket."""

    bench: Bench
    account: str
    agent: str
    channel: str
    tickets: dict[str, str]

    async def accept_one(self, one: Reply) -> None:
        """Save one reply, as the desk does."""
        await reply(
            self.bench.application.context,
            self.account,
            self.tickets[one.conversation],
            agent=self.agent,
            actor=f"agent:{self.agent}",
            contents=(Text(one.text),),
            public=True,
        )

    async def accept(self, replies: Iterable[Reply]) -> None:
        """Save replies: one after another within a conversation, as an agent writes, and many conversations at once."""
        conversations: dict[str, list[Reply]] = {}
        for one in replies:
            conversations.setdefault(one.conversation, []).append(one)
        at_once = asyncio.Semaphore(ACCEPTING)

        async def converse(its_replies: list[Reply]) -> None:
            for one in its_replies:
                async with at_once:
                    await self.accept_one(one)

        await asyncio.gather(*map(converse, conversations.values()))

    async def hold(self) -> None:
        """Put the channel's credential on hold, as a refused probe would."""
        context = self.bench.application.context
        connected = await context.channels.get(self.account, self.channel)
        assert connected is not None
        changes = Changes(self.account, context.clock.now())
        await holds.hold(context.store, changes, connected, Reason.BAD_CREDENTIALS, "bench", "check", now=changes.at)
        await context.store.commit(changes)


async def install(bench: Bench, job: Job, conversations: Iterable[str], *, provider: str = "", name: str = "bench") -> Installation:
    """Create account, agent and channel, and one ticket per conversation."""
    context = bench.application.context
    account = await create_account(context, name)
    agent = await create_agent(context, account, "Sam")
    config = {
        "base_url": f"{provider or job.provider}/sc",
        "app_id": job.app,
        "key_id": "app_bench",
        "key_secret": "bench",
        "webhook_secret": "bench",
    }
    spec = bench.application.specs["sunshine"]
    channel = await create_channel(context, account, spec, name="Bench", config=config, actor="operator")
    installation = Installation(bench, account, agent, channel, {})
    pending = iter(list(conversations))

    async def some() -> None:
        for address in pending:
            await _converse(installation, address)

    await asyncio.gather(*(some() for _ in range(ACCEPTING)))
    if not provider:
        # As at any start, the channel is proved before there is work: connections and helpers are up.
        connected = await context.channels.get(account, channel)
        assert connected is not None
        await connected.provider.check()
    return installation


async def _converse(installation: Installation, address: str) -> None:
    context = installation.bench.application.context
    conversation, ticket, contact = context.new_id("cnv"), context.new_id("tkt"), context.new_id("con")
    now = context.clock.now()
    changes = Changes(installation.account, now)
    changes.puts += [
        rows.Contact(installation.account, contact, "A contact", now),
        rows.Conversation(installation.account, conversation, installation.channel, address, contact, ticket, "", now, 0, now),
        rows.Ticket(installation.account, ticket, 0, conversation, installation.channel, contact, "open", now, now),
    ]
    await context.store.commit(changes)
    installation.tickets[address] = ticket
