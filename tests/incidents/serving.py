"""A town's operators' pages, served: as an operator's browser or program finds them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from heliograph.bootstrap.metrics import Metrics
from heliograph.bootstrap.process import WebServer, listen
from heliograph.services import operators
from heliograph.web.app import create_app
from heliograph.web.auth import OpenAccess
from heliograph.web.operator.routes import operator_routes
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.routes import routes
from tests.incidents.town import Town


@dataclass
class Served:
    """Where it is, and an operator's token."""

    url: str
    token: str
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A program of an operator's."""
        given = {"authorization": f"Bearer {self.token}"} | headers
        async with self.session.request(method, self.url + path, json=body, headers=given, allow_redirects=False) as answer:
            return answer.status, await answer.json() if "json" in answer.content_type else await answer.text()


@contextlib.asynccontextmanager
async def served(town: Town, *, open_access: OpenAccess | None = None) -> AsyncIterator[Served]:
    """Start it, and stop it."""
    socket = listen("127.0.0.1", 0)
    _, token = await operators.issue(town.context, "Ada")
    app = create_app(
        town.application, vitals=Vitals(metrics=Metrics(town.clock.now)), extra=[*routes, *operator_routes], open_access=open_access
    )
    server = WebServer(app, socket)
    url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Served(url, token, session)
    finally:
        await server.stop()
