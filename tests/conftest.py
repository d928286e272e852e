"""What all tests share: Hypothesis profiles, where files go, databases, and the browser that browser tests use."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import settings
from playwright.async_api import Browser, async_playwright

from tests import chromium, parsing, scratch
from tests.databases import empty_database, postgres, postgres_server, server_folder

__all__ = ["empty_database", "postgres", "postgres_server", "server_folder"]

parsing.guard()
scratch.place()

# The same examples on every machine, so that a red run can be repeated; `explore` looks for new ones.
settings.register_profile("repeat", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_report_header() -> list[str]:
    """Tell at the top whether the browser tests run, and where files go."""
    return [chromium.describe(), scratch.describe()]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of a Chromium; skips without one, and fails where one is required."""
    path = chromium.find_chromium()
    if path is None:
        if chromium.is_required():
            pytest.fail(chromium.describe())
        pytest.skip(chromium.describe())
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chrome(chromium_path: str) -> AsyncIterator[Browser]:
    """The one browser of all tests of a process: starting it costs more than most of them."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium_path, args=list(chromium.ARGUMENTS))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chrome: Browser) -> AsyncIterator[Browser]:
    """The browser, without anything that a test before has left. Tests with it run on the session's loop."""
    yield chrome
    for context in chrome.contexts:
        await context.close()
