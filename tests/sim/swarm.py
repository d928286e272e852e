"""Each seed draws its own mix of faults and traffic, lives through it, is healed and then judged."""

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliograph.domain.decide import Standing
from heliograph.sandbox.faults import Mode
from tests.sim.healing import heal
from tests.sim.host import Host
from tests.sim.judge import judge, summary
from tests.sim.simulation import Simulation
from tests.sim.world import SERVICES, Place

HOUR = 3600.0
POINTS = (
    "deliver:after_claim", "deliver:before_call", "deliver:after_call", "deliver:before_record", "deliver:after_record",
    "settle:before_commit", "settle:after_commit", "expire:before_commit", "ingest:before_commit", "ingest:after_commit",
    "reply:before_commit", "reply:after_commit", "probe:before_commit",
)  # fmt: skip
EVERYWHERE = (
    Mode.REVOKED, Mode.NOT_PERMITTED, Mode.RATE_LIMITED, Mode.ERROR_NOT_TAKEN, Mode.ERROR_TAKEN, Mode.ANSWER_LOST, Mode.REQUEST_LOST,
    Mode.SLOW, Mode.TAKEN_LATE, Mode.DRIP, Mode.GARBAGE, Mode.TRUNCATED, Mode.DOWN,
)  # fmt: skip
ONLY_SUNSHINE = (
    Mode.RECEIPT_FAILURE, Mode.WEBHOOK_DUPLICATED, Mode.WEBHOOK_REORDERED, Mode.WEBHOOK_LATE, Mode.WEBHOOK_HELD, Mode.WEBHOOK_LOST,
    Mode.BOT_OWNS,
)  # fmt: skip
RECEIPTS = ("service_unavailable", "too_many_requests", "bad_request", "uncategorized_error", "forbidden")
#: A provider takes a message at most so late (seconds); the settle times are made for that.
LATEST = 25.0


@dataclass(slots=True)
class Mix:
    """What one seed suffers from."""

    hosts: int
    standing: str
    sessions_per_day: float
    storms_per_day: float
    kills_per_day: float
    stalls_per_day: float
    #: Points where hosts fail, with the chance that they do.
    points: dict[str, float]
    store_fails: float
    store_outages_per_day: float
    modes: list[Mode]
    long_outage: bool
    slow_wire: float
    merges_per_day: float
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        points = ",".join(f"{name}:{chance:.2f}" for name, chance in self.points.items()) or "-"
        return (
            f"hosts={self.hosts} standing={self.standing} sessions/d={self.sessions_per_day:.0f} storms/d={self.storms_per_day:.0f} "
            f"kills/d={self.kills_per_day:.0f} stalls/d={self.stalls_per_day:.0f} points={points} store={self.store_fails:.3f}"
            f"+{self.store_outages_per_day:.0f}/d long_outage={self.long_outage} wire={self.slow_wire} "
            f"merges/d={self.merges_per_day:.0f} modes={','.join(self.modes)}"
        )


def draw(seed: str) -> Mix:
    """The mix of a seed."""
    chance = random.Random(f"{seed}/mix")
    modes = [*EVERYWHERE, *ONLY_SUNSHINE]
    return Mix(
        hosts=chance.choice((1, 1, 2, 3)),
        standing=chance.choice((Standing.ASK, Standing.ASK, Standing.RISK_DUPLICATE, Standing.MOVE_ON)),
        sessions_per_day=chance.uniform(10, 60),
        storms_per_day=chance.uniform(2, 16),
        kills_per_day=chance.choice((0, 0, 4, 20)),
        stalls_per_day=chance.choice((0, 0, 4, 20)),
        points={name: chance.uniform(0.005, 0.01 if name.startswith("probe") else 0.1) for name in POINTS if chance.random() < 0.25},
        store_fails=chance.choice((0.0, 0.0, 0.005, 0.03)),
        store_outages_per_day=chance.choice((0, 0, 3)),
        modes=sorted(chance.sample(modes, chance.randint(3, len(modes)))),
        long_outage=chance.random() < 0.2,
        slow_wire=chance.choice((0.02, 0.1, 1.0)),
        merges_per_day=chance.choice((0, 2, 8)),
    )


class Swarm:
    """One seed's life."""

    def __init__(self, sim: Simulation, mix: Mix, seed: str, hours: float) -> None:
        self.sim = sim
        self.mix = mix
        self._chance = random.Random(f"{seed}/swarm")
        self._end = hours * HOUR
        self._store_down_until = 0.0
        self._tasks: list[asyncio.Task[Any]] = []
        self.storms = self.merges = 0
        sim.downtime = lambda: self._chance.choice((0.2, 3.0, 30.0, 120.0))
        sim.slow_wire = mix.slow_wire

    # --- what goes wrong ---------------------------------------------------------------------------

    def _fails(self, host: Host, name: str) -> "str | float":
        if self._chance.random() >= self.mix.points.get(name, 0.0):
            return 0.0
        return "kill" if self._chance.random() < 0.5 else self._pause()

    def _pause(self) -> float:
        return self._chance.choice((self._chance.uniform(0.1, 5), self._chance.uniform(5, 60), self._chance.uniform(60, 400)))

    def _stores(self, host: Host) -> str:
        if self.sim.loop.time() < self._store_down_until:
            return "down"
        if self.mix.store_fails and self._chance.random() < self.mix.store_fails:
            return self._chance.choice(("before", "after"))
        return ""

    async def _kill(self) -> None:
        host = self.sim.any_host()
        if host is not None:
            self.sim.kill(host, "random")

    async def _stall(self) -> None:
        host = self.sim.any_host()
        if host is not None:
            self.sim.stall(host, self._pause(), "random")

    async def _store_outage(self) -> None:
        self._store_down_until = self.sim.loop.time() + self._chance.uniform(1, 90)

    async def _storm(self) -> None:
        """Some faults at one service for a while, and people who write meanwhile."""
        self.storms += 1
        service = self._chance.choice(SERVICES)
        wanted = [m for m in self.mix.modes if service == "sunshine" or m in EVERYWHERE]
        if not wanted:
            return
        seconds = self._chance.choice((30.0, 30.0, 30.0, 30.0, 600.0, 600.0, 600.0, 7200.0))
        off = [self._fault(service, mode) for mode in self._chance.sample(wanted, min(len(wanted), self._chance.randint(1, 2)))]
        self._later(self._bursts(service, seconds))
        if service == "sunshine" and self.mix.merges_per_day:
            self._later(self._merge())
        await self.sim.loop.sleep(seconds)
        for clear in off:
            clear()

    def _fault(self, service: str, mode: Mode) -> Callable[[], None]:
        whole = mode in (Mode.DOWN, Mode.BOT_OWNS)
        c = self._chance
        probability = 1.0 if whole else c.choice((0.1, 0.3, 0.7, 1.0))
        if mode is Mode.RECEIPT_FAILURE:
            probability = c.choice((0.1, 0.3))
        webhooks = mode.value.startswith("webhook")
        delay = c.uniform(1, LATEST) if not webhooks else c.choice((5.0, 300.0, 7200.0))
        self.sim.note(f"storm {service} {mode} {probability}")
        return self.sim.world.fault(
            service, mode, probability=probability, operation="*" if whole or webhooks else c.choice(("*", "send")), delay=delay,
            retry_after=c.choice((None, 1, 5, 60)), error_code=c.choice(RECEIPTS), code=c.choice((None, 503)) if "error" in mode else None,
        )  # fmt: skip

    async def _long_outage(self) -> None:
        """Longer than any key lives."""
        await self.sim.loop.sleep(self._chance.uniform(0, max(self._end - 32 * HOUR, 0.0)))
        service = self._chance.choice(("keyed", "keyed", "sunshine", "telegram"))
        place = self._chance.choice([p for p in self.sim.world.places if p.service == service])
        off = self.sim.world.fault(service, Mode.ANSWER_LOST, operation="send")
        self._later(self._session(place))
        await self.sim.loop.sleep(self._chance.uniform(5, 400))
        off()
        off = self.sim.world.fault(service, self._chance.choice((Mode.DOWN, Mode.REVOKED)))
        await self.sim.loop.sleep(30 * HOUR)
        off()

    # --- people ------------------------------------------------------------------------------------

    async def _bursts(self, service: str, seconds: float) -> None:
        places = [place for place in self.sim.world.places if place.service == service]
        for _ in range(self._chance.randint(1, 4)):
            self._later(self._session(self._chance.choice(places)))
            await self.sim.loop.sleep(self._chance.uniform(0.0, min(seconds, 600.0) / 3))

    async def _session(self, place: Place) -> None:
        """A contact writes, an agent answers, sometimes several times, sometimes thinks better of it."""
        sim, c = self.sim, self._chance
        await sim.contact_writes(place)
        await sim.loop.sleep(c.uniform(1.0, 20.0))
        for _ in range(c.choice((1, 1, 2, 3, 5))):
            made = await sim.agent_replies(place, long=c.random() < 0.05)
            await sim.loop.sleep(c.choice((0.0, 0.05, 2.0, 40.0)))
            if made and c.random() < 0.04:
                await sim.agent_decides(made[-1], "cancel")
        if c.random() < 0.2:
            await sim.agent_solves(place)

    async def _some_session(self) -> None:
        await self._session(self._chance.choice(self.sim.world.places))

    async def _contact_reads(self) -> None:
        place = self._chance.choice([place for place in self.sim.world.places if place.service == "sunshine"])
        self.sim.world.sandbox.sunshine.contacts.read(place.address)

    async def _merge(self) -> None:
        """Two contacts turn out to be one, mostly while replies to both wait."""
        sim, c = self.sim, self._chance
        gone, kept = c.sample([place for place in sim.world.places if place.service == "sunshine"], 2)
        for place in (gone, kept, gone):
            self._later(self._session(place))
        await sim.loop.sleep(c.choice((0.5, 21.0, 30.0)))
        if gone in sim.world.places and kept in sim.world.places:
            sim.note(f"merge of {gone.address} into {kept.address}")
            sim.world.merge(gone, kept)
            self.merges += 1

    async def decide_all(self) -> None:
        """Agents answer the questions that wait, as they see fit; both ways may be wrong, and both are on record."""
        for delivery in self.sim.asking():
            await self.sim.agent_decides(delivery, self._chance.choice(("resend", "mark_sent", "cancel")))

    # --- life --------------------------------------------------------------------------------------

    def _later(self, work: Any) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(self.sim.loop.neutral(work))

    async def _now_and_then(self, per_day: float, what: Callable[[], Awaitable[None]]) -> None:
        if per_day <= 0:
            return
        while True:
            await self.sim.loop.sleep(self._chance.expovariate(per_day / (24 * HOUR)))
            self._later(what())

    async def live(self) -> None:
        """Faults and traffic until the end, then peace, then the verdict."""
        sim, mix = self.sim, self.mix
        sim.failing, sim.storing = self._fails, self._stores
        rates: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (mix.sessions_per_day, self._some_session), (mix.storms_per_day, self._storm), (mix.kills_per_day, self._kill),
            (mix.stalls_per_day, self._stall), (mix.store_outages_per_day, self._store_outage), (30, self._contact_reads),
            (60, self.decide_all), (mix.merges_per_day, self._merge),
        ]  # fmt: skip
        running = [sim.loop.neutral(self._now_and_then(rate, what)) for rate, what in rates]
        if mix.long_outage and self._end > 31 * HOUR:
            running.append(sim.loop.neutral(self._long_outage()))
        part = self._end / 4
        for number in range(4):
            await sim.loop.sleep(max(0.0, part * (number + 1) - sim.loop.time()))
            await judge(sim, final=False)
            if sim.violations:
                return
        for task in [*running, *self._tasks]:
            task.cancel()
        await heal(sim, self.decide_all)


@dataclass(slots=True)
class Outcome:
    """What became of a seed."""

    seed: str
    mix: str
    hours: float
    digest: str
    violations: list[str]
    log: list[str]
    figures: dict[str, Any]


def run(seed: str, hours: float, *, mix: Mix | None = None) -> Outcome:
    """Live through one seed."""
    drawn = mix or draw(seed)
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        sim = Simulation(seed, Path(folder), hosts=drawn.hosts, standing=drawn.standing)
        swarm = Swarm(sim, drawn, seed, hours)

        async def life() -> Outcome:
            await sim.open()
            await swarm.live()
            figures = summary(sim) | {"storms": swarm.storms, "merges": swarm.merges, "calls": sim.watch.calls}
            outcome = Outcome(seed, str(drawn), sim.loop.time() / HOUR, sim.digest(), list(sim.violations), list(sim.log), figures)
            await sim.close()
            return outcome

        try:
            return sim.loop.run_until_complete(life())
        finally:
            sim.loop.close()


def fast_folder() -> str | None:
    """Where files need not last: in memory, if there is such a folder."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None
