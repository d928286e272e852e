"""Directed runs: one fault each, placed where a planted bug shows, or where a crash is worst."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from heliograph.sandbox.faults import Mode
from heliograph.services import staleness
from tests.sim.healing import heal
from tests.sim.host import Host
from tests.sim.simulation import ACCOUNT, Failing, Simulation
from tests.sim.swarm import fast_folder
from tests.sim.world import Place

Scenario = Callable[[Simulation], Awaitable[None]]


def once(point: str, action: "str | float", *, after: int = 0) -> Failing:
    """Fail at a point, one time, having let `after` pass."""
    left = [after, 1]

    def failing(host: Host, name: str) -> "str | float":
        if name != point or left[1] == 0:
            return 0.0
        if left[0] > 0:
            left[0] -= 1
            return 0.0
        left[1] = 0
        return action

    return failing


def place(sim: Simulation, service: str, number: int = 0) -> Place:
    """A conversation."""
    return [place for place in sim.world.places if place.service == service][number]


async def open_all(sim: Simulation) -> None:
    """Every contact has written."""
    for each in sim.world.places:
        await sim.contact_writes(each)
    await sim.loop.sleep(10.0)


async def replies(sim: Simulation, where: Place, number: int = 3) -> None:
    """An agent answers several times in a row."""
    for _ in range(number):
        await sim.agent_replies(where)


def lost(service: str, mode: Mode) -> Scenario:
    """One request or answer is lost."""

    async def scenario(sim: Simulation) -> None:
        if service == "sunshine":
            # The echo of a message is proof, and comes first.
            sim.world.fault("sunshine", Mode.WEBHOOK_LATE, delay=120.0)
        sim.world.fault(service, mode, operation="send", count=1, delay=25.0)
        await replies(sim, place(sim, service))
        await sim.loop.sleep(300.0)

    return scenario


async def revoked(sim: Simulation) -> None:
    """Keys are revoked, replies are written, keys are restored."""
    for service in ("sunshine", "telegram", "keyed"):
        sim.world.fault(service, Mode.REVOKED)
    for service in ("sunshine", "telegram", "keyed"):
        await replies(sim, place(sim, service), 4)
    await sim.loop.sleep(400.0)


async def merged_while_waiting(sim: Simulation) -> None:
    """Replies to two contacts wait on one hold, in turns, when the contacts turn out to be one; agents go on on both tickets."""
    gone, kept = place(sim, "sunshine", 0), place(sim, "sunshine", 1)
    off = sim.world.fault("sunshine", Mode.REVOKED)
    for each in (kept, gone, gone, kept, gone, kept):
        await replies(sim, each, 1)
        await sim.loop.sleep(1.0)
    sim.world.merge(gone, kept)
    await sim.loop.sleep(20.0)
    for each in (gone, kept, gone):
        await replies(sim, each, 1)
    off()
    await sim.loop.sleep(400.0)


def failing_at(point: str, action: "str | float", *, after: int = 0) -> Scenario:
    """A process fails at a point while all services are in use."""

    async def scenario(sim: Simulation) -> None:
        sim.failing = once(point, action, after=after)
        for service in ("sunshine", "telegram", "keyed"):
            await replies(sim, place(sim, service))
            await sim.contact_writes(place(sim, service))
        await sim.loop.sleep(500.0)

    return scenario


async def overslept(sim: Simulation) -> None:
    """A process sleeps through its lease just before it calls; another one takes over, and then it wakes."""
    sim.failing = once("deliver:before_call", 100.0)
    await replies(sim, place(sim, "sunshine"))
    await replies(sim, place(sim, "keyed"))
    await sim.loop.sleep(300.0)


async def woken_in_the_middle(sim: Simulation) -> None:
    """A process wakes with an answer while another one, which took its lane over, is in the middle of a slow call."""
    sim.failing = once("deliver:before_record", 66.0)
    await replies(sim, place(sim, "sunshine"), 4)
    await sim.loop.sleep(30.0)
    sim.world.fault("sunshine", Mode.SLOW, operation="send", delay=9.0)
    await sim.loop.sleep(120.0)


async def receipts_late(sim: Simulation) -> None:
    """ "Sent" arrives after "delivered", and once more."""
    sim.world.fault("sunshine", Mode.WEBHOOK_LATE, operation="conversation:message:delivery:channel", delay=40.0)
    await replies(sim, place(sim, "sunshine"))
    await sim.loop.sleep(100.0)


async def webhooks_twice(sim: Simulation) -> None:
    """Every webhook call is made twice."""
    sim.world.fault("sunshine", Mode.WEBHOOK_DUPLICATED)
    await sim.contact_writes(place(sim, "sunshine"))
    await replies(sim, place(sim, "sunshine"))
    await sim.loop.sleep(100.0)


async def longer_than_the_key(sim: Simulation) -> None:
    """An answer is lost, and the service stays away for longer than it remembers keys, and the account asks about no reply for its age."""
    host = sim.hosts[0]
    await host.do(lambda: staleness.set_limit(host.context, ACCOUNT, 7 * 86_400))
    sim.world.fault("keyed", Mode.ANSWER_LOST, operation="send", count=1)
    await replies(sim, place(sim, "keyed"), 1)
    await sim.loop.sleep(0.2)
    off = sim.world.fault("keyed", Mode.DOWN)
    await sim.loop.sleep(25 * 3600.0)
    off()
    await sim.loop.sleep(600.0)


async def held_meanwhile(sim: Simulation) -> None:
    """One process is stopped between claim and call; meanwhile another one learns that the credentials are refused."""
    sim.failing = once("deliver:before_call", 15.0)
    await sim.agent_replies(place(sim, "sunshine", 0))
    await sim.loop.sleep(1.0)
    sim.world.fault("sunshine", Mode.REVOKED)
    await sim.agent_replies(place(sim, "sunshine", 1))
    await sim.loop.sleep(60.0)


async def missed(sim: Simulation) -> None:
    """A contact writes while no process is there; when one is, the provider is not, and its own repeats are lost."""
    sim.downtime = lambda: 100.0
    sim.world.fault("sunshine", Mode.WEBHOOK_LOST)
    sim.kill(sim.hosts[0], "directed")
    await sim.contact_writes(place(sim, "sunshine"))
    await sim.loop.sleep(90.0)
    off = sim.world.fault("sunshine", Mode.DOWN)
    await sim.loop.sleep(100.0)
    off()
    await sim.loop.sleep(60.0)
    known = {id for (id,) in sim.rows("SELECT provider_id FROM comment WHERE author_kind = 'contact'")}
    if not sim.written <= known:
        sim.violated(f"I8 {len(sim.written - known)} messages were missed and never asked for")


async def told_by_another(sim: Simulation) -> None:
    """Credentials are refused and restored under several processes: whoever noted the hold must not remember it for ever."""
    off = sim.world.fault("sunshine", Mode.REVOKED)
    await replies(sim, place(sim, "sunshine", 0))
    await replies(sim, place(sim, "sunshine", 1))
    await sim.loop.sleep(100.0)
    off()
    await sim.loop.sleep(60.0)
    for number in range(20):
        await replies(sim, place(sim, "sunshine", number % 2), 1)
        await sim.loop.sleep(5.0)
    [(wasted,)] = sim.rows("SELECT count(*) FROM event WHERE kind = 'attempt_deferred' AND data LIKE '%not_started%'")
    if wasted > 4:
        sim.violated(f"{wasted} attempts were begun and not made")


async def refused_though_probed(sim: Simulation) -> None:
    """Sending is refused for ten minutes while every probe passes, as it is when permission is missing or a bill is unpaid."""
    for service in ("sunshine", "telegram", "keyed"):
        sim.world.fault(service, Mode.REVOKED, operation="send")
        for number in range(2):
            await replies(sim, place(sim, service, number))
    await _sparing(sim, 600.0, 30)


def handed_back(code: str, calls: int) -> Scenario:
    """For half an hour everything is accepted and then handed back by receipt; at most so many `calls` a channel may be spent on it."""

    async def scenario(sim: Simulation) -> None:
        sim.world.fault("sunshine", Mode.RECEIPT_FAILURE, error_code=code)
        for number in range(2):
            await replies(sim, place(sim, "sunshine", number))
        await _sparing(sim, 1800.0, calls)

    return scenario


async def _sparing(sim: Simulation, seconds: float, calls: int) -> None:
    names = {channel.id: name for name, channel in sim.channels.items()}
    for _ in range(int(seconds / 10.0)):
        await sim.loop.sleep(10.0)
        for channel, made in sim.rows("SELECT channel, count(*) FROM event WHERE kind = 'attempt_started' GROUP BY channel"):
            if made > calls:
                sim.violated(f"hold: {made} attempts were made on {names[channel]}, which was never well")
                return


async def store_away(sim: Simulation) -> None:
    """The store is not there for a minute, for nobody."""
    until = sim.loop.time() + 60.0
    sim.storing = lambda host: "down" if sim.loop.time() < until else ""
    for service in ("sunshine", "telegram", "keyed"):
        await sim.contact_writes(place(sim, service))
    await sim.loop.sleep(120.0)


def store_fails(number: int, how: str) -> Scenario:
    """One act on the store fails: it was not done ("before"), or it was and nobody knows ("after")."""

    async def scenario(sim: Simulation) -> None:
        acts = [0]

        def storing(host: Host) -> str:
            acts[0] += 1
            return how if acts[0] == number else ""

        sim.storing = storing
        sim.world.fault("sunshine", Mode.ANSWER_LOST, operation="send", count=1)
        for service in ("sunshine", "telegram", "keyed"):
            await replies(sim, place(sim, service), 2)
        await sim.loop.sleep(200.0)

    return scenario


def live(scenario: Scenario, *, hosts: int = 1, seed: str = "directed") -> Simulation:
    """Run one, heal, judge; the simulation is closed and says what was violated."""
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        sim = Simulation(seed, Path(folder), hosts=hosts, each=2)

        async def decide_all() -> None:
            for delivery in sim.asking():
                await sim.agent_decides(delivery, "mark_sent")

        async def life() -> None:
            await sim.open()
            await open_all(sim)
            await scenario(sim)
            await heal(sim, decide_all)
            await sim.close()

        try:
            sim.loop.run_until_complete(life())
        finally:
            sim.loop.close()
    return sim
