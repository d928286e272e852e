"""A second release on one open SQLite file, for a demonstration in one process: its own claims, conditions and stamps."""

import copy
from collections.abc import Callable
from typing import Any

from heliograph.ports.store import Room
from heliograph.storage.ration import Ration
from heliograph.storage.sqlite.lanes import next_ready
from heliograph.storage.sqlite.store import SqliteStore
from heliograph.storage.sqlite.transaction import Transaction
from heliograph.storage.sqlite.writer import Writer


class AsRelease:
    """The writer, with every act made and every event stamped in the name of another release than the one that opened the file."""

    def __init__(self, writer: Writer, release: str) -> None:
        self._writer = writer
        self._release = release

    async def do(self, job: Callable[[Transaction], Any]) -> Any:
        """See Writer."""

        def act(transaction: Transaction) -> Any:
            first = transaction.release
            self._be(transaction, self._release)
            try:
                return job(transaction)
            finally:
                self._be(transaction, first)

        return await self._writer.do(act)

    def _be(self, transaction: Transaction, release: str) -> None:
        # Either may have changed what the other may do, and each holds versions of its own.
        transaction.release = release
        transaction.usable.clear()
        found = transaction.run(transaction.sql["release_share"], (release,)).fetchone()
        transaction.may_send = found is None or found[2] > found[1]


class SecondStore(SqliteStore):
    """The same file, reader and writer. It is not closed by itself, and tells its own listeners of its own acts."""

    _second: str

    async def next_due(self, now: int, room: Room | None = None) -> int | None:
        """See ports.store."""
        share = await self.release_share(self._second)
        sends = share is None or share.high > share.low
        mine = next_ready(self._reader.execute, self._sql, self._second, now, Ration(room)) if sends else None
        theirs = await super().next_due(now, room)
        return min((moment for moment in (mine, theirs) if moment is not None), default=None)

    async def close(self) -> None:
        """Whoever opened the file closes it."""


def beside(store: SqliteStore, release: str) -> SecondStore:
    """`store` as `release` sees it."""
    second = copy.copy(store)
    second.__class__ = SecondStore
    assert isinstance(second, SecondStore)
    second._second = release
    second._writer = AsRelease(store._writer, release)  # type: ignore[assignment]
    second.on_touched = second.on_committed = None
    return second
