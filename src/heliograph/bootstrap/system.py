"""The real clock and the real dice."""

import asyncio
import gc
import random
import secrets
import time


class SystemClock:
    """Wall-clock time that never runs backwards in this process, whatever the administrator does to the clock."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Microseconds since the epoch, UTC."""
        return (time.monotonic_ns() + self._offset) // 1000

    async def sleep(self, seconds: float) -> None:
        """Let others run for that long."""
        await asyncio.sleep(seconds)


class SystemRng:
    """Ids from the operating system's randomness; jitter from a cheap generator, since nobody gains by guessing it."""

    def __init__(self) -> None:
        self._jitter = random.Random(secrets.randbits(64))
        self._bytes = b""

    def bits(self) -> int:
        """40 random bits. They are fetched many at once: asking the system for each costs more than using it."""
        if not self._bytes:
            self._bytes = secrets.token_bytes(5 * 200)
        bits, self._bytes = self._bytes[:5], self._bytes[5:]
        return int.from_bytes(bits, "big")

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return self._jitter.random()


def calm_collector() -> None:
    """Look for cycles seldom: rows and events make none, and what was imported stays for good."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
