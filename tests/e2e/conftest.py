"""What the end-to-end tests share: an HTTP client, the sandbox's process, and an installation on each engine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.databases import fresh_database
from tests.e2e.clerk import Clerk
from tests.e2e.processes import Desk, Remote, free_port, patient_client, sandbox


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    """A client of nobody in particular."""
    async with patient_client() as session:
        yield session


@pytest.fixture(scope="session")
def clerk() -> Iterator[Clerk]:
    """Runs the commands that prepare an installation."""
    working = Clerk()
    yield working
    working.close()


@pytest.fixture
async def remote(tmp_path: Path, http: ClientSession) -> AsyncIterator[Remote]:
    """A sandbox in a process of its own."""
    running = await sandbox(tmp_path, http)
    yield running
    await running.child.stop()


@pytest.fixture(params=["sqlite"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, http: ClientSession, remote: Remote, clerk: Clerk) -> AsyncIterator[Desk]:
    """An installation with an account, an agent, a channel and a token; nothing runs yet."""
    async with contextlib.AsyncExitStack() as stack:
        database = ""
        if request.param == "postgres":
            server = request.getfixturevalue("postgres_server")
            database = await stack.enter_async_context(fresh_database(server, "template1"))
        made = Desk(tmp_path, free_port(), database, http, remote)
        await made.create(clerk.made)
        yield made
        if made.child is not None and made.child.process.returncode is None:
            made.child.kill()
            await asyncio.wait_for(made.child.process.wait(), 10)
