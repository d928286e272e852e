"""The two engines as tests see them: a real database each, opened, opened again, and looked into from outside."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import apsw
import asyncpg

from heliograph.ports.store import Store
from heliograph.storage.postgres.store import PostgresStore, open_postgres
from heliograph.storage.sqlite.store import SqliteStore, open_sqlite

AnyStore = SqliteStore | PostgresStore


class Engine(Protocol):
    """One database of one test."""

    name: str

    async def open(self, *, release: str = "rel_1") -> AnyStore:
        """The store of one process. On PostgreSQL there may be several."""
        ...

    async def raw(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement with $1, $2 … as the owner of the database, past everything that guards it."""
        ...


class SqliteEngine:
    """A file."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self, *, release: str = "rel_1") -> SqliteStore:
        return open_sqlite(self.path, now=1, new_id="ins_1", release=release)

    async def raw(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        connection = apsw.Connection(str(self.path))
        try:
            connection.set_busy_timeout(5000)
            return connection.execute(sql.replace("$", "?"), parameters).fetchall()
        finally:
            connection.close()


class PostgresEngine:
    """A database of the session's server."""

    name = "postgres"

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def open(self, *, release: str = "rel_1", **options: Any) -> PostgresStore:
        return await open_postgres(self.dsn, now=1, new_id="ins_1", release=release, **options)

    async def connect(self) -> Any:
        return await asyncpg.connect(self.dsn, statement_cache_size=0)

    async def raw(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        connection = await self.connect()
        try:
            return [tuple(row) for row in await connection.fetch(sql, *parameters)]
        finally:
            await connection.close()


async def inside(store: Store, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run a reading statement with $1, $2 … on a store's own connection, across accounts."""
    if isinstance(store, SqliteStore):
        return store._reader.execute(sql.replace("$", "?"), parameters).fetchall()
    if isinstance(store, PostgresStore):
        async with store._sessions.reading("*") as connection:
            return [tuple(row) for row in await connection.fetch(sql, *parameters)]
    raise TypeError(f"no way into a {type(store).__name__}")


async def eventually(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    """Ask until it holds. Signals are shown once no older transaction of the server runs any more, its own housekeeping included."""
    found = None
    for _ in range(2000):
        found = await ask()
        if holds(found):
            return found
    raise AssertionError(f"never held: {found!r}")
