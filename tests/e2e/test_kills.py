"""kill -9 at every named failpoint, and at moments that nobody chose: after the restart nothing is lost, doubled or overtaken."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from heliograph.bootstrap.failpoints import NAMES
from tests.e2e import ledger
from tests.e2e.processes import Desk

CONVERSATIONS, EACH = 12, 10
KILLED = -9
#: Which pass of each failpoint kills: in the middle of the work, or at the first where there are few.
HITS = {name: 1 if name.split(":")[0] in ("settle", "expire") else 3 if name.startswith("probe") else 25 for name in NAMES} | {
    "ingest:before_commit": 5,
    "ingest:after_commit": 5,
}


#: Other processes may hold what a dead one held on PostgreSQL, so its lanes wait for their leases: for the shortest that there is.
LEASE = {"HELIOGRAPH_LEASE_SECONDS": "15"}
#: Seconds for that, for the sweeper's own lease where it was the sweeper that died, and for the work itself.
WAITING = 90.0


@asynccontextmanager
async def supervised(desk: Desk, plan: list[str]) -> AsyncIterator[list[str]]:
    """Start it with the first failpoint of the plan, and again with the next whenever it was killed.

    Yields those that struck, once it runs for the first time: a webhook that finds nobody is repeated after many seconds.
    """
    struck: list[str] = []
    runs = asyncio.Event()

    async def watch() -> None:
        for point in [*plan, ""]:
            child = await desk.start(**LEASE, **({"HELIOGRAPH_FAILPOINT": point, "HELIOGRAPH_TESTING": "1"} if point else {}))
            runs.set()
            if not point:
                return
            assert await child.process.wait() == KILLED, child.text()
            struck.append(point)

    task = asyncio.create_task(watch())
    waiting = asyncio.create_task(runs.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert runs.is_set(), task.exception()
        yield struck
        done, _ = await asyncio.wait([task], timeout=5)
        assert done, f"never reached: {plan[len(struck) :]}"
        await task
    finally:
        task.cancel()
        waiting.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)


#: These run every time; all of them on both engines with KILLS=all, as the CI does.
DIRECTED = {"sqlite": ("reply:after_commit", "deliver:after_call", "settle:before_commit"), "postgres": ("deliver:after_call",)}
ALL = os.environ.get("KILLS") == "all"
#: Those of a desk beside ours are passed where there is one (test_zendesk).
OURS = [name for name in NAMES if not name.startswith("desk_")]
CASES = [(engine, point) for engine, directed in DIRECTED.items() for point in (OURS if ALL else directed)]
ENGINES = list(DIRECTED) if ALL else ["sqlite"]


@pytest.mark.parametrize(("desk", "point"), CASES, indirect=["desk"])
async def test_a_death_at_a_failpoint_is_survived(desk: Desk, point: str) -> None:
    total = CONVERSATIONS * EACH
    # An interrupted attempt is only found after a death in the middle of one.
    plan = ["deliver:after_call:25"] if point.startswith("expire") else []
    async with supervised(desk, [*plan, f"{point}:{HITS[point]}"]) as struck:
        # Some answers are lost, so that there is something to look up and to probe for.
        await desk.remote.ask("POST", "faults", {"service": "sunshine", "mode": "answer_lost", "operation": "send", "count": 4})
        await desk.contacts(CONVERSATIONS)
        if point.startswith("settle"):
            # Nor does an echo come that would prove them without a look-up.
            await desk.remote.ask("POST", "faults", {"service": "sunshine", "mode": "webhook_lost"})

        async def agent(conversation: str) -> None:
            for n in range(EACH):
                await desk.reply(conversation, f"Reply {n} to {conversation}", order=n)

        await asyncio.gather(*(agent(conversation) for conversation in desk.tickets))
        await desk.settled(total, seconds=WAITING)
    assert struck == [*plan, f"{point}:{HITS[point]}"], "the failpoint was never reached"
    await judged(desk, total)


@pytest.mark.parametrize("desk", ENGINES, indirect=True)
async def test_deaths_at_any_moment_are_survived(desk: Desk) -> None:
    total = CONVERSATIONS * EACH
    await desk.start(**LEASE)
    await desk.contacts(CONVERSATIONS)

    async def agent(conversation: str) -> None:
        for n in range(EACH):
            await desk.reply(conversation, f"Reply {n} to {conversation}", order=n)

    async def trouble() -> None:
        # On PostgreSQL each death costs a lease.
        for accepted in (10, 70) if desk.database else (10, 40, 70):
            await desk.remote.until(accepted=accepted)
            assert desk.child is not None
            desk.child.kill()
            await desk.child.process.wait()
            await desk.start(**LEASE)

    await asyncio.gather(trouble(), *(agent(conversation) for conversation in desk.tickets))
    await desk.settled(total, seconds=WAITING)
    await judged(desk, total)


async def judged(desk: Desk, total: int) -> None:
    """Both sides agree: the sandbox's judge, and the ledger with its rows."""
    verdict = await desk.remote.ask("POST", "final")
    assert desk.child is not None and await desk.child.stop() == 0
    assert {name: verdict[name] for name in ("written", "delivered", "lost", "doubled", "overtaken", "unexpected")} == {
        "written": total, "delivered": total, "lost": 0, "doubled": 0, "overtaken": 0, "unexpected": 0,
    }  # fmt: skip
    async with ledger.opened(desk) as store:
        states = await ledger.states(store)
        assert set(states) <= {"accepted", "delivered", "read"} and sum(states.values()) == total
        assert await ledger.one(store, "SELECT count(*) FROM ticket") == CONVERSATIONS
