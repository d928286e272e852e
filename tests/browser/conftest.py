"""A stage per test in one browser; whatever a page's console complains about fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.stage import Stage, stage


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path, browser: Browser) -> AsyncIterator[Stage]:
    async with stage(tmp_path, browser) as made:
        yield made
    assert made.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def locked_scene(tmp_path: Path, browser: Browser) -> AsyncIterator[Stage]:
    """The same behind a login."""
    async with stage(tmp_path, browser, open_access=False) as made:
        yield made
    assert made.complaints == []
