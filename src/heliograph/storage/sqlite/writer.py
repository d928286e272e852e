"""Group commit: statements run on the loop, the commit that waits for the disk runs in a thread, and everyone shares it."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apsw

from heliograph.ports.store import Conflict, Duplicate, Unavailable
from heliograph.storage.sqlite.transaction import Transaction

Job = Callable[[Transaction], Any]
#: Acts that share one commit at most; bounds how long the first of them waits for the last.
BATCH = 512
TAKEN_ALREADY = frozenset({apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_ROWID})


class Writer:
    """The only connection that writes.

    Statements take microseconds and would only fight over the interpreter lock in a thread of their own; the commit waits for
    the disk and releases the lock. Where `threaded` is false the commit runs on the loop too, which a simulation needs.
    """

    def __init__(self, connection: apsw.Connection, transaction: Transaction, *, threaded: bool) -> None:
        self._connection = connection
        self._transaction = transaction
        self._waiting: deque[tuple[Job, asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "heliograph-commit") if threaded else None
        self._closed = False

    async def do(self, job: Job) -> Any:
        """Run `job` in a transaction and return its result once it is on disk. Raises what it raises, or Unavailable."""
        if self._closed:
            raise Unavailable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((job, future))
        if self._task is None:
            self._task = loop.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
                await self._write(batch)
        finally:
            self._task = None

    async def _write(self, batch: list[tuple[Job, asyncio.Future[Any]]]) -> None:
        results: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job, future in batch:
                try:
                    results.append((future, job(self._transaction), None))
                except (Conflict, Duplicate) as refused:
                    results.append((future, None, refused))
            await self._commit()
        except Exception as broken:
            self._rollback()
            if len(batch) > 1:
                # One act spoils a shared transaction: each is written by itself, so that only the culprit fails.
                for one in batch:
                    await self._write([one])
                return
            results = [(batch[0][1], None, _as_store_error(broken))]
        for future, result, error in results:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    async def _commit(self) -> None:
        if self._thread is None:
            self._connection.execute("COMMIT")
        else:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.execute, "COMMIT")

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    async def close(self) -> None:
        """Write what was accepted, then refuse."""
        self._closed = True
        if self._task is not None:
            await self._task
        if self._thread is not None:
            self._thread.shutdown()


def _as_store_error(error: BaseException) -> BaseException:
    if isinstance(error, apsw.ConstraintError) and getattr(error, "extendedresult", 0) in TAKEN_ALREADY:
        # A row that two acts wanted to create: whoever comes second reads again.
        return Conflict(str(error))
    if isinstance(error, (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.ReadOnlyError, apsw.CantOpenError)):
        return Unavailable(type(error).__name__)
    return error
