"""Agents who answer all the time, as agents do while somebody deploys."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from heliograph.drill.place import Place, Talk


@contextlib.asynccontextmanager
async def answering(place: Place, *, pause: float = 0.15, among: Callable[[Talk], bool] = lambda talk: True) -> AsyncIterator[None]:
    """In the background, one reply after the other over all conversations, `pause` seconds apart. Ends with what it wraps."""
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        talks = [talk for talk in place.talks if talk.ticket and among(talk)]
        while not stop.is_set():
            await place.say(talks[number % len(talks)])
            number += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        stop.set()
        await task


async def for_seconds(seconds: float) -> None:
    """Let things go on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(min(0.1, max(until - time.monotonic(), 0)))
