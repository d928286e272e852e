"""Group commit: statements run on the loop, the log and the disk are a thread's, and everyone who waits shares them."""

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from heliograph.ports.store import Conflict, Duplicate, Moving, Unavailable
from heliograph.storage.sqlite.role import EPOCH, WriterElsewhere
from heliograph.storage.sqlite.transaction import Spoiled, Transaction

if sys.platform == "darwin":
    import fcntl

Job = Callable[[Transaction], Any]
#: Acts that share one commit at most; bounds how long the first of them waits for the last.
BATCH = 512
#: Acts in a batch from which its commit, which writes and sums up some pages for each, is worth handing to the thread.
WORTH_HANDING_OVER = 8
#: Pages in the write-ahead log above which it is copied into the database file, 4 KB each.
CHECKPOINT = 4000
TAKEN_ALREADY = frozenset({apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_ROWID})


class Outcome(NamedTuple):
    """What somebody is waiting for, and what it will be."""

    future: asyncio.Future[Any]
    result: Any
    error: BaseException | None

    def tell(self) -> None:
        """Let the one who waits go on."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """The only connection that writes.

    Statements take microseconds and would only fight over the interpreter lock in a thread of their own. The commit of a large batch
    takes a millisecond without that lock, so it is made in a thread, while the loop does everything but statements. It does not wait
    for the disk (synchronous=NORMAL); the thread then syncs the log, and only after that is anybody told. So the statements of one
    batch run while the disk is busy with the one before, and a power cut loses nothing that was told, as with synchronous=FULL.
    Where `log` is None, commits are SQLite's own and nothing runs in a thread, which a simulation needs. Nothing is written once
    another process has raised the `epoch`.
    """

    def __init__(self, connection: apsw.Connection, transaction: Transaction, *, log: Path | None, epoch: int) -> None:
        self._connection = connection
        self._transaction = transaction
        self._waiting: deque[tuple[Job, asyncio.Future[Any]]] = deque()
        self._committed: list[Outcome] = []
        self._task: asyncio.Task[None] | None = None
        self._sync: asyncio.Task[None] | None = None
        self._log = log
        self._descriptor: int | None = None
        #: Pages that had been written to the log when it was last copied.
        self._copied = 0
        #: Copies the log beside the writing, on a connection of its own.
        self._copying: asyncio.Future[None] | None = None
        self._beside: apsw.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "heliograph-disk")
        self._copier = ThreadPoolExecutor(1, "heliograph-copy")
        self._closed = ""
        self._moving = False
        self._epoch = (epoch,)
        if log is not None:
            connection.execute("PRAGMA wal_autocheckpoint = 0")

    async def do(self, job: Job) -> Any:
        """Run `job` in a transaction and return its result once it is on disk. Raises what it raises, or Unavailable."""
        if self._closed:
            raise Moving(self._closed) if self._moving else Unavailable(self._closed)
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
                outcomes = await self._write(batch)
                if self._log is None:
                    for outcome in outcomes:
                        outcome.tell()
                    continue
                self._committed += outcomes
                if self._sync is not None:
                    await self._sync
                await self._checkpoint_if_due()
                self._sync = asyncio.create_task(self._synchronise())
        finally:
            self._task = None

    async def _write(self, batch: list[tuple[Job, asyncio.Future[Any]]]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        transaction = self._transaction
        transaction.begin()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute(EPOCH).fetchone() != self._epoch:
                self._closed = "another process has taken over the writing"
                raise WriterElsewhere(self._closed)
            for job, future in batch:
                try:
                    outcomes.append(Outcome(future, transaction.act(job), None))
                except (Conflict, Duplicate) as refused:
                    outcomes.append(Outcome(future, None, refused))
            transaction.finish()
            await self._commit(len(batch))
        except Exception as broken:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            transaction.undone()
            if len(batch) > 1:
                # One act spoils a shared transaction: each is written by itself, so that only the culprit fails.
                return [outcome for one in batch for outcome in await self._write([one])]
            return [Outcome(batch[0][1], None, _as_store_error(broken))]
        return outcomes

    async def _commit(self, acts: int) -> None:
        if self._log is None or acts < WORTH_HANDING_OVER:
            self._connection.execute("COMMIT")
        else:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.execute, "COMMIT")

    async def _synchronise(self) -> None:
        """Sync what was committed so far, then tell those who wait for it."""
        outcomes, self._committed = self._committed, []
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._sync_log)
        except OSError as broken:
            # After a failed sync the kernel may have dropped what was not written: nothing that follows could be promised.
            self._closed = "the disk failed; restart once it is well"
            outcomes = [Outcome(outcome.future, None, Unavailable(type(broken).__name__)) for outcome in outcomes]
        for outcome in outcomes:
            outcome.tell()

    def _sync_log(self) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(str(self._log), os.O_RDONLY)
        if sys.platform == "darwin":
            fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(self._descriptor)

    async def _checkpoint_if_due(self) -> None:
        """Copy the log into the database: most of it beside the writing, then the rest between two batches, so that it can begin anew."""
        loop = asyncio.get_running_loop()
        if self._copying is None:
            if self._written() - self._copied > CHECKPOINT:
                self._copying = loop.run_in_executor(self._copier, self._copy_beside)
        elif self._copying.done():
            self._copying = None
            # What cannot be copied now stays in the log, which is as safe; it is tried again after as many pages.
            with contextlib.suppress(apsw.Error):
                await loop.run_in_executor(self._thread, self._copy_log, self._connection)
            self._copied = self._written()

    def _copy_beside(self) -> None:
        with contextlib.suppress(apsw.Error):
            if self._beside is None:
                self._beside = apsw.Connection(self._connection.filename)
            self._copy_log(self._beside)

    @staticmethod
    def _copy_log(connection: apsw.Connection) -> None:
        # Read to its end: an unfinished statement would keep the log from beginning anew.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _written(self) -> int:
        """Pages that were ever written to the log. No hook: it would want the interpreter lock in the middle of a commit."""
        return self._connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]

    async def close(self, *, moving: bool = False) -> None:
        """Write what was accepted, then refuse. With `moving`, another process goes on."""
        self._moving = moving
        self._closed = self._closed or "the store is closed"
        while self._task is not None:
            await self._task
        if self._sync is not None:
            await self._sync
        if self._copying is not None:
            await asyncio.wait([self._copying])
        for thread in (self._thread, self._copier):
            thread.shutdown()
        if self._beside is not None:
            self._beside.close()
        if self._descriptor is not None:
            os.close(self._descriptor)


def _as_store_error(error: BaseException) -> BaseException:
    if isinstance(error, Spoiled) and error.__cause__ is not None:
        return error.__cause__
    if isinstance(error, apsw.ConstraintError) and getattr(error, "extendedresult", 0) in TAKEN_ALREADY:
        # A row that two acts wanted to create: whoever comes second reads again.
        return Conflict(str(error))
    if isinstance(error, (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.ReadOnlyError, apsw.CantOpenError)):
        return Unavailable(type(error).__name__)
    return error
