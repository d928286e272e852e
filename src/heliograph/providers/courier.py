"""The HTTP client that spares this process the work: calls are made by a process of their own, with the same certainty."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import msgspec

from heliograph.ports.http import HttpFile, HttpResponse, MaybeSent, NotSent
from heliograph.providers.courier_child import Child
from heliograph.providers.courier_wire import ENVELOPE_BYTES, Answer, Call, Outcome, Setup

#: Seconds beyond a call's deadline that the process, which enforces it, gets to say so.
GRACE = 1.0

#: Seconds between looks at deadlines on this side; they are the second line of defence.
SWEEP = 0.1


class CourierHttp:
    """`ports.Http` in a process of its own, which runs `AiohttpHttp` with the same arguments.

    The process is started by `start` or by the first call, and again at once should it die. A call that was handed to a
    process that died is MaybeSent("closed"); one that was not is NotSent("courier"). Use within one event loop; close it
    when done. The process ends with this one, however this one ends.
    """

    def __init__(self, *, guarded: bool, allow: tuple[str, ...] = (), limit: int = 1000, keepalive: float = 15.0) -> None:
        self._setup = Setup(guarded, allow, limit, keepalive)
        self._answers = msgspec.msgpack.Decoder(list[Answer])
        self._child: Child | None = None
        self._number = 0
        #: By number: who waits, and until when (monotonic seconds).
        self._pending: dict[int, tuple[asyncio.Future[HttpResponse], float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._swept = 0.0
        self._heard = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @property
    def process_id(self) -> int | None:
        """The process that makes the calls, while there is one."""
        return None if self._child is None else self._child.process_id

    async def start(self) -> None:
        """Have the process ready before the first call. Raises RuntimeError where it does not start; it is tried again."""
        if not await (self._child or self._open()).ready():
            raise RuntimeError("the process that makes HTTP calls did not start")

    async def close(self) -> None:
        """End the process; calls under way fail. The client can be used again afterwards."""
        child, self._child = self._child, None
        if child is not None:
            await child.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (),
        timeout: float,
        max_bytes: int = 1_048_576,
    ) -> HttpResponse:
        """Make exactly one request; see `ports.Http`. `timeout` includes the wait for a process that is being started."""
        child = self._child or self._open()
        asked = time.monotonic()
        number = self._number = self._number + 1
        call = Call(
            number,
            method,
            url,
            headers if type(headers) is dict else dict(headers),
            body,
            None if form is None else dict(form),
            files,
            asked,
            timeout,
            max_bytes,
        )
        answered: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
        self._pending[number] = (answered, asked + timeout)
        if self._timer is None:
            self._watch(asked)
        child.pipe.put(call, call.weight() if files else ENVELOPE_BYTES + len(body or b""))
        try:
            return await answered
        except asyncio.CancelledError:
            self._give_up(child, number)
            raise

    def _open(self) -> Child:
        self._child = Child(self._setup, on_frame=self._on_frame, on_lost=self._on_lost, on_unsendable=self._on_unsendable)
        return self._child

    # --- how a call ends ------------------------------------------------------------------------

    def _on_frame(self, frame: memoryview) -> None:
        self._heard = time.monotonic()
        for answer in self._answers.decode(frame):
            waiting = self._pending.pop(answer.number, None)
            if waiting is None or waiting[0].done():
                continue
            if answer.outcome == Outcome.ANSWERED:
                waiting[0].set_result(HttpResponse(answer.status, answer.headers, answer.body))
            elif answer.outcome == Outcome.NOT_SENT:
                waiting[0].set_exception(NotSent(answer.word))
            else:
                waiting[0].set_exception(MaybeSent(answer.word))

    def _fail(self, number: int, failure: NotSent | MaybeSent) -> None:
        waiting = self._pending.pop(number, None)
        if waiting is not None and not waiting[0].done():
            waiting[0].set_exception(failure)

    def _on_lost(self, unwritten: set[int]) -> None:
        for number in list(self._pending):
            self._fail(number, NotSent("courier") if number in unwritten else MaybeSent("closed"))

    def _on_unsendable(self, call: Call) -> None:
        self._fail(call.number, NotSent("courier"))

    def _give_up(self, child: Child, number: int) -> None:
        """Whoever waited was cancelled: the call is not made, or broken off."""
        if self._pending.pop(number, None) is not None and child is self._child and not child.pipe.withdraw({number}):
            child.pipe.put(Call(number), ENVELOPE_BYTES)

    # --- deadlines on this side -----------------------------------------------------------------

    def _watch(self, now: float) -> None:
        self._swept = now
        self._timer = asyncio.get_running_loop().call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        """Fail what was overdue at the sweep before: were this loop held up, its answer is read in between."""
        self._timer = None
        before, child = self._swept, self._child
        overdue = {number for number, (_, until) in self._pending.items() if until <= before}
        if overdue and child is not None:
            for number in child.pipe.withdraw(overdue):
                self._fail(number, NotSent("courier"))
            for number in overdue:
                until = self._pending.get(number, (None, before))[1]
                if until + GRACE <= before:
                    self._fail(number, MaybeSent("read_timeout"))
                    # It enforces deadlines, has missed one, and has said nothing since: it hangs.
                    if self._heard < until:
                        child.kill()
        if self._pending:
            self._watch(time.monotonic())
