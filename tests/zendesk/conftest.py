"""A town per test, on each of the two stores."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.databases import TEMPLATE, fresh_database
from tests.zendesk.town import Town, town


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a fresh database; "" is SQLite."""
    if request.param == "sqlite":
        yield ""
        return
    server: Any = request.getfixturevalue("postgres_server")
    async with fresh_database(server, TEMPLATE) as dsn:
        yield dsn


@pytest_asyncio.fixture
async def here(tmp_path: Path, database: str) -> AsyncIterator[Town]:
    """A town on each store."""
    async with town(tmp_path, database=database) as made:
        yield made


@pytest_asyncio.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Town]:
    """A town on the embedded store, for what no store decides."""
    async with town(tmp_path) as made:
        yield made
