"""The simulation itself: the same seed is the same run, in any process; dead is dead; and a few seeds as a foretaste of `make sim`."""

import asyncio
import os
import subprocess
import sys

import pytest

from tests.sim.loop import OWNER, Machine, VirtualLoop
from tests.sim.swarm import run

SAY = "from tests.sim.swarm import run; print(run('7', 1.5).digest)"


def test_the_same_seed_is_the_same_run_whatever_hashes_strings() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", SAY], env={**os.environ, "PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True
        ).stdout
        for salt in ("1", "2")
    }
    assert said == {run("7", 1.5).digest + "\n"}
    assert said != {run("8", 1.5).digest + "\n"}


@pytest.mark.parametrize("seed", ["3", "6", "11"])
def test_a_seed_holds_the_promise(seed: str) -> None:
    outcome = run(seed, 8.0)
    assert outcome.violations == [], outcome.mix


def test_a_dead_machine_runs_nothing_any_more_and_a_stalled_one_later() -> None:
    loop = VirtualLoop("x")
    trace: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.sleep(1.0)
            trace.append(f"{name} {loop.time():.1f}")
        finally:
            trace.append(f"{name} over")

    async def life() -> None:
        dead, slow = Machine("dead"), Machine("slow")
        dead_task = loop.create_task(work("dead"), context=dead.vars.copy())
        slow_task = loop.create_task(work("slow"), context=slow.vars.copy())
        await loop.sleep(0.5)
        loop.kill(dead)
        loop.stall(slow, 10.0)
        await loop.sleep(60.0)
        assert trace == ["slow 10.5", "slow over"]
        assert OWNER.get() is None
        assert not dead_task.done()
        assert slow_task.done()
        await loop.wind_up()

    loop.run_until_complete(life())
    loop.close()
