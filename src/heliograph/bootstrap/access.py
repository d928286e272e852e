"""The access log: method, route, code and duration of each request; never its query, its headers or its body."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
#: Answered so often by monitors that a line each would bury the rest.
QUIET = frozenset({"/livez", "/readyz", "/startupz", "/metrics"})


def logged(app: AsgiApp) -> AsgiApp:
    """Wrap an ASGI application. The route is the template that the router found: an address's ids stay out of the log."""

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started = time.monotonic()
        code = 0

        async def noting(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = int(message["status"])
            await send(message)

        try:
            await app(scope, receive, noting)
        finally:
            route = str(scope.get("path_template", "")) or "unrouted"
            if route not in QUIET:
                structlog.get_logger().log(
                    30 if code >= 500 else 10, "request", method=str(scope["method"])[:10], route=route, code=code,
                    seconds=round(time.monotonic() - started, 4),
                )  # fmt: skip

    return serve
