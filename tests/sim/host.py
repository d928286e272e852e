"""One process of Heliograph: a real Context and Worker whose every way out leads through the simulation."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from heliograph.ports.http import HttpFile, HttpResponse
from heliograph.ports.provider import Provider
from heliograph.ports.store import Changes, Claimed, Room, Unavailable
from heliograph.providers.registry import PROVIDERS
from heliograph.sandbox.in_process import SandboxHttp
from heliograph.sandbox.pulse import changed
from heliograph.sandbox.wire import Park, Reply, Request
from heliograph.services.breaker import Breaker
from heliograph.services.channels import Channels
from heliograph.services.context import Context
from heliograph.services.holds import Holds
from heliograph.services.policies import Policies
from heliograph.storage.sqlite.store import SqliteStore
from heliograph.storage.vault import AesVault
from heliograph.worker.worker import Worker
from tests.sim.keyed import Keyed
from tests.sim.loop import Machine, VirtualLoop
from tests.sim.world import World, sent_to

#: Seconds. Longer than the longest call by far, as `DeliveryLoop` asks for.
LEASE = 60.0
CONCURRENCY = 8
MASTER_KEY = b"k" * 32


class Around(Protocol):
    """What a host needs of the simulation."""

    loop: VirtualLoop
    world: World
    store: SqliteStore
    #: Files outlive processes.
    files: dict[str, bytes]

    def store_fault(self, host: "Host") -> str:
        """ "", "before" or "after": whether the next act on the store fails, and whether it was done all the same."""
        ...

    async def failpoint(self, host: "Host", name: str) -> None:
        """The host is at a named point."""
        ...

    def calling(self, host: "Host", service: str, address: str, timeout: float) -> None:
        """The host hands a message to a service in this moment."""
        ...

    def latency(self) -> float:
        """Seconds on the wire, one way."""
        ...


class Host:
    """A process. `listens`: whether it polls; a bot answers one poller at a time."""

    def __init__(self, sim: Around, name: str, seed: str, *, listens: bool) -> None:
        self.sim = sim
        self.name = name
        self.machine = Machine(name)
        self.rng = random.Random(seed)
        self.store = HostStore(self)
        http = HostHttp(self)

        def make(provider: str, fields: Mapping[str, str]) -> Provider:
            kinds: dict[str, Any] = {**PROVIDERS, "keyed": Keyed}
            made: Provider = kinds[provider](fields, http)
            return made

        async def failpoint(point: str) -> None:
            await sim.failpoint(self, point)

        store: Any = self.store
        breaker = Breaker()
        self.observed: list[tuple[str, dict[str, Any]]] = []
        self.context = Context(
            store, HostClock(sim.loop), HostRng(self.rng), Channels(store, make, AesVault(MASTER_KEY)), MemoryFiles(sim.files), failpoint,
            self._observe, Policies(store, breaker), breaker,
        )  # fmt: skip
        self.holds = Holds()
        self.store.on_committed = self.holds.noticed
        self.worker = Worker(self.context, self.holds, name=name, concurrency=CONCURRENCY, lease=LEASE, listens=listens)

    @property
    def running(self) -> bool:
        """Neither dead nor stalled."""
        return not self.machine.dead and self.machine.stalled_until <= self.sim.loop.time()

    def start(self) -> None:
        """All loops."""
        self.machine.vars.run(self.worker.start)

    async def do(self, work: Callable[[], Awaitable[Any]], *, within: float = 20.0) -> Any:
        """Have it done in this process, as its web server would. Raises what it raises; TimeoutError where no answer comes."""
        loop = self.sim.loop
        if self.machine.dead:
            raise TimeoutError

        async def run() -> Any:
            return await work()

        task = loop.create_task(run(), context=self.machine.vars.copy())
        timer = loop.neutral(loop.sleep(within))
        await asyncio.wait([task, timer], return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        if task.done():
            return task.result()
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        raise TimeoutError

    def _observe(self, name: str, fields: Mapping[str, Any]) -> None:
        if name.endswith("_bug"):
            self.observed.append((name, dict(fields)))


class HostClock:
    """The time, and pauses of the program's own, which may be skipped."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> int:
        return self._loop.now()

    async def sleep(self, seconds: float) -> None:
        await self._loop.doze(seconds)


class HostRng:
    """Seeded chance."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def bits(self) -> int:
        return self._rng.getrandbits(40)

    def jitter(self) -> float:
        return self._rng.random()


class MemoryFiles:
    """Files that survive every process."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    async def put(self, key: str, data: bytes) -> None:
        self._files[key] = data

    async def get(self, key: str) -> bytes:
        return self._files[key]


class HostStore:
    """The store as one process sees it: it fails when told to, and an act under way goes on without the process."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.on_touched: Callable[[], None] | None = None
        self.on_committed: Callable[[Changes], None] | None = None

    def __getattr__(self, name: str) -> Any:
        read = getattr(self._host.sim.store, name)

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if self._host.sim.store_fault(self._host) == "down":
                raise Unavailable("simulated")
            return await read(*args, **kwargs)

        return guarded

    async def _act(self, act: Callable[[], Any]) -> Any:
        fault = self._host.sim.store_fault(self._host)
        if fault in ("before", "down"):
            raise Unavailable("simulated")
        result = await self._host.sim.loop.neutral(act())
        if fault == "after":
            raise Unavailable("simulated: the result is unknown")
        return result

    async def commit(self, changes: Changes) -> None:
        await self._act(lambda: self._host.sim.store.commit(changes))
        if self.on_committed is not None:
            self.on_committed(changes)

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        await self._act(lambda: self._host.sim.store.commit_all(acts))
        if self.on_committed is not None:
            for changes in acts:
                self.on_committed(changes)

    async def commit_and_claim(self, changes: Changes, *, worker: str, lease_until: int) -> Claimed | None:
        store = self._host.sim.store
        claimed: Claimed | None = await self._act(lambda: store.commit_and_claim(changes, worker=worker, lease_until=lease_until))
        if self.on_committed is not None:
            self.on_committed(changes)
        return claimed

    async def claim(self, *, worker: str, now: int, lease_until: int, limit: int, room: Room | None = None) -> list[Claimed]:
        store = self._host.sim.store
        act = partial(store.claim, worker=worker, now=now, lease_until=lease_until, limit=limit, room=room)
        claimed: list[Claimed] = await self._act(act)
        return claimed

    async def expire(self, *, now: int) -> Any:
        return await self._act(lambda: self._host.sim.store.expire(now=now))

    async def extend(self, *, worker: str, now: int, lease_until: int) -> None:
        await self._act(lambda: self._host.sim.store.extend(worker=worker, now=now, lease_until=lease_until))


class HostHttp:
    """The network: what was sent arrives even if the sender is no more."""

    def __init__(self, host: Host) -> None:
        self._host = host
        sim = host.sim
        world: Any = sim.world
        self._inner = SandboxHttp(world, sleep=sim.loop.sleep, start=sim.loop.neutral)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (),
        timeout: float,
        max_bytes: int = 1_048_576,
    ) -> HttpResponse:
        """See ports.http."""
        sim = self._host.sim
        path = urlsplit(url).path
        place = sent_to(method, path, body, dict(form) if form else None)
        if place is not None:
            sim.calling(self._host, place.service, place.address, timeout)
        if path.endswith("/getUpdates"):
            return await sim.loop.neutral(self._poll(path, headers, body))
        there, back = sim.latency(), sim.latency()

        async def exchange() -> HttpResponse:
            await sim.loop.sleep(there)
            answer = await self._inner.request(
                method, url, headers=headers, body=body, form=form, files=files, timeout=timeout - there - back, max_bytes=max_bytes
            )
            await sim.loop.sleep(back)
            return answer

        answered: HttpResponse = await sim.loop.neutral(exchange())
        return answered

    async def _poll(self, path: str, headers: Mapping[str, str], body: bytes | None) -> HttpResponse:
        """A long poll, whose waiting may be skipped."""
        sim = self._host.sim
        outcome = sim.world.handle(Request("POST", path, {}, {**headers, "host": "world.invalid"}, body or b""))
        if isinstance(outcome, Park):
            while isinstance(outcome, Park):
                await changed(sim.world.sandbox, sim.loop.doze, max(0.0, (outcome.until - sim.loop.now()) / 1e6))
                outcome = outcome.again()
            if isinstance(outcome, Reply):
                return HttpResponse(outcome.response.code, outcome.response.headers, outcome.response.body)
        return await self._inner._answer(outcome, 20.0, 16_777_216)
