"""The one HTTP client: exactly one request a call, and every failure says whether the request can have arrived."""

import asyncio
import errno
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from heliograph.ports import links
from heliograph.ports.http import HttpFile, HttpResponse, MaybeSent, NotSent
from heliograph.providers.addresses import guarded_socket_factory

#: Share of a call's deadline within which the connection must stand. It is below 1 so that this
#: limit always strikes before the total one: what strikes later has a request on the wire.
CONNECT_SHARE = 0.75

#: How many different deadlines are remembered; providers have two or three.
MAX_TIMEOUTS = 64


class AiohttpHttp:
    """`ports.Http` on aiohttp.

    `guarded` refuses addresses off the public internet; `allow` lists networks (CIDR) that are
    permitted all the same, such as "127.0.0.0/8" beside a sandbox. `limit` bounds open connections;
    waiting for a free one counts as not sent. Use within one event loop; close it when done.
    """

    def __init__(self, *, guarded: bool, allow: tuple[str, ...] = (), limit: int = 1000, keepalive: float = 15.0) -> None:
        self._guarded = guarded
        self._allow = allow
        self._limit = limit
        self._keepalive = keepalive
        self._session: aiohttp.ClientSession | None = None
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. The client can be used again afterwards."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (),
        timeout: float,
        max_bytes: int = 1_048_576,
    ) -> HttpResponse:
        """Make exactly one request; see `ports.Http`. An oversized body of an error answer is cut to `max_bytes`."""
        target = _parse(url)
        failure: NotSent | MaybeSent
        try:
            data = body if form is None and not files else _multipart(form or {}, files)
            session = self._session or self._open()
            async with session.request(
                method, target, headers=headers, data=data, allow_redirects=False, timeout=self._timeout(timeout)
            ) as answer:
                content, whole = await _read(answer, max_bytes)
                if whole or answer.status >= 300:
                    return HttpResponse(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)
            failure = MaybeSent("too_large")
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            failure = _translate(error)
        # Raised out here so that aiohttp's exception, which holds the URL, is not its context.
        raise failure

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        known = self._timeouts.get(seconds)
        if known is None:
            if len(self._timeouts) >= MAX_TIMEOUTS:
                self._timeouts.clear()
            # aiohttp rounds deadlines up to whole seconds beyond a threshold; a lease cannot wait for that.
            known = aiohttp.ClientTimeout(total=seconds, connect=seconds * CONNECT_SHARE, ceil_threshold=float("inf"))
            self._timeouts[seconds] = known
        return known

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._limit,
            keepalive_timeout=self._keepalive,
            socket_factory=guarded_socket_factory(self._allow) if self._guarded else None,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "Heliograph", "Accept-Encoding": "identity"},
            trust_env=False,
            raise_for_status=False,
        )
        # aiohttp repeats PUT and DELETE by itself when a reused connection drops, which would make two calls of one.
        if not hasattr(session, "_retry_connection"):
            raise RuntimeError("this aiohttp has no switch for its silent resend; Heliograph cannot use it safely")
        session._retry_connection = False
        self._session = session
        return session


def _parse(url: str) -> URL:
    try:
        links.check(url)
        target: URL | None = URL(url)
    except (ValueError, TypeError):
        target = None
    if target is None or target.scheme not in ("http", "https") or not target.raw_host:
        raise NotSent("url")
    return target


def _multipart(form: Mapping[str, str], files: tuple[HttpFile, ...]) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in form.items():
        data.add_field(name, value)
    for file in files:
        # Line ends and quotes in a file's name would end the header early.
        name = "".join("_" if char in '"\\' or ord(char) < 32 or ord(char) == 127 else char for char in file.name) or "file"
        data.add_field(file.field, file.data, filename=name, content_type=file.media_type)
    return data


async def _read(answer: aiohttp.ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    """The body, decompressed, up to `max_bytes`, and whether that is all of it."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await answer.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            answer.close()
            return b"".join(chunks)[:max_bytes], False
    return (chunks[0] if len(chunks) == 1 else b"".join(chunks)), True


def _translate(error: Exception) -> NotSent | MaybeSent:
    """Which certainty an exception of aiohttp carries. What is not proved to have stopped before the request may have been sent."""
    match error:
        case aiohttp.ClientConnectorError():
            return NotSent(_stage(error))
        case aiohttp.ConnectionTimeoutError():
            return NotSent("connect_timeout")
        case asyncio.TimeoutError():
            return MaybeSent("read_timeout")
        case aiohttp.ServerDisconnectedError():
            return MaybeSent("closed")
        case aiohttp.ClientPayloadError():
            return MaybeSent("truncated")
        case aiohttp.ClientResponseError():
            return MaybeSent("malformed")
        case OSError():
            return MaybeSent("reset")
        case _:
            return MaybeSent("internal")


def _stage(error: aiohttp.ClientConnectorError) -> str:
    """Where the way to a connection ended."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "resolve"
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError)):
        return "tls"
    match error.os_error.errno:
        case errno.ECONNREFUSED:
            return "refused"
        case errno.EACCES:
            return "address"
        case _:
            return "connect"
