"""The delivery loop: claim what is runnable, deliver it, sleep until something changes."""

import asyncio
import contextlib

from heliograph.domain.retry import SECOND
from heliograph.ports.store import Claimed, Conflict, Unavailable
from heliograph.services.context import Context
from heliograph.services.deliver import Delivering
from heliograph.services.holds import Holds

#: Seconds after which the store is asked again even if nobody woke the loop: another process may have written.
POLL = 1.0
#: Seconds between claims that fail: while the store is away, and at most where claiming itself is at fault.
PAUSE, LONGEST_PAUSE = 0.5, 8.0


class DeliveryLoop:
    """Keeps up to `concurrency` calls under way. `lease` (seconds) must exceed the longest call by far."""

    def __init__(self, context: Context, holds: Holds, *, worker: str, concurrency: int, lease: float) -> None:
        self._context = context
        self._holds = holds
        self._delivering = Delivering(context, holds, worker=worker, lease=int(lease * SECOND), goes_on=self._nobody_waits)
        self._worker = worker
        self._concurrency = concurrency
        self._lease = int(lease * SECOND)
        self._wake = asyncio.Event()
        self._stopping = False
        self._all_in_hand = False
        self._pause = PAUSE
        self._running: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something may have become runnable."""
        self._wake.set()

    @property
    def busy(self) -> int:
        """Calls under way."""
        return len(self._running)

    async def run(self) -> None:
        """Until `stop`. Then wait for the calls that are under way."""
        while not self._stopping:
            self._wake.clear()
            free = self._concurrency - len(self._running)
            mark = self._holds.mark()
            claimed = await self._claim(free) if free > 0 else []
            if claimed is None:
                self._all_in_hand = False
                continue
            self._all_in_hand = len(claimed) < free
            for one in claimed:
                self._start(one, mark)
            if len(claimed) < free or free <= 0:
                await self._sleep(idle=not claimed and free > 0)
        while self._running:
            await asyncio.wait(self._running)

    def again(self) -> None:
        """Claim once more after a stop."""
        self._stopping = False

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        self._wake.set()

    def _nobody_waits(self) -> bool:
        """Whether a lane may go on with its next reply: the last claim left no lane of another conversation waiting."""
        return self._all_in_hand and not self._stopping

    async def _claim(self, free: int) -> list[Claimed] | None:
        """What was taken; None, after a pause, where that failed: whatever it was, sending goes on once it is over."""
        now = self._context.clock.now()
        try:
            claimed = await self._context.store.claim(worker=self._worker, now=now, lease_until=now + self._lease, limit=free)
        except (Unavailable, Conflict) as passing:
            self._context.observe("claim_failed", {"error": type(passing).__name__})
            self._pause = PAUSE
        except Exception as bug:
            self._context.observe("claim_bug", {"error": type(bug).__name__})
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        else:
            self._pause = PAUSE
            return claimed
        await self._context.clock.sleep(self._pause)
        return None

    def _start(self, claimed: Claimed, mark: int) -> None:
        task = asyncio.create_task(self._delivering.deliver(claimed, mark=mark))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lane stays ours until the lease is over, then its outcome is settled like any interruption.
            self._context.observe("delivery_bug", {"error": type(error).__name__})

    async def _sleep(self, *, idle: bool) -> None:
        if self._wake.is_set():
            return
        wait = POLL
        if idle and (due := await self._next_due()) is not None:
            wait = min(POLL, max((due - self._context.clock.now()) / SECOND, 0.005))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    async def _next_due(self) -> int | None:
        try:
            return await self._context.store.next_due(self._context.clock.now())
        except Unavailable:
            return None
        except Exception as bug:
            self._context.observe("claim_bug", {"error": type(bug).__name__})
            return None
