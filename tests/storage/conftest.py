"""The stores under test: a file or a database per test, and the law over what a test leaves there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.storage.engines import AnyStore, Engine, SqliteEngine
from tests.storage.law import check_all


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
