"""Telling the other processes that lanes have changed: at most one NOTIFY every 20 ms, never inside a transaction that writes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg

CHANNEL = "heliograph_lanes"
#: Seconds between two notifications: a pending NOTIFY takes a lock of the whole database at commit.
SPACING = 0.02
#: Seconds until a lost connection is opened again. Until then the workers' poll has to do.
REOPEN = 1.0

LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Wakeup:
    """One connection that listens and notifies. Losing it costs promptness, never a message."""

    def __init__(self, dsn: str, heard: Callable[[], None]) -> None:
        self._dsn = dsn
        self._heard = heard
        self._connection: Any = None
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reopening = False
        self._closed = False

    async def open(self) -> None:
        """Connect and listen; where that fails, try again later."""
        self._reopening = False
        try:
            self._connection = await asyncpg.connect(self._dsn, statement_cache_size=0, timeout=10)
            self._connection.add_termination_listener(self._lost)
            await self._connection.add_listener(CHANNEL, self._notified)
        except LOST:
            self._lost(None)

    def touched(self) -> None:
        """Lanes were changed by a commit of this process."""
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._last + SPACING), self._due)

    def _due(self) -> None:
        self._timer = None
        self._last = asyncio.get_running_loop().time()
        self._start(self._notify())

    async def _notify(self) -> None:
        if self._connection is not None:
            with suppress(*LOST):
                await self._connection.execute(f"NOTIFY {CHANNEL}")

    def _notified(self, connection: Any, sender: int, channel: str, payload: str) -> None:
        if sender != connection.get_server_pid():
            self._heard()

    def _lost(self, connection: Any) -> None:
        self._connection = None
        if not (self._closed or self._reopening):
            self._reopening = True
            loop = asyncio.get_running_loop()
            loop.call_later(REOPEN, lambda: None if self._closed else self._start(self.open()))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop listening."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connection is not None:
            with suppress(*LOST):
                await self._connection.close(timeout=2)
