"""How fast the provider alone is: prepared requests over raw connections. Shows that it limits nobody."""

import asyncio
import time
from urllib.parse import urlsplit

from bench.job import Job, Result, main, versions_of
from bench.payload import Reply, body_of, by_conversation, path_of


def _request(job: Job, one: Reply) -> bytes:
    body = body_of(one)
    head = f"POST {path_of(job.app, one.conversation)} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Sender(asyncio.Protocol):
    """One connection: the next request goes out when the whole answer to the last one is in."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[int]) -> None:
        self.requests, self.done, self.sent = requests, done, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def start(self) -> None:
        self.transport.write(self.requests[0])  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 201 ") or not data.endswith(b"}]}"):
            self.done.set_exception(RuntimeError("the provider gave an unexpected answer"))
            return
        self.sent += 1
        if self.sent == len(self.requests):
            self.done.set_result(self.sent)
        else:
            self.transport.write(self.requests[self.sent])  # type: ignore[attr-defined]


async def run(job: Job) -> Result:
    """One connection for each of `concurrency` groups of conversations."""
    loop = asyncio.get_running_loop()
    address = urlsplit(job.provider)
    groups: list[list[bytes]] = [[] for _ in range(min(job.concurrency, job.conversations))]
    for number, conversation in enumerate(by_conversation(job)):
        groups[number % len(groups)] += [_request(job, one) for one in conversation]
    dones = [loop.create_future() for _ in groups]
    senders = [
        (await loop.create_connection(lambda r=requests, d=done: _Sender(r, d), address.hostname, address.port))[1]
        for requests, done in zip(groups, dones, strict=True)
    ]
    started = time.monotonic_ns()
    for sender in senders:
        sender.start()
    recorded = sum(await asyncio.gather(*dones))
    return Result(
        recorded=recorded,
        started_ns=started,
        accepted_ns=started,
        finished_ns=time.monotonic_ns(),
        configuration=f"{len(groups)} raw connections, requests prepared beforehand",
        versions=versions_of("uvloop"),
    )


if __name__ == "__main__":
    main(run)
