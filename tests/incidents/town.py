"""A town of accounts on a sandbox, moved on by hand: real services on a real store, and a clock that only the test turns."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain.content import Text
from heliograph.domain.incident import Incident
from heliograph.ports import rows
from heliograph.ports.provider import Provider
from heliograph.ports.store import Changes, Store
from heliograph.providers.registry import PROVIDERS
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.in_process import SandboxHttp
from heliograph.sandbox.sunshine.state import App, Key
from heliograph.sandbox.world import Sandbox
from heliograph.services import configure, detection, incidents, probe, settle
from heliograph.services.channels import Channels
from heliograph.services.context import Context
from heliograph.services.deliver import Delivering
from heliograph.services.impact import impact
from heliograph.services.reply import reply

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
STEP = 0.25
SHARED = "sunshine"


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Dice:
    """Seeded chance."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def bits(self) -> int:
        return self._random.getrandbits(64)

    def jitter(self) -> float:
        return self._random.random()


@dataclass
class Said:
    """A reply as its writer knows it."""

    account: str
    lane: str
    delivery: str
    at: int


@dataclass
class Home:
    """An account with one channel; `key` is the provider's."""

    account: str
    agents: list[str]
    channel: str
    key: Key
    lanes: list[str] = field(default_factory=list)


@dataclass
class Town:
    """See the module."""

    application: Application
    sandbox: Sandbox
    clock: Clock
    homes: list[Home]
    said: list[Said] = field(default_factory=list)
    #: How many messages of one conversation go in a round at most.
    rounds: int = 1_000
    #: For each account whose conversation it is: the ticket and the address at the provider.
    lanes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    @property
    def context(self) -> Context:
        return self.application.context

    @property
    def store(self) -> Store:
        return self.application.context.store

    async def lane(self, home: Home, app: App) -> str:
        """A conversation with its ticket."""
        place = self.sandbox.new_contact(app, "Ada")
        id = self.context.new_id("cnv")
        ticket, contact = id.replace("cnv", "tkt"), id.replace("cnv", "con")
        changes = Changes(home.account, self.clock.now())
        changes.puts += [
            rows.Contact(home.account, contact, "Ada", 1),
            rows.Conversation(home.account, id, home.channel, place.id, contact, ticket, "", changes.at, 0, changes.at),
            rows.Ticket(home.account, ticket, 0, id, home.channel, contact, "open", changes.at, changes.at),
        ]
        await self.store.commit(changes)
        home.lanes.append(id)
        self.lanes[home.account, id] = (ticket, place.id)
        return id

    async def say(self, home: Home, lane: str = "", *, agent: str = "") -> Said:
        """An agent writes."""
        lane = lane or home.lanes[0]
        ticket, _ = self.lanes[home.account, lane]
        text = f"reply {len(self.said)}"
        saved = await reply(
            self.context, home.account, ticket, agent=agent or home.agents[0], actor="agent:x", contents=[Text(text)], public=True
        )
        said = Said(home.account, lane, saved.deliveries[0], self.clock.now())
        self.said.append(said)
        return said

    async def step(self, *, quiet: bool = False) -> None:
        """A quarter of a second of everything that a process does; `quiet` leaves incidents out."""
        self.clock.at += int(STEP * SECOND)
        context = self.context
        mark = self.application.holds.mark()
        delivering = Delivering(context, self.application.holds, worker="w", lease=60 * SECOND, goes_on=lambda: False)
        for _ in range(self.rounds):
            claims = await self.store.claim(worker="w", now=self.clock.now(), lease_until=self.clock.now() + 60 * SECOND, limit=100)
            for claimed in claims:
                self.clock.at += 7
                await delivering.deliver(claimed, mark=mark)
            if not claims or any(claimed.trial for claimed in claims):
                # What the trial sets free goes in the next round, so that the judge sees that it waited.
                break
        for unknown in await self.store.due_settlements(self.clock.now(), 100):
            await settle.settle(context, unknown)
        for account, channel in await probe.due(context):
            self.clock.at += 5
            await probe.probe(context, account, channel)
        if not quiet:
            await detection.step(context)
            await incidents.reconcile(context)

    async def run(self, seconds: float) -> None:
        """So many seconds."""
        for _ in range(round(seconds / STEP)):
            await self.step()

    def routine(self) -> None:
        """Every channel looks worth a probe, as once a minute."""
        for home in self.homes:
            self.context.suspect(home.account, home.channel)

    def fault(self, mode: Mode, **options: object) -> Fault:
        """Switch on a fault of the provider."""
        return self.sandbox.faults.set(Fault("sunshine", mode, **options))  # type: ignore[arg-type]

    async def incidents(self) -> list[Incident]:
        """All, oldest first."""
        return list(reversed(await incidents.all_incidents(self.store)))

    async def public(self) -> list[Incident]:
        """What the public page may tell."""
        return [incident for incident in await self.incidents() if incident.public]

    async def affected(self, incident: Incident) -> set[str]:
        """Ids of the affected deliveries."""
        return {affected.delivery for affected in await impact(self.store, incident)}

    def late(self) -> set[str]:
        """The sandbox's own record: what it did not take in the round in which it was written, and what it took without an answer."""
        taken: dict[str, int] = {}
        lost = {(a["conversation"], a["at"]) for a in self.sandbox.journal.find(operation="send") if a["outcome"].startswith("dropped")}
        found = set()
        for message in self.sandbox.tally.taken():
            for label in message.labels:
                id = label.partition(".")[0]
                taken.setdefault(id, message.at)
                if (message.conversation, message.at) in lost:
                    found.add(id)
        late = {said.delivery for said in self.said if taken.get(said.delivery, 2**62) - said.at > 1.5 * STEP * SECOND}
        return late | found & {said.delivery for said in self.said}


@contextlib.asynccontextmanager
async def town(
    folder: Path, *, database: str = "", accounts: int = 3, shared: bool = True, lanes: int = 2, seed: int = 1
) -> AsyncIterator[Town]:
    """Accounts with a channel each: on one shared credential, or each on an app and a key of its own."""
    clock = Clock()
    sandbox = Sandbox(now=clock.now, rand=random.Random(seed).random)
    apps = [sandbox.sunshine.center.new_app(f"App {n}") for n in range(1 if shared else accounts)]
    keys = [sandbox.sunshine.center.new_key(app, "app", name="Desk") for app in apps]
    fields = {"provider": "sunshine", "key_id": keys[0].id, "key_secret": keys[0].secret}
    application = await build(
        Config(folder, b"k" * 32, database=database, http_process=False, allow_networks=("127.0.0.0/8",), shared={SHARED: fields})
    )
    context = application.context
    context.clock, context.rng = clock, Dice(str(seed))
    tasks: set[object] = set()

    async def idle(seconds: float) -> None:
        await asyncio.sleep(0)

    http = SandboxHttp(sandbox, sleep=idle, start=tasks.add)

    def make(name: str, given: Mapping[str, str]) -> Provider:
        made: Provider = PROVIDERS[name](given, http)
        return made

    context.channels = Channels(context.store, make, context.channels.vault, context.channels.shared)
    made = Town(application, sandbox, clock, [])
    version = context.channels.shared[SHARED].fingerprint
    await context.store.commit(Changes("", clock.now(), puts=[rows.ReleaseCredential("dev", SHARED, version)]))
    for number in range(accounts):
        made.homes.append(await _home(made, apps[number % len(apps)], keys[number % len(keys)], number, shared=shared, lanes=lanes))
    try:
        yield made
    finally:
        await application.close()


async def _home(town: Town, app: App, key: Key, number: int, *, shared: bool, lanes: int) -> Home:
    context = town.context
    account = await configure.create_account(context, f"Account {number}")
    agents = [await configure.create_agent(context, account, name) for name in ("Sam", "Grace")]
    config = {"base_url": "http://127.0.0.1:1/sc", "app_id": app.id, "settle_seconds": "2"}
    if not shared:
        config |= {"key_id": key.id, "key_secret": key.secret}
    channel = await configure.create_channel(
        context, account, town.application.specs["sunshine"], name="Chat", config=config, actor="operator", shared=SHARED if shared else ""
    )
    home = Home(account, agents, channel, key)
    for _ in range(lanes):
        await town.lane(home, app)
    return home
