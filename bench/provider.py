"""The provider of the benchmark: takes messages as fast as one process can, and remembers what it took."""

import asyncio
import gc
import json
import sys
import time
from typing import cast

import uvloop

_CREATED = (
    b'{"messages":[{"id":"%024x","received":"%s","author":{"type":"business"},'
    b'"content":{"type":"text","text":""},"source":{"type":"api:conversations"}}]}'
)
_NO_MESSAGES = b'{"messages":[],"meta":{"hasMore":false}}'
_WORDS = {200: b"OK", 201: b"Created", 400: b"Bad Request", 404: b"Not Found", 501: b"Not Implemented"}


class Book:
    """What was taken, in order of arrival. Nothing is judged before somebody asks: taking must stay cheap."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.taken: list[tuple[int, bytes, bytes]] = []
        self.other = 0

    def arrivals(self) -> list[tuple[str, int, int]]:
        """(conversation, sequence, arrival in monotonic ns); sequence 0 where the text does not begin with one."""
        return [(path.split(b"/")[6].decode(), _sequence(body), at) for at, path, body in self.taken]

    def report(self) -> dict[str, int]:
        """Counts over everything taken. `overtaken`: first arrivals that came after a later one of their conversation."""
        highest: dict[str, int] = {}
        seen: set[tuple[str, int]] = set()
        overtaken = unreadable = 0
        for conversation, sequence, _ in self.arrivals():
            unreadable += sequence == 0
            if (conversation, sequence) in seen:
                continue
            seen.add((conversation, sequence))
            overtaken += sequence < highest.get(conversation, 0)
            highest[conversation] = max(sequence, highest.get(conversation, 0))
        keys = [key for _, _, body in self.taken if (key := _key(body))]
        return {
            "taken": len(self.taken),
            "distinct": len(seen),
            "doubled": max(len(self.taken) - len(seen), len(keys) - len(set(keys))),
            "overtaken": overtaken,
            "unreadable": unreadable,
            "conversations": len(highest),
            "other": self.other,
            "first_ns": self.taken[0][0] if self.taken else 0,
            "last_ns": self.taken[-1][0] if self.taken else 0,
        }


def _sequence(body: bytes) -> int:
    text = json.loads(body).get("content", {}).get("text", "")
    number = text.partition(" ")[0].removeprefix("#")
    return int(number) if text.startswith("#") and number.isdigit() else 0


def _key(body: bytes) -> str:
    return str((json.loads(body).get("metadata") or {}).get("heliograph", ""))


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive and pipelining, as much of it as the job needs; the rest is refused with 501."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.rest = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self.rest + data if self.rest else data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end]
            length = _content_length(head)
            if length < 0:
                self.transport.write(_answer(501, b"{}"))
                self.transport.close()
                return
            stop = end + 4 + length
            if len(data) < stop:
                break
            method, path, _ = head[: head.find(b"\r\n")].split(b" ", 2) if b"\r\n" in head else head.split(b" ", 2)
            self.transport.write(self.answer(method, path, data[end + 4 : stop]))
            data = data[stop:]
        self.rest = data

    def answer(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """The whole answer to one request."""
        plain = path.partition(b"?")[0]
        if plain.endswith(b"/messages") and plain.startswith(b"/sc/v2/apps/"):
            if method == b"POST":
                self.book.taken.append((time.monotonic_ns(), plain, body))
                return _answer(201, _CREATED % (len(self.book.taken), _received()))
            return _answer(200, _NO_MESSAGES)
        if plain.startswith(b"/bench/"):
            return _answer(200, self.control(method, plain))
        if method == b"GET" and plain.startswith(b"/sc/v2/apps/") and plain.count(b"/") == 4:
            app = plain.rpartition(b"/")[2].decode()
            return _answer(200, json.dumps({"app": {"id": app, "subdomain": "bench"}}).encode())
        self.book.other += 1
        return _answer(404, b'{"errors":[{"code":"not_found","title":"not part of the benchmark"}]}')

    def control(self, method: bytes, path: bytes) -> bytes:
        """`/bench/report`, `/bench/arrivals` to read; POST `/bench/reset` to forget everything."""
        if method == b"POST" and path == b"/bench/reset":
            self.book.reset()
            gc.collect()
            return b"{}"
        if path == b"/bench/arrivals":
            return json.dumps(self.book.arrivals()).encode()
        return json.dumps(self.book.report()).encode()


def _content_length(head: bytes) -> int:
    """Body length from the header lines; 0 without one, -1 for framings that are not spoken here."""
    at = head.find(b"ontent-")
    while at >= 0 and head[at + 7 : at + 14].lower() != b"length:":
        at = head.find(b"ontent-", at + 7)
    if at >= 0:
        end = head.find(b"\r\n", at)
        return int(head[at + 14 : end if end >= 0 else len(head)])
    return -1 if b"transfer-encoding" in head.lower() else 0


def _received() -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()).encode()


def _answer(code: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s" % (
        code,
        _WORDS[code],
        len(body),
        body,
    )


async def serve() -> None:
    """Listen on a free loopback port, print its base URL, serve until standard input is closed."""
    book = Book()
    gc.disable()  # a pause here would be charged to whoever is being measured
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(book), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
