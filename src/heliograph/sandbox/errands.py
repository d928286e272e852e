"""Calls that a simulated service makes itself and whose answers it reads. A driver carries them out."""

import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from heliograph.sandbox.wire import SECOND, Json, Now


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


#: Told of the answer; None: none came (refused, closed, or too late).
Done = Callable[[Answer | None], None]


@dataclass(frozen=True, slots=True)
class Errand:
    """One request to make: wait `timeout` seconds for the answer, tell `Errands.answered`."""

    number: int
    service: str
    kind: str
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float
    done: Done = field(repr=False)


#: Carries one errand out.
Carry = Callable[[Errand], Awaitable[Answer | None]]


class Errands:
    """What has to be called, and when."""

    def __init__(self, now: Now, changed: Callable[[], None]) -> None:
        self._now = now
        self._changed = changed
        self._queue: list[tuple[int, int, Callable[[], Errand | None]]] = []
        self._numbers = itertools.count(1)
        #: Calls made: time, service, kind, and the code answered (None: a network error). No address, no body.
        self.log: deque[Json] = deque(maxlen=20_000)

    def put(
        self, service: str, kind: str, method: str, url: str, *, done: Done, body: bytes = b"", headers: Mapping[str, str] | None = None,
        timeout: float, after: float = 0.0,
    ) -> None:  # fmt: skip
        """Have one call made `after` seconds from now."""
        number = next(self._numbers)
        errand = Errand(number, service, kind, method, url, {"accept": "application/json", **(headers or {})}, body, timeout, done)
        self._push(after, number, lambda: errand)

    def later(self, after: float, act: Callable[[], None]) -> None:
        """Have something done `after` seconds from now, at the sandbox's clock."""

        def run() -> None:
            act()

        self._push(after, next(self._numbers), run)

    def _push(self, after: float, number: int, make: Callable[[], Errand | None]) -> None:
        heapq.heappush(self._queue, (self._now() + int(after * SECOND), number, make))
        self._changed()

    def next_due(self) -> int | None:
        """When something is due."""
        return self._queue[0][0] if self._queue else None

    def due(self) -> list[Errand]:
        """Do what is due, and take the calls that are; each must be answered by `answered`."""
        found: list[Errand] = []
        while self._queue and self._queue[0][0] <= self._now():
            errand = heapq.heappop(self._queue)[2]()
            if errand:
                found.append(errand)
        return found

    def answered(self, errand: Errand, answer: Answer | None) -> None:
        """A call got an answer, or none."""
        self.log.append({"at": self._now(), "service": errand.service, "kind": errand.kind, "code": answer.code if answer else None})
        errand.done(answer)
        self._changed()


#: Waits until the sandbox changes (True) or the seconds have passed (False; None: no end).
Changed = Callable[[float | None], Awaitable[bool]]


async def carry_all(
    errands: Errands, now: Now, carry: Carry, *, changed: Changed, start: Callable[[Coroutine[object, object, None]], object]
) -> None:
    """Carry out whatever comes due, each on its own, for as long as it is not cancelled."""

    async def one(errand: Errand) -> None:
        errands.answered(errand, await carry(errand))

    while True:
        for errand in errands.due():
            start(one(errand))
        following = errands.next_due()
        wait = None if following is None else max(0.0, (following - now()) / SECOND)
        if wait is None or wait > 0.0:
            await changed(wait)
