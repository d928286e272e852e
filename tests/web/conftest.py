"""A house per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.storage.conftest import empty_database, postgres_server, server_folder
from tests.web.installation import House, house

__all__ = ["empty_database", "here", "postgres_server", "server_folder"]


@pytest_asyncio.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    """A running installation on a fresh store."""
    async with house(tmp_path) as made:
        yield made
