"""Serves the sandbox's pages at our own address, so that a demonstration needs one port and no browser crosses an origin."""

from collections.abc import AsyncIterator, Mapping

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from litestar import Request, Response, asgi
from litestar.response import Stream
from litestar.types import ControllerRouterHandler, Receive, Scope, Send
from yarl import URL

from heliograph.web.policy import Need
from heliograph.web.problems import Refused
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.asking import Asked

#: The last is where the sandbox's service keeps files that were sent, which the phone shows.
PAGES = ["/phone", "/strip", "/sandbox", "/sc"]
METHODS = ("GET", "POST", "DELETE")
LIMIT = 60 * 1_048_576
#: Seconds. A stream has news or a sign of life more often.
PATIENCE = ClientTimeout(total=None, sock_connect=3, sock_read=30)
PASSED = ("content-type", "content-security-policy", "x-content-type-options", "referrer-policy", "content-disposition")
SPOKEN = ("application/json", "text/event-stream")


def proxied(sandbox: str, aliases: tuple[str, ...]) -> list[ControllerRouterHandler]:
    """The handlers. Whatever address of the sandbox stands in its answers becomes one of ours."""
    origins = tuple(origin.encode() for origin in (sandbox, *aliases))

    @asgi(PAGES, is_mount=True, opt={"need": Need.READ}, copy_scope=True)
    async def sandbox_pages(scope: Scope, receive: Receive, send: Send) -> None:
        request: Asked = Request(scope, receive, send)
        response = await _forward(request, sandbox, origins)
        await response.to_asgi_response(app=None, request=request)(scope, receive, send)

    return [sandbox_pages]


async def _forward(request: Asked, sandbox: str, origins: tuple[bytes, ...]) -> Response[bytes] | Stream:
    if request.method not in METHODS:
        raise Refused(405, "This address does not take that method.")
    query = request.scope["query_string"].decode("ascii")
    session = ClientSession(trust_env=False)
    try:
        target = URL(f"{sandbox}{request.scope['raw_path'].decode('ascii')}" + (f"?{query}" if query else ""), encoded=True)
        answer = await session.request(
            request.method, target, headers=_wanted(request.headers), data=await _body(request) or None, timeout=PATIENCE,
            allow_redirects=False,
        )  # fmt: skip
    except (ClientError, OSError, TimeoutError):
        await session.close()
        raise Refused(502, "The sandbox does not answer.") from None
    except BaseException:
        await session.close()
        raise
    headers = {name: answer.headers[name] for name in PASSED if name in answer.headers} | {"cache-control": "no-store"}
    if answer.content_type == "text/event-stream":
        return Stream(_events(session, answer, origins, request.app.state.vitals), status_code=answer.status, headers=headers)
    async with session, answer:
        body = await answer.read()
    spoken = answer.content_type in SPOKEN
    return Response(_ours(body, origins) if spoken else body, status_code=answer.status, headers=headers)


async def _body(request: Asked) -> bytes:
    data = bytearray()
    more = request.method == "POST"
    while more:
        message = await request.receive()
        if message["type"] != "http.request":
            raise Refused(400, "The request broke off.")
        data += message["body"]
        more = message["more_body"]
        if len(data) > LIMIT:
            raise Refused(413, "The body is too large.")
    return bytes(data)


def _wanted(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in ("content-type", "accept") if name in headers}


def _ours(body: bytes, origins: tuple[bytes, ...]) -> bytes:
    for origin in origins:
        body = body.replace(origin + b"/", b"/")
    return body


async def _events(session: ClientSession, answer: ClientResponse, origins: tuple[bytes, ...], vitals: Vitals) -> AsyncIterator[bytes]:
    """Whole events only, so that no address is cut in two."""
    rest = b""
    async with session, answer:
        try:
            async for piece in answer.content.iter_any():
                whole, end, rest = (rest + piece).rpartition(b"\n\n")
                if end:
                    yield _ours(whole, origins) + end
                if vitals.draining:
                    return
        except (ClientError, OSError, TimeoutError):
            return
