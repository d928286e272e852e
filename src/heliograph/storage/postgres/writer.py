"""Group commit: all acts that wait are written by one transaction, and each is answered for itself."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from heliograph.ports.store import Changes, Unavailable
from heliograph.storage.postgres.sessions import Sessions, store_errors
from heliograph.storage.postgres.transaction import Lane, Outcome, Queries, Transaction

#: Acts that share one transaction at most; bounds how long the first of them waits for the last.
BATCH = 512
Waiting = tuple[Changes, asyncio.Future[set[Lane]]]


class Writer:
    """Writes the acts of this process, in the order in which they came."""

    def __init__(self, sessions: Sessions, queries: Queries, release: str) -> None:
        self._sessions = sessions
        self._queries = queries
        self._release = release
        self._waiting: deque[Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._lines: dict[Lane, set[Lane]] = {}

    async def do(self, changes: Changes) -> set[Lane]:
        """Write one act and return the lanes that it touched. Raises what Store.commit raises."""
        if self._closed:
            raise Unavailable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[set[Lane]] = loop.create_future()
        self._waiting.append((changes, future))
        if self._task is None:
            self._task = loop.create_task(self._drain())
        return await future

    async def do_all(self, acts: Sequence[Changes]) -> set[Lane]:
        """Write acts that build on each other, in a transaction of their own. See `do`."""
        if self._closed:
            raise Unavailable("the store is closed")

        async def body(connection: Any) -> set[Lane]:
            return await Transaction(connection, self._queries, self._release, self._lines).apply_all(acts)

        with store_errors():
            return await self._sessions.transact(body)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
                postponed = await self._write(batch)
                self._waiting.extendleft(reversed(postponed))
        finally:
            self._task = None

    async def _write(self, batch: list[Waiting]) -> list[Waiting]:
        """Write a batch and answer it. Returns acts that must come after it."""

        async def body(connection: Any) -> list[Outcome]:
            return await Transaction(connection, self._queries, self._release, self._lines).apply([changes for changes, _ in batch])

        try:
            with store_errors():
                outcomes = await self._sessions.transact(body)
        except Unavailable as unable:
            # Nobody could be served; trying each alone would only take longer to say so.
            for _, future in batch:
                _fail(future, Unavailable(*unable.args))
            return []
        except Exception as broken:
            if len(batch) == 1:
                _fail(batch[0][1], broken)
                return []
            # One act spoils a shared transaction: halve until it is alone and only it fails.
            middle = len(batch) // 2
            postponed = await self._write(batch[:middle])
            return await self._write(postponed + batch[middle:])
        postponed = []
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                postponed.append(waiting)
            elif isinstance(outcome, set):
                if not waiting[1].done():
                    waiting[1].set_result(outcome)
            else:
                _fail(waiting[1], outcome)
        return postponed

    async def close(self) -> None:
        """Write what was accepted, then refuse."""
        self._closed = True
        if self._task is not None:
            await self._task


def _fail(future: asyncio.Future[set[Lane]], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
