"""An HTTP server that misbehaves on command, to see what a client makes of it."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. Header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[Seen, asyncio.StreamWriter], Awaitable[bool]]
"""Answers one request in its way; returns whether the connection stays open."""


def answer(code: int, body: Any = b"", headers: dict[str, str] | None = None) -> Behaviour:
    """A complete answer; anything but bytes becomes JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def behave(_: Seen, writer: asyncio.StreamWriter) -> bool:
        lines = [f"HTTP/1.1 {code} X", f"Content-Length: {len(payload)}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
        await writer.drain()
        return True

    return behave


def raw(data: bytes) -> Behaviour:
    """These bytes, whatever they are, and then the end of the connection."""

    async def behave(_: Seen, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await writer.drain()
        return False

    return behave


async def close(_: Seen, __: asyncio.StreamWriter) -> bool:
    """Read the request and close without a word."""
    return False


async def reset(_: Seen, writer: asyncio.StreamWriter) -> bool:
    """Read the request and reset the connection."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def hang(_: Seen, writer: asyncio.StreamWriter) -> bool:
    """Read the request and never answer; ends when the client goes away."""
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return False


truncated = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: application/json\r\n\r\n{"ok": tr')
not_http = raw(b"\x00\xff hello, this is not HTTP\r\n\r\n")


@dataclass
class MisbehavingServer:
    """Serves on loopback. `script` is used up one behaviour a request; its last one repeats."""

    script: list[Behaviour] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    base_url: str = ""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def behave(self, *script: Behaviour) -> None:
        """Replace the script."""
        self.script[:] = script

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        try:
            async for request in _requests(reader, number):
                self.seen.append(request)
                behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if not await behaviour(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


async def _requests(reader: asyncio.StreamReader, connection: int) -> AsyncIterator[Seen]:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ", 2)
        if headers.get("transfer-encoding") == "chunked":
            body = await _chunked(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        yield Seen(method, target, headers, body, connection)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).strip(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def refused_url() -> str:
    """An address on loopback where nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    return f"http://127.0.0.1:{port}"
