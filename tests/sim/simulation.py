"""One simulated installation: the store, its processes, their providers, and the people on both sides."""

import contextvars
import hashlib
import random
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from heliograph.domain import decide
from heliograph.domain.content import Text
from heliograph.domain.health import Health
from heliograph.ports import rows
from heliograph.ports.provider import Author, BadSignature, InboundMessage, RawRequest
from heliograph.ports.store import Changes, Conflict, Unavailable
from heliograph.providers.registry import PROVIDERS
from heliograph.sandbox.outbox import Callback
from heliograph.sandbox.pulse import deliver
from heliograph.services import configure, decisions
from heliograph.services.ingest import ingest
from heliograph.services.reply import reply
from heliograph.services.tickets import solve
from heliograph.storage.sqlite.store import SqliteStore, open_sqlite
from tests.sim.host import Host
from tests.sim.keyed import Keyed
from tests.sim.loop import VirtualLoop
from tests.sim.watch import Watch
from tests.sim.world import Place, World

ACCOUNT = "acc_sim"
AGENT = "agt_sim"

#: Answers whether a host fails at a point: "kill", or seconds to stall; 0.0 for nothing.
Failing = Callable[[Host, str], "str | float"]


class Simulation:
    """Open it, let things happen, heal it, and have it judged. `hosts` of 1 is the embedded engine: a restart opens the file anew."""

    def __init__(self, seed: str, folder: Path, *, hosts: int = 1, each: int = 3, standing: str = decide.Standing.ASK) -> None:
        self.seed = seed
        self.loop = VirtualLoop(f"{seed}/loop")
        self.chance = random.Random(f"{seed}/people")
        self._wire = random.Random(f"{seed}/wire")
        self.many = hosts > 1
        self.world = World(self.loop.now, random.Random(f"{seed}/world"), polled=not self.many)
        self.world.populate(each)
        self.path = folder / "sim.db"
        self.store: SqliteStore = self._open()
        self.files: dict[str, bytes] = {}
        self.hosts: list[Host] = []
        self.watch = Watch(self)
        self.violations: list[str] = []
        self.standing = standing
        self._wanted = hosts
        self._born = 0
        #: What the swarm or a scenario wants to happen.
        self.failing: Failing = lambda host, name: 0.0
        self.storing: Callable[[Host], str] = lambda host: ""
        #: Seconds until a killed process is started again.
        self.downtime: Callable[[], float] = lambda: 5.0
        self.slow_wire = 0.02
        self.channels: dict[str, rows.Channel] = {}
        self.credentials: dict[str, str] = {}
        #: The last ticket of each conversation: an agent answers on it also after a merge.
        self.tickets: dict[Place, str] = {}
        #: Replies of which an agent was told that they are saved: delivery ids.
        self.saved: list[str] = []
        #: Provider's ids of contacts' messages for which somebody was told that we have them.
        self.acknowledged: set[str] = set()
        self.written: set[str] = set()
        self.kills = self.stalls = self.counter = 0
        self.log: deque[str] = deque(maxlen=80)
        self._digest = hashlib.sha256()

    # --- for hosts ---------------------------------------------------------------------------------

    def note(self, what: str) -> None:
        """A line of the trace."""
        line = f"{self.loop.time():.6f} {what}"
        self.log.append(line)
        self._digest.update(line.encode())

    def violated(self, what: str) -> None:
        """An invariant does not hold."""
        self.note(f"VIOLATION {what}")
        self.violations.append(f"at {self.loop.time():.3f} s: {what}")

    def store_fault(self, host: Host) -> str:
        """See host.Around."""
        return self.storing(host)

    def latency(self) -> float:
        """See host.Around."""
        return self._wire.random() * self.slow_wire

    def calling(self, host: Host, service: str, address: str, timeout: float) -> None:
        """See host.Around."""
        self.note(f"{host.name} calls {service} {address}")
        self.watch.calling(host, Place(service, address), timeout)

    async def failpoint(self, host: Host, name: str) -> None:
        """See host.Around."""
        action = self.failing(host, name)
        if action == "kill":
            self.kill(host, name)
            await self.loop.create_future()
        elif isinstance(action, float) and action > 0.0:
            self.stall(host, action, name)
            await self.loop.sleep(0.0)

    # --- processes ---------------------------------------------------------------------------------

    def _open(self) -> SqliteStore:
        return open_sqlite(self.path, now=self.loop.now(), new_id="ins_sim", release="rel_sim", threaded=False, durable=False)

    async def open(self) -> None:
        """An account with a channel at each service, and the processes."""
        self._hook()
        first = self._new_host()
        context = first.context
        await configure.create_account(context, "Simulated", id=ACCOUNT)
        account = await self.store.account(ACCOUNT)
        assert account is not None
        changes = Changes(ACCOUNT, self.loop.now(), "operator")
        changes.puts.append(account._replace(standing=self.standing))
        await self.store.commit(changes)
        await configure.create_agent(context, ACCOUNT, "Agent", id=AGENT)
        specs = {name: kind.spec for name, kind in PROVIDERS.items()} | {"keyed": Keyed.spec}
        for service, config in self.world.configs().items():
            id = await configure.create_channel(context, ACCOUNT, specs[service], name=service, config=config, actor="operator")
            channel = await self.store.channel(ACCOUNT, id)
            assert channel is not None
            self.channels[service] = channel
            connected = await context.channels.get(ACCOUNT, id)
            assert connected is not None
            self.credentials[service] = connected.version
        first.start()
        self.hosts.append(first)
        for _ in range(self._wanted - 1):
            self._start_host()
        self.loop.neutral(deliver(self.world.sandbox, self._webhook, sleep=self.loop.sleep, start=self.loop.neutral))
        self.loop.horizon = self.watch.horizon

    def _new_host(self) -> Host:
        self._born += 1
        name = f"host{self._born}"
        return Host(self, name, f"{self.seed}/{name}", listens=not self.many)

    def _start_host(self) -> None:
        host = self._new_host()
        host.start()
        self.hosts.append(host)

    def _hook(self) -> None:
        self.store.on_touched = self._touched
        self.store.on_committed = self._committed
        self.watch.transaction(self.store._transaction)

    def _touched(self) -> None:
        for host in self.hosts:
            if not host.machine.dead:
                host.machine.vars.copy().run(host.worker.delivery.wake)

    def _committed(self, changes: Changes) -> None:
        for fold in changes.folds:
            kind = "health" if isinstance(fold.row, Health) else "delivery"
            for event in fold.events:
                self.note(f"{changes.actor} {kind} {getattr(fold.row, 'subject', '') or getattr(fold.row, 'id', '')} {event}")
                if isinstance(fold.row, Health):
                    self.watch.health(fold.row, event)

    def kill(self, host: Host, where: str) -> None:
        """As kill -9 does; somebody starts a new one later."""
        if host.machine.dead:
            return
        self.kills += 1
        self.note(f"killed {host.name} at {where}")
        self.loop.kill(host.machine)
        self.loop.graveyard.append(host)
        self.hosts.remove(host)
        self._later(self._restart())

    def stall(self, host: Host, seconds: float, where: str) -> None:
        """As SIGSTOP and SIGCONT do."""
        self.stalls += 1
        self.note(f"stalled {host.name} for {seconds:.1f} s at {where}")
        self.loop.stall(host.machine, seconds)

    async def _restart(self) -> None:
        await self.loop.sleep(self.downtime())
        if not self.many:
            await self.store.close()
            self.store = self._open()
            self._hook()
        self._start_host()
        self.note(f"started {self.hosts[-1].name}")

    def _later(self, work: Any) -> None:
        async def noticed() -> None:
            try:
                await work
            except Exception as error:
                self.violated(f"the simulation itself failed: {error!r}")

        task = self.loop.create_task(noticed(), context=contextvars.Context())
        self.loop.graveyard.append(task)

    def any_host(self) -> Host | None:
        """One that runs, if there is one."""
        running = [host for host in self.hosts if host.running]
        return self.chance.choice(running) if running else None

    # --- people ------------------------------------------------------------------------------------

    async def _webhook(self, call: Callback) -> int | None:
        await self.loop.sleep(self.latency())
        host = self.any_host()
        if host is None:
            return None
        service = call.url.rpartition("/")[2]
        try:
            code, ids = await host.do(lambda: _serve(host, self.channels[service], call), within=call.timeout)
        except TimeoutError:
            return None
        except Unavailable:
            return 503
        self.acknowledged |= ids
        return int(code)

    async def contact_writes(self, place: Place) -> None:
        """The contact of a conversation sends a message."""
        self.counter += 1
        place = self.world.current(place)
        text = f"question {self.counter}"
        match place.service:
            case "sunshine":
                self.written.add(self.world.sandbox.sunshine.contacts.text(place.address, text).id)
            case "telegram":
                self.world.sandbox.telegram.contacts.text(place.address, text)
            case _:
                await self._tell(place, text)

    async def _tell(self, place: Place, text: str) -> None:
        """The keyed service calls until it is heard."""

        def take(host: Host) -> Callable[[], Awaitable[int]]:
            return lambda: ingest(host.context, self.channels["keyed"], [item])

        item = InboundMessage(
            f"message:{text}", place.address, place.address, "K", f"m-{text}", Author.CONTACT, (Text(text),), self.loop.now()
        )
        while True:
            host = self.any_host()
            if host is not None:
                try:
                    await host.do(take(host))
                    self.acknowledged.add(item.message_id)
                    return
                except (Unavailable, TimeoutError):
                    pass
            await self.loop.sleep(5.0)

    async def agent_replies(self, place: Place, *, long: bool = False) -> list[str]:
        """An agent answers on the conversation's ticket. Returns the deliveries' ids, none where it could not be saved."""
        host = self.any_host()
        channel = self.channels[place.service]
        conversation = await self.store.conversation_at(ACCOUNT, channel.id, place.address)
        ticket = self.tickets.get(place, "") if conversation is None else conversation.ticket
        if host is None or not ticket:
            return []
        self.tickets[place] = ticket
        self.counter += 1
        text = f"answer {self.counter}."
        if long:
            text += "".join(f" {self.counter}-{n}" for n in range(900))
        try:
            written = await host.do(
                lambda: reply(host.context, ACCOUNT, ticket, agent=AGENT, actor=f"agent:{AGENT}", contents=[Text(text)], public=True)
            )
        except (Unavailable, TimeoutError):
            return []
        self.saved += written.deliveries
        return list(written.deliveries)

    async def agent_solves(self, place: Place) -> None:
        """An agent closes the case."""
        host = self.any_host()
        conversation = await self.store.conversation_at(ACCOUNT, self.channels[place.service].id, place.address)
        if host is not None and conversation is not None:
            try:
                await host.do(lambda: solve(host.context, ACCOUNT, conversation.ticket, actor=f"agent:{AGENT}"))
            except (Unavailable, TimeoutError, Conflict):
                return

    async def agent_decides(self, delivery: str, decision: str) -> None:
        """A person decides; a decision that does not fit any more is refused."""
        host = self.any_host()
        if host is None:
            return
        try:
            await host.do(lambda: decisions.decide_on(host.context, ACCOUNT, delivery, decision, actor=f"agent:{AGENT}"))
        except (Unavailable, TimeoutError, decide.Refusal):
            return

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """What the store holds. All at once: a statement left open would keep the store's own reads in the past."""
        return self.store._reader.execute(sql, parameters).fetchall()

    def asking(self) -> list[str]:
        """Deliveries that wait for a person."""
        return [id for (id,) in self.rows("SELECT id FROM delivery WHERE state = 'asking' ORDER BY id")]

    # --- the end -----------------------------------------------------------------------------------

    def digest(self) -> str:
        """One hash over the whole run: what was noted, the ledger, the services' journal and what they took."""
        total = self._digest.copy()
        for row in self.rows("SELECT * FROM event ORDER BY seq"):
            total.update(repr(row).encode())
        for arrival in self.world.sandbox.journal._arrivals:
            total.update(repr(arrival).encode())
        for taken in self.world.sandbox.tally.taken():
            total.update(f"{taken.at} {taken.service} {taken.conversation} {taken.message_id} {taken.text}".encode())
        return total.hexdigest()

    async def close(self) -> None:
        """End what still runs."""
        self.loop.horizon = None
        await self.loop.wind_up()
        await self.store.close()


async def _serve(host: Host, channel: Any, call: Callback) -> tuple[int, set[str]]:
    """What the web server does with a webhook call: 2xx only once all of it is durable. Also whose messages that were."""
    connected = await host.context.channels.get(channel.account, channel.id)
    assert connected is not None
    headers = {name.lower(): value for name, value in call.headers.items()}
    request = RawRequest("POST", call.url, {}, headers, call.body)
    try:
        connected.provider.verify(request)
    except BadSignature:
        return 401, set()
    items = connected.provider.parse(request)
    try:
        await ingest(host.context, channel, items)
    except Unavailable:
        return 503, set()
    return 200, {item.message_id for item in items if isinstance(item, InboundMessage)}
