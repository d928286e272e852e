"""Keeps the courier process alive: starts it, starts it again when it dies, and ends it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from heliograph.providers.courier_wire import Call, Pipe, Setup

MODULE = "heliograph.providers.courier_process"

#: What the process inherits from our environment. Everything else stays here: there are secrets in it.
ENVIRONMENT = (
    *("PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "RES_OPTIONS", "LOCALDOMAIN"),
)

#: Names that are looked up at once, times two: libuv lets half of its threads look up, and has four where it is not told. Two names whose
#: server never answers would keep everybody else's from being found.
THREADS = 128
#: How long the system's resolver asks for such a name, where the installation does not say: its own ten seconds hold a thread for long.
RESOLVER = "timeout:2 attempts:2"

#: Seconds within which a started process must be ready.
START_LIMIT = 10.0

#: A process that lived this long (seconds) was sound, and is replaced at once.
SOUND = 5.0

#: Seconds before another start: none after the first death, then doubling up to the limit.
FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0


class Child:
    """One courier process after another; `pipe` leads to the present one, or to the next while there is none.

    `on_frame` gets its frames; `on_lost` is told, with what had not been written, when a process is gone.
    `on_unsendable` as in `Pipe`. Use within one event loop.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        on_frame: Callable[[memoryview], None],
        on_lost: Callable[[set[int]], None],
        on_unsendable: Callable[[Call], None],
    ) -> None:
        self._setup = setup
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_unsendable = on_unsendable
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._gone: asyncio.Future[None]
        self._ready: asyncio.Future[bool]
        self.pipe = self._new_pipe()
        self._keeper = self._loop.create_task(self._keep(), name="courier")

    @property
    def process_id(self) -> int | None:
        """Which process it is, while there is one."""
        return None if self._process is None else self._process.pid

    async def ready(self) -> bool:
        """Wait for the start that is under way; whether it succeeded."""
        return await asyncio.shield(self._ready)

    def kill(self) -> None:
        """Replace the process by a new one: it has stopped answering."""
        if self._process is not None:
            self._process.kill()

    async def close(self) -> None:
        """End the process for good."""
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        self._lost(self.pipe)

    def _new_pipe(self) -> Pipe[Call]:
        self._gone, self._ready = self._loop.create_future(), self._loop.create_future()
        pipe: Pipe[Call] = Pipe(
            self._loop, on_frame=self._first_frame, on_lost=lambda: self._lost(pipe), on_unsendable=lambda call: self._on_unsendable(call)
        )
        return pipe

    def _first_frame(self, frame: memoryview) -> None:
        if self._ready.done():
            self._on_frame(frame)
        else:
            self._ready.set_result(True)
            self.pipe.unblock()

    def _lost(self, pipe: Pipe[Call]) -> None:
        """The process behind this pipe is gone or given up: account for its calls, and gather new ones for its successor."""
        if pipe is not self.pipe:
            return
        gone, ready = self._gone, self._ready
        self.pipe = self._new_pipe()
        gone.set_result(None)
        if not ready.done():
            ready.set_result(False)
        self._on_lost({call.number for call in pipe.waiting})

    async def _keep(self) -> None:
        deaths = 0
        while True:
            began = time.monotonic()
            await self._one_life()
            deaths = 0 if time.monotonic() - began >= SOUND else deaths + 1
            if deaths > 1:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(FIRST_DELAY * 2 ** min(deaths - 2, 16), LONGEST_DELAY)):
                        await self._loop.create_future()

    async def _one_life(self) -> None:
        """Start a process and see it end."""
        pipe, gone, ready = self.pipe, self._gone, self._ready
        try:
            self._process, connection = _launch()
            await self._loop.create_unix_connection(lambda: pipe, sock=connection)
            pipe.write(self._setup)
            async with asyncio.timeout(START_LIMIT):
                await asyncio.shield(ready)
            await asyncio.shield(gone)
        except (OSError, TimeoutError):
            pass  # it could not be started, or is too slow to be of use; the next one may do better
        finally:
            pipe.abort()
            self._lost(pipe)
            process, self._process = self._process, None
            if process is not None:
                _end(process)


def _launch() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a process. It finds our modules where we do, and nothing in its command line or environment is secret."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    environment["UV_THREADPOOL_SIZE"] = str(THREADS)
    environment.setdefault("RES_OPTIONS", RESOLVER)
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(each) for each in sys.path if each)
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                # Out of the terminal's reach from the first instruction on, before it can ignore signals itself.
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
    return process, ours


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    # A killed process is gone within milliseconds; one that hangs in the kernel is left to it.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
