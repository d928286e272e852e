"""Which process polls a channel: a lock of a session, which the database lets go of when the process is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from heliograph.storage.postgres.sessions import store_errors

#: Seconds in which the database must answer here; whoever waits longer had better not poll.
PATIENCE = 10.0
#: So that a machine that vanished without a word is noticed, and its turns pass on, in half a minute and not in hours.
_SETTINGS = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
_LOCK = "hashtextextended('heliograph poll ' || $1, 0)"


class Turns:
    """One connection past any pooler, opened when the first turn is asked for. Losing it loses every turn, and no message."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Any = None
        self._mine: set[str] = set()
        self._busy = asyncio.Lock()

    async def take(self, channel: str) -> bool:
        """See Store.take_turn."""
        async with self._asking() as connection:
            if channel in self._mine:
                # A session that is gone holds nothing any more, whatever we remember.
                await connection.execute("SELECT 1")
                return True
            if await connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})", channel):
                self._mine.add(channel)
            return channel in self._mine

    async def end(self, channel: str) -> None:
        """See Store.end_turn."""
        if channel in self._mine:
            async with self._asking() as connection:
                await connection.execute(f"SELECT pg_advisory_unlock({_LOCK})", channel)
                self._mine.discard(channel)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        """The connection, for one question. One that broke off in the middle is given up, with all that it held."""
        async with self._busy:
            with store_errors():
                try:
                    yield await self._opened()
                except BaseException:
                    self._drop()
                    raise

    async def _opened(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._drop()
            self._connection = await asyncpg.connect(self._dsn, statement_cache_size=0, timeout=PATIENCE, command_timeout=PATIENCE)
            await self._connection.execute(_SETTINGS)
        return self._connection

    def _drop(self) -> None:
        self._mine.clear()
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Let go of everything."""
        async with self._busy:
            self._drop()
