"""Errands that run beside each other: one at a time for each thing they are about, and a few at one place."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable

Errand = Callable[[], Awaitable[object]]


class Errands:
    """`run` runs one and must not raise. `at_once` run at one place, the others wait their turn there: what hangs keeps a few calls."""

    def __init__(self, run: Callable[[Errand], Awaitable[None]], *, at_once: int) -> None:
        self._run = run
        self._at_once = at_once
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._turns: dict[Hashable, asyncio.Semaphore] = {}

    @property
    def number(self) -> int:
        """How many have begun or wait."""
        return len(self._tasks)

    @property
    def tasks(self) -> Iterable[asyncio.Task[None]]:
        """Those that have begun or wait."""
        return list(self._tasks.values())

    def __contains__(self, about: Hashable) -> bool:
        return about in self._tasks

    def start(self, about: Hashable, errand: Errand, *, place: Hashable) -> bool:
        """Begin, unless there is one about the same. Returns whether there was none."""
        if about in self._tasks:
            return False
        task = self._tasks[about] = asyncio.create_task(self._in_turn(errand, place))
        # Also of one that is cancelled before its first step.
        task.add_done_callback(lambda _: self._tasks.pop(about))
        return True

    async def _in_turn(self, errand: Errand, place: Hashable) -> None:
        async with self._turns.setdefault(place, asyncio.Semaphore(self._at_once)):
            await self._run(errand)
