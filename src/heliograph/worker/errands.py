"""Errands that run beside each other, one at a time for each thing they are about."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable

Errand = Callable[[], Awaitable[object]]


class Errands:
    """`run` runs one and must not raise."""

    def __init__(self, run: Callable[[Errand], Awaitable[None]]) -> None:
        self._run = run
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    @property
    def number(self) -> int:
        """How many are under way."""
        return len(self._tasks)

    @property
    def tasks(self) -> Iterable[asyncio.Task[None]]:
        """Those under way."""
        return list(self._tasks.values())

    def start(self, about: Hashable, errand: Errand) -> bool:
        """Begin, unless there is one under way about the same. Returns whether it was begun."""
        if about in self._tasks:
            return False
        self._tasks[about] = asyncio.create_task(self._one(about, errand))
        return True

    async def _one(self, about: Hashable, errand: Errand) -> None:
        try:
            await self._run(errand)
        finally:
            del self._tasks[about]
