"""What every test of a provider uses: the server that misbehaves, and the real client, which may reach it."""

from collections.abc import AsyncIterator

import pytest

from heliograph.providers.http import AiohttpHttp
from tests.providers.misbehaving import MisbehavingServer


@pytest.fixture
async def server() -> AsyncIterator[MisbehavingServer]:
    async with MisbehavingServer() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[AiohttpHttp]:
    async with AiohttpHttp(guarded=True, allow=("127.0.0.0/8",)) as client:
        yield client
