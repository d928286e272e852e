"""Ends the process when its event loop has stood still for so long that its leases are in danger."""

import asyncio
import os
import sys
import threading
import time

#: What the process ends with; supervisors start it again.
STALLED = 70


class Watchdog:
    """A thread that expects a sign of life from the loop. A stalled worker must be dead before somebody else takes its lanes."""

    def __init__(self, *, limit: float, interval: float = 0.5) -> None:
        self._limit = limit
        self._interval = interval
        self._seen = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()

        def alive() -> None:
            self._seen = time.monotonic()
            self._handle = loop.call_later(self._interval, alive)

        alive()
        self._thread.start()

    def stop(self) -> None:
        """Expect nothing more."""
        self._stop.set()
        if self._handle is not None:
            self._handle.cancel()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(self._interval):
            now = time.monotonic()
            if now - before > 4 * self._interval + 1:
                # The whole process stood still (a suspended machine): give the loop its turn before judging it.
                self._seen = max(self._seen, now - self._limit / 2)
            before = now
            if now - self._seen > self._limit:
                # No logging: whoever holds up the loop may hold its lock too.
                os.write(sys.stderr.fileno(), b'{"event": "loop_stalled", "level": "critical"}\n')
                os._exit(STALLED)
