"""A Heliograph of the benchmark: one account, one Sunshine channel at the bench's provider, its conversations and tickets."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.job import Job
from bench.payload import Reply
from heliograph.bootstrap.application import Application, Config, build, worker_name
from heliograph.domain.content import Text
from heliograph.domain.delivery import State
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services.configure import create_account, create_agent, create_channel
from heliograph.services.reply import reply
from heliograph.worker.worker import Worker

MASTER_KEY = bytes(range(32))
LEASE = 60.0
#: Acts that are under way at once while replies are accepted.
ACCEPTING = 256


@dataclass(slots=True)
class Installation:
    """What a contestant works with. `tickets` maps a conversation's address to its ticket."""

    application: Application
    account: str
    agent: str
    channel: str
    tickets: dict[str, str]

    async def accept(self, replies: Iterable[Reply]) -> None:
        """Save replies, in order within each conversation, many acts at once."""
        pending = iter(replies)

        async def some() -> None:
            for one in pending:
                await reply(
                    self.application.context, self.account, self.tickets[one.conversation], agent=self.agent,
                    actor=f"agent:{self.agent}", contents=(Text(one.text),), public=True,
                )  # fmt: skip

        await asyncio.gather(*(some() for _ in range(ACCEPTING)))

    async def accepted(self) -> int:
        """Replies whose acceptance by the provider is recorded."""
        counts = await self.application.context.store.counts(self.account)
        return sum(counts.get(state, 0) for state in (State.ACCEPTED, State.DELIVERED, State.READ))

    async def until_recorded(self, number: int) -> None:
        """Wait until `number` deliveries are recorded as accepted; notices it within a few milliseconds."""
        recorded = asyncio.Event()
        store = self.application.context.store
        seen = await self.accepted()
        before = store.on_committed

        def count(changes: Changes) -> None:
            nonlocal seen
            if before is not None:
                before(changes)
            seen += sum(1 for fold in changes.folds for event in fold.events if event.kind == "attempt_accepted")
            if seen >= number:
                recorded.set()

        store.on_committed = count
        if seen < number:
            await recorded.wait()
        store.on_committed = before


async def install(application: Application, job: Job, conversations: Iterable[str], *, provider: str = "", name: str = "bench") -> Installation:
    """Create account, agent and channel, and one ticket per conversation."""
    context = application.context
    account = await create_account(context, name)
    agent = await create_agent(context, account, "Sam")
    config = {
        "base_url": f"{provider or job.provider}/sc", "app_id": job.app, "key_id": "app_bench", "key_secret": "bench",
        "webhook_secret": "bench",
    }  # fmt: skip
    channel = await create_channel(context, account, application.specs["sunshine"], name="Bench", config=config, actor="operator")
    tickets = {}
    for address in conversations:
        conversation, ticket, contact = context.new_id("cnv"), context.new_id("tkt"), context.new_id("con")
        tickets[address] = ticket
        now = context.clock.now()
        changes = Changes(account, now)
        changes.puts += [
            rows.Contact(account, contact, "A contact", now),
            rows.Conversation(account, conversation, channel, address, contact, ticket, "", now, 0, now),
            rows.Ticket(account, ticket, 0, conversation, channel, contact, "open", now, now),
        ]
        await context.store.commit(changes)
    return Installation(application, account, agent, channel, tickets)


@asynccontextmanager
async def running(job: Job, *, database: str = "", work: bool = True) -> AsyncIterator[tuple[Application, Worker]]:
    """An application on an empty store, working unless `work` is False."""
    config = Config(
        data=Path(job.scratch), master_key=MASTER_KEY, database=database, release="bench", allow_networks=("127.0.0.0/8",),
        connections=job.concurrency,
    )  # fmt: skip
    application = await build(config)
    worker = Worker(application.context, application.holds, name=worker_name(), concurrency=job.concurrency, lease=LEASE)
    application.context.store.on_touched = worker.delivery.wake
    if work:
        worker.start()
    try:
        yield application, worker
    finally:
        await worker.stop()
        await application.close()
