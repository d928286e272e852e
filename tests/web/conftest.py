"""A house per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.web.installation import House, house


@pytest_asyncio.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    """A running installation on a fresh store."""
    async with house(tmp_path) as made:
        yield made
