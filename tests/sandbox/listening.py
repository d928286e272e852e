"""A business's address: takes webhook calls as a provider of ours would get them, and lets a test wait for what they say."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

from heliograph.ports.provider import BadSignature, Inbound, RawRequest
from heliograph.sandbox.server import now


class Listening:
    """Serves on loopback. Give it a provider; each call is proved and read by it, and answered 401 where it does not prove itself."""

    def __init__(self) -> None:
        self.provider: Any = None
        self.calls: list[RawRequest] = []
        #: Whether what asked if this is our address was told so.
        self.challenged: list[bool] = []
        self.facts: list[Inbound] = []
        #: Answers to give before any call is read, first to last.
        self.refusing: list[int] = []
        self.url = ""
        self._news = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        app.router.add_get("/{path:.*}", self._tell)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hooks/x/chn_1"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tell(self, request: web.Request) -> web.Response:
        try:
            answer = self.provider.challenge(await _raw(request))
        except BadSignature:
            answer = None
        self.challenged.append(answer is not None)
        self._news.set()
        return web.Response(status=403) if answer is None else web.Response(body=answer, content_type="text/plain")

    async def _take(self, request: web.Request) -> web.Response:
        call = await _raw(request)
        self.calls.append(call)
        self._news.set()
        if self.refusing:
            return web.Response(status=self.refusing.pop(0))
        if hasattr(self.provider, "challenge") and (answer := self.provider.challenge(call)) is not None:
            return web.Response(body=answer, content_type="text/plain")
        try:
            self.provider.verify(call)
        except BadSignature:
            return web.Response(status=401)
        self.facts += self.provider.parse(call)
        self._news.set()
        return web.Response()

    async def until(self, wanted: Callable[[Inbound], bool]) -> Any:
        """The first fact that is wanted, as soon as it has come in."""
        async with asyncio.timeout(10):
            while True:
                self._news.clear()
                for fact in self.facts:
                    if wanted(fact):
                        return fact
                await self._news.wait()

    async def holds(self, wanted: Callable[[], bool]) -> None:
        """Wait until it does; asked again whenever somebody has called."""
        async with asyncio.timeout(10):
            while not wanted():
                self._news.clear()
                await self._news.wait()


async def _raw(request: web.Request) -> RawRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return RawRequest(request.method, request.path, dict(request.query), headers, await request.read(), str(request.url), now())
