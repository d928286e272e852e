"""An asyncio event loop in virtual time: seeded order, no waiting, and hosts whose callbacks can be stopped for good or for a while."""

import asyncio
import contextvars
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

START = 1_750_000_000_000_000
SECOND = 1_000_000
#: How soon the loop asks again whether it may skip, after it was told no (seconds).
PATIENCE = 0.2


class Machine:
    """What a callback belongs to. A dead machine never runs again: no `except`, no `finally`; a stalled one runs everything later."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.stalled_until = 0.0
        self.parked: list[asyncio.Handle] = []
        self.vars = contextvars.Context()
        self.vars.run(OWNER.set, self)

    def __repr__(self) -> str:
        return self.name


OWNER: contextvars.ContextVar[Machine | None] = contextvars.ContextVar("owner", default=None)
Timer = tuple[float, int, asyncio.TimerHandle]


class VirtualLoop(asyncio.BaseEventLoop):
    """Callbacks of one instant run in an order drawn from the seed; when none is ready, time jumps to the next timer.

    Timers made by the program are lazy: its rounds of half a second are skipped while `horizon` says that none of them could find
    anything to do. Timers made by `sleep` are the world's and never skipped.
    """

    #: The base class's own queue of what is to run next.
    _ready: deque[asyncio.Handle]

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._at = 0.0
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        self._lazy: list[Timer] = []
        self._real: list[Timer] = []
        #: The loop time before which nothing is due although rounds go on; None where skipping is off.
        self.horizon: Callable[[], float] | None = None
        self._ask_again = 0.0
        self.set_exception_handler(self._failed)
        #: What went wrong in callbacks: a simulation must end with none.
        self.failures: list[str] = []
        #: Tasks of dead machines are kept: collecting one would run its `finally`.
        self.graveyard: list[Any] = []
        self._machines: list[Machine] = []
        self._ending = False

    # --- time ------------------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._at

    def now(self) -> int:
        """Microseconds UTC."""
        return START + round(self._at * SECOND)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        """A lazy timer."""
        return self._timer(self._lazy, when, callback, args, context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        """A lazy timer."""
        return self._timer(self._lazy, self._at + delay, callback, args, context)

    async def sleep(self, seconds: float) -> None:
        """Let others run for that long: never skipped."""
        await self._sleep(self._real, seconds)

    async def doze(self, seconds: float) -> None:
        """The same on a timer that may be skipped."""
        await self._sleep(self._lazy, seconds)

    async def _sleep(self, timers: list[Timer], seconds: float) -> None:
        future = self.create_future()
        timer = self._timer(timers, self._at + max(seconds, 0.0), _wake, (future,), None)
        try:
            await future
        finally:
            timer.cancel()

    def _timer(self, timers: list[Timer], when: float, callback: Any, args: Any, context: Any) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(timers, (when, next(self._numbers), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when their time comes."""

    # --- machines --------------------------------------------------------------------------------

    def neutral(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of the world's own: it goes on whatever becomes of the machine that asked for it."""
        return self.create_task(work, context=contextvars.Context())

    def kill(self, machine: Machine) -> None:
        """Nothing of it runs ever again."""
        machine.dead = True
        self.graveyard.extend(asyncio.all_tasks(self))
        self._machines.append(machine)

    def stall(self, machine: Machine, seconds: float) -> None:
        """As SIGSTOP does: everything of it waits, then goes on where it was."""
        machine.stalled_until = max(machine.stalled_until, self._at + seconds)
        self._timer(self._real, machine.stalled_until, self._resume, (machine,), contextvars.Context())

    def _resume(self, machine: Machine) -> None:
        if machine.stalled_until <= self._at and not machine.dead:
            self._ready.extend(machine.parked)
            machine.parked.clear()

    # --- running ---------------------------------------------------------------------------------

    def _run_once(self) -> None:
        ready = self._ready
        if not ready:
            self._advance()
        for timers in (self._real, self._lazy):
            while timers and timers[0][0] <= self._at:
                timer = heapq.heappop(timers)[2]
                if not timer.cancelled():
                    ready.append(timer)
        batch = list(ready)
        ready.clear()
        if len(batch) > 1:
            self._chance.shuffle(batch)
        for handle in batch:
            if handle.cancelled():
                continue
            owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
            if owner is not None and (owner.dead or owner.stalled_until > self._at) and not self._ending:
                owner.parked.append(handle)
                continue
            handle._run()

    def _advance(self) -> None:
        real, lazy = _first(self._real), _first(self._lazy)
        target = min(real, lazy)
        if target == float("inf"):
            raise RuntimeError("everything waits for something that will never come")
        if self.horizon is not None and lazy < real and self._at >= self._ask_again:
            limit = self.horizon()
            if limit > lazy:
                target = min(real, limit + self._chance.random() * 0.5)
            else:
                self._ask_again = self._at + PATIENCE
        self._at = max(self._at, target)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "was destroyed" not in context["message"]:
            self.failures.append(f"{context['message']}: {context.get('exception')!r}")

    async def wind_up(self) -> None:
        """End every task that is left, once all is judged."""
        here = asyncio.current_task()
        left = [task for task in asyncio.all_tasks(self) if task is not here]
        for task in left:
            task.cancel()
        self._ending = True
        for machine in self._machines:
            self._ready.extend(machine.parked)
        await asyncio.wait([asyncio.gather(*left, return_exceptions=True)], timeout=5.0)

    def _write_to_self(self) -> None:
        """No other thread calls in."""

    def _process_events(self, event_list: Any) -> None:
        """There are no sockets."""


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _first(timers: list[Timer]) -> float:
    while timers and timers[0][2].cancelled():
        heapq.heappop(timers)
    return timers[0][0] if timers else float("inf")
