"""Measures several installations of one process in turns, so that what disturbs the machine disturbs them alike."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from bench.contestants.installation import Installation
from bench.payload import Reply, text_of


class Cost(NamedTuple):
    """Of one reply, in seconds: from before the first acceptance to the last record, and of this process's work."""

    seconds: float
    cpu: float


async def seconds_per_reply(installations: Mapping[str, Installation], *, turns: int, per_turn: int) -> dict[str, list[float]]:
    """The same as `costs_per_reply`, of time alone."""
    found = await costs_per_reply(installations, turns=turns, per_turn=per_turn)
    return {name: [cost.seconds for cost in costs] for name, costs in found.items()}


async def costs_per_reply(installations: Mapping[str, Installation], *, turns: int, per_turn: int) -> dict[str, list[Cost]]:
    """One figure for each turn. One turn more is made first, which warms up and does not count."""
    costs: dict[str, list[Cost]] = {name: [] for name in installations}
    for turn in range(turns + 1):
        names = list(installations)
        for name in names if turn % 2 else reversed(names):
            cost = await _cost(installations[name], per_turn, turn)
            if turn:
                costs[name].append(cost)
    return costs


async def _cost(installation: Installation, count: int, turn: int) -> Cost:
    addresses = list(installation.tickets)
    rounds = max(1, count // len(addresses))
    work = [Reply(address, n, text_of(n)) for n in range(turn * rounds + 1, (turn + 1) * rounds + 1) for address in addresses]
    before = installation.bench.recorded
    began, worked = time.perf_counter(), time.process_time()
    await installation.accept(work)
    await installation.bench.until_recorded(before + len(work))
    return Cost((time.perf_counter() - began) / len(work), (time.process_time() - worked) / len(work))
