"""Writes replies at a steady rate and says how long each took from being durable to its arrival at the provider."""

import asyncio
import time
from collections.abc import Iterable, Sequence

from bench.contestants.installation import Installation
from bench.payload import Reply
from bench.provider_control import arrivals


async def write_steadily(installation: Installation, work: Iterable[Reply], *, per_second: float) -> dict[tuple[str, int], int]:
    """When each (conversation, sequence) was durable, in monotonic nanoseconds. Ends when `work` does and all is durable."""
    accepted: dict[tuple[str, int], int] = {}

    async def write(one: Reply) -> None:
        await installation.accept_one(one)
        accepted[(one.conversation, one.sequence)] = time.monotonic_ns()

    begin = time.monotonic()
    tasks = []
    for number, one in enumerate(work):
        await asyncio.sleep(max(0.0, begin + number / per_second - time.monotonic()))
        tasks.append(asyncio.create_task(write(one)))
    await asyncio.gather(*tasks)
    return accepted


async def waits(provider: str, accepted: dict[tuple[str, int], int]) -> list[float]:
    """Milliseconds from durable to arrived, sorted. All must have arrived."""
    seen = await asyncio.to_thread(arrivals, provider)
    return sorted((seen[key] - at) / 1e6 for key, at in accepted.items())


def figures(name: str, waits: Sequence[float]) -> dict[str, float]:
    """The middle, the 99th percentile and the worst."""
    return {
        f"{name}.p50": waits[len(waits) // 2],
        f"{name}.p99": waits[int(len(waits) * 0.99)],
        f"{name}.highest": waits[-1],
    }
