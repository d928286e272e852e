"""Servers of others, played on this machine: a mail server, an alert manager, a chat room, and somebody who listens for a heartbeat."""

import asyncio
import contextlib
import email
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from aiohttp import web


@dataclass
class Post:
    """An SMTP server that keeps what it gets. `refuse`: its answer to any recipient, "" to take all."""

    port: int = 0
    refuse: str = ""
    taken: list[tuple[str, Message]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to = ""

        async def say(words: str) -> None:
            writer.write(words.encode() + b"\r\n")
            await writer.drain()

        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            await say("220 post.example ESMTP")
            while line := (await reader.readline()).decode().strip():
                verb = line[:4].upper()
                if verb == "EHLO":
                    await say("250 post.example")
                elif verb == "RCPT":
                    to = line.partition(":")[2].strip("<> ")
                    await say(self.refuse or "250 ok")
                elif verb == "DATA":
                    await say("354 go on")
                    data = await reader.readuntil(b"\r\n.\r\n")
                    self.taken.append((to, email.message_from_bytes(data[:-5])))
                    await say("250 taken")
                else:
                    await say("221 bye" if verb == "QUIT" else "250 ok")


def words(message: Message) -> str:
    """The text of a mail or of a part of one."""
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@contextlib.asynccontextmanager
async def post() -> AsyncIterator[Post]:
    """A running mail server."""
    made = Post()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@dataclass
class Outside:
    """An HTTP server that keeps what it is told. `answers`: the codes of the next calls; then 200. `slow`: seconds before each answer."""

    url: str = ""
    taken: list[tuple[str, str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    slow: float = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(self.slow)
        code = self.answers.pop(0) if self.answers else 200
        self.taken.append((request.method, request.path, json.loads(body) if body else None))
        return web.Response(status=code)

    def target(self, path: str = "room") -> str:
        """As Apprise writes it."""
        return f"{self.url.replace('http://', 'json://')}/{path}"


@contextlib.asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    """A running one."""
    made = Outside()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
