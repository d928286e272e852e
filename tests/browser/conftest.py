"""A stage per test; whatever a page's console complains about fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.stage import Stage, stage


@pytest.fixture
async def scene(tmp_path: Path, chromium_path: str) -> AsyncIterator[Stage]:
    async with stage(tmp_path, chromium_path) as made:
        yield made
    assert made.complaints == []


@pytest.fixture
async def locked_scene(tmp_path: Path, chromium_path: str) -> AsyncIterator[Stage]:
    """The same behind a login."""
    async with stage(tmp_path, chromium_path, open_access=False) as made:
        yield made
    assert made.complaints == []
