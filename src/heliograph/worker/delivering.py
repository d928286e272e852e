"""The delivery loop: claim what is runnable, deliver it, sleep until something changes."""

import asyncio
import contextlib
from functools import partial

from heliograph.domain.retry import SECOND
from heliograph.ports.store import Claimed, Conflict, Room, Unavailable
from heliograph.services.bulkheads import Call
from heliograph.services.context import Context
from heliograph.services.deliver import Delivering
from heliograph.services.holds import Holds
from heliograph.services.traffic import Traffic

#: Seconds after which the store is asked again even if nobody woke the loop: another process may have written.
POLL = 1.0
#: Seconds between claims that fail: while the store is away, and at most where claiming itself is at fault.
PAUSE, LONGEST_PAUSE = 0.5, 8.0


class DeliveryLoop:
    """Keeps up to `concurrency` calls under way of any one channel, account or provider, and some more of others (services.bulkheads).

    `lease` (seconds) must exceed the longest call by far.
    """

    def __init__(self, context: Context, holds: Holds, *, worker: str, concurrency: int, lease: float) -> None:
        self._context = context
        self._holds = holds
        self.traffic = Traffic(concurrency)
        self._delivering = Delivering(
            context, holds, worker=worker, lease=int(lease * SECOND), goes_on=self._nobody_waits, traffic=self.traffic
        )
        self._worker = worker
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
            free, room = self.traffic.room(self._context.clock.now())
            mark = self._holds.mark()
            claimed = await self._claim(free, room) if free else []
            if claimed is None:
                self._all_in_hand = False
                continue
            self._all_in_hand = len(claimed) < free
            self._start(claimed, mark)
            if len(claimed) < free or not free:
                await self._sleep(room if free and not claimed else None)
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

    async def _claim(self, free: int, room: Room) -> list[Claimed] | None:
        """What was taken; None, after a pause, where that failed: whatever it was, sending goes on once it is over."""
        now = self._context.clock.now()
        try:
            claimed = await self._context.store.claim(worker=self._worker, now=now, lease_until=now + self._lease, limit=free, room=room)
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

    def _start(self, claimed: list[Claimed], mark: int) -> None:
        for one, call in zip(claimed, self.traffic.begin(claimed, self._context.clock.now()), strict=True):
            task = asyncio.create_task(self._delivering.deliver(one, mark=mark, call=call))
            self._running.add(task)
            task.add_done_callback(partial(self._ended, call))

    def _ended(self, call: Call, task: asyncio.Task[None]) -> None:
        self.traffic.end(call)
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lane stays ours until the lease is over, then its outcome is settled like any interruption.
            self._context.observe("delivery_bug", {"error": type(error).__name__})

    async def _sleep(self, idle: Room | None) -> None:
        """Until something changes; where nothing was claimed although there was room, until the next lane is ready."""
        if self._wake.is_set():
            return
        moments = [await self._next_due(idle)] if idle is not None else []
        now = self._context.clock.now()
        moments.append(self.traffic.next_at(now))
        wait = min([max((moment - now) / SECOND, 0.005) for moment in moments if moment is not None], default=POLL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait, POLL)):
                await self._wake.wait()

    async def _next_due(self, room: Room) -> int | None:
        try:
            return await self._context.store.next_due(self._context.clock.now(), room)
        except Unavailable:
            return None
        except Exception as bug:
            self._context.observe("claim_bug", {"error": type(bug).__name__})
            return None
