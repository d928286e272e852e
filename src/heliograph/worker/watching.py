"""The loop that watches: paces detection and what follows from it, at once when something failed and steadily otherwise."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from heliograph.ports.store import Conflict, Unavailable
from heliograph.services.attention import Attention
from heliograph.services.context import Context

#: Seconds between rounds while nothing calls, and at least between two rounds whatever calls.
ROUND, SHORTEST = 0.4, 0.05

Step = Callable[[], Awaitable[object]]


class Watching:
    """Takes its steps in order, round after round, until stopped. A step that fails is noted, and the others are taken all the same."""

    def __init__(self, context: Context, attention: Attention, steps: Sequence[Step]) -> None:
        self._context = context
        self._attention = attention
        self._steps = steps
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin on the running event loop."""
        self._task = asyncio.create_task(self._forever(), name="watch")

    async def stop(self) -> None:
        """End; what a step was about to write is then done by the next process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def round(self) -> None:
        """Every step once."""
        self._attention.wanted.clear()
        for step in self._steps:
            try:
                await step()
            except (Unavailable, Conflict) as passing:
                self._context.observe("round_failed", {"error": type(passing).__name__})
            except Exception as bug:
                self._context.observe("round_bug", {"error": type(bug).__name__})

    async def _forever(self) -> None:
        while True:
            await self.round()
            await self._context.clock.sleep(SHORTEST)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND - SHORTEST):
                    await self._attention.wanted.wait()
