"""A toll gate in front of the messaging service: it lets so many messages through a second, and answers 429 to what comes faster."""

import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import ClientSession, web

#: Headers that belong to one connection, or that the next one makes for itself.
HOP = frozenset({"host", "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})
BODY = {"errors": [{"code": "too_many_requests", "title": "Too many requests"}]}


@dataclass(slots=True)
class Toll:
    """At most `rate` messages in any second. Times are seconds, wall clock."""

    rate: int
    url: str = ""
    #: When it let a message through, and when it refused one.
    passed: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    _window: deque[float] = field(default_factory=deque)

    def admits(self, now: float) -> bool:
        """Whether a message that arrives now goes through; it is counted either way."""
        while self._window and now - self._window[0] >= 1:
            self._window.popleft()
        free = len(self._window) < self.rate
        if free:
            self._window.append(now)
        (self.passed if free else self.refused).append(now)
        return free

    def refused_between(self, start: float, end: float) -> int:
        """How many it refused in that time."""
        return sum(start <= at <= end for at in self.refused)


@contextlib.asynccontextmanager
async def toll_gate(service: str, *, rate: int) -> AsyncIterator[Toll]:
    """A server on this machine, in front of the service's address."""
    toll = Toll(rate)
    async with ClientSession(auto_decompress=False) as http:

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.method == "POST" and request.path.endswith("/messages") and not toll.admits(time.time()):
                return web.json_response(BODY, status=429, headers={"retry-after": "1"})
            headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
            async with http.request(request.method, target + request.raw_path, headers=headers, data=await request.read()) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)

        scheme, _, rest = service.partition("://")
        host, _, path = rest.partition("/")
        target = f"{scheme}://{host}"
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            toll.url = f"http://127.0.0.1:{runner.addresses[0][1]}/{path}"
            yield toll
        finally:
            await runner.cleanup()
