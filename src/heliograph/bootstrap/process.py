"""Run a process: one event loop, our own signals, and a web server that is only one of the things on it."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
import uvloop

from heliograph.bootstrap.logs import watch_loop

#: Seconds that open requests get on shutdown; streams to browsers never end by themselves.
GRACE = 2


class Occupied(OSError):
    """The address cannot be listened on. The message says which and why."""


def listen(host: str, port: int, *, beside: bool = False) -> socket.socket:
    """A socket at the address; port 0 takes a free one. Raises Occupied.

    A successor may bind the same address (SO_REUSEPORT) and share what comes in from when it listens. With `beside` this is one, and
    it does not listen yet; otherwise an address that somebody listens on is occupied.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port <= 65535:
        raise Occupied(f"There is no port {port}. Choose one from 1 to 65535 with --port, or 0 for a free one.")
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if not beside:
            port = _free(family, host, port)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
        if not beside:
            listening.listen(1024)
    except OSError as refused:
        listening.close()
        raise Occupied(f"Cannot listen on {host}:{port}: {refused.strerror or refused}. Choose another one with --port.") from refused
    listening.settimeout(0)
    return listening


def _free(family: int, host: str, port: int) -> int:
    """The port, once nobody listens there. Without SO_REUSEPORT the system refuses what another one holds. Raises OSError."""
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((host, port))
        return int(trial.getsockname()[1])


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours."""
        yield


class WebServer:
    """An ASGI application on a socket, on the running loop."""

    def __init__(self, app: Any, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=GRACE, server_header=False, ws="none",
            http="httptools",
        )  # fmt: skip
        self._server = _Server(config)
        self._listening = listening
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; returns once requests are answered. Raises RuntimeError where the application does not start."""
        self._task = asyncio.create_task(self._server.serve([self._listening]), name="web")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the web application did not start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Take no more requests, give those under way a moment, and end."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class Stop:
    """Set by SIGTERM or SIGINT. A second one ends the process on the spot: what it leaves open is settled at the next start."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def install(self) -> None:
        """Listen to signals, on the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        if self._event.is_set():
            os._exit(128 + number)
        self._event.set()

    def request(self) -> None:
        """End as on a signal."""
        self._event.set()

    @property
    def wanted(self) -> bool:
        """Whether somebody wants the process to end."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Until somebody wants the process to end."""
        await self._event.wait()


def run(main: Callable[[], Awaitable[int]]) -> int:
    """Run `main` on a fast loop of its own and return what it returns."""

    async def watched() -> int:
        watch_loop(asyncio.get_running_loop())
        return await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(watched())
