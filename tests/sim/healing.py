"""No more faults and no more traffic: everything must come to its end by itself, or by an answer to a question."""

from collections.abc import Awaitable, Callable

from tests.sim.judge import judge
from tests.sim.simulation import Simulation

#: Seconds to get well in: lease, settle time and the longest backoff, with room.
CONVALESCENCE = 1800.0
#: The least that is waited, for what comes late.
PEACE = 500.0
OPEN = "SELECT 1 FROM delivery WHERE state IN ('queued', 'sending', 'unknown', 'asking') LIMIT 1"


async def heal(sim: Simulation, decide_all: Callable[[], Awaitable[None]]) -> None:
    """Mend the world, let agents answer what they are asked, and have everything judged."""
    sim.world.heal()
    sim.failing, sim.storing = (lambda host, name: 0.0), (lambda host: "")
    sim.note("healed")
    healed = sim.loop.time()
    while sim.loop.time() - healed < CONVALESCENCE:
        await sim.loop.sleep(60.0)
        await decide_all()
        if not sim.rows(OPEN) and not sim.world.unread() and sim.loop.time() - healed > PEACE:
            break
    await sim.loop.sleep(30.0)
    await judge(sim, final=True)
