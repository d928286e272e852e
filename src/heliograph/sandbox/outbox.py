"""Webhook calls to make: when, how often, and what an answer means. A driver makes them."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from heliograph.sandbox.faults import Faults, Mode
from heliograph.sandbox.wire import SECOND, Json, Now


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a service repeats a webhook call: waits in seconds between attempts, and answers after which it gives up."""

    waits: tuple[float, ...]
    gives_up_on: frozenset[int]
    timeout: float


#: Up to 5 attempts inside 15 minutes, exponential; 20 s for an answer; some answers are final
#: (Sunshine Conversations API specification, section "Webhooks", retry policy).
SUNSHINE_RETRIES = RetryPolicy((10.0, 40.0, 160.0, 640.0), frozenset({400, 401, 403, 404, 406}), 20.0)
#: Telegram promises "a reasonable amount of attempts" only.
TELEGRAM_RETRIES = RetryPolicy(tuple(min(60.0, 2.0**n) for n in range(60)), frozenset(), 30.0)


@dataclass(slots=True)
class Target:
    """Where calls of one webhook go, and how events become one request."""

    id: str
    service: str
    url: str
    policy: RetryPolicy
    #: Largest number of events in one call.
    batch: Callable[[], int]
    #: Headers and body for a list of events.
    pack: Callable[[list[Json]], tuple[dict[str, str], bytes]] = field(repr=False)
    #: Told of each event that was answered with success.
    arrived: Callable[[Json], None] = field(repr=False)
    removed: bool = False


@dataclass(slots=True, order=True)
class _Entry:
    due: int
    number: int
    target: Target = field(compare=False)
    kind: str = field(compare=False)
    event: Json = field(compare=False, repr=False)
    attempt: int = field(compare=False, default=1)


@dataclass(frozen=True, slots=True)
class Callback:
    """One webhook call to make now: POST `body` to `url`, wait `timeout` seconds for an answer, tell `Outbox.answered`."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float
    entries: "tuple[_Entry, ...]" = field(repr=False)


class Outbox:
    """All webhook calls that are due, waiting or held."""

    def __init__(self, now: Now, faults: Faults, changed: Callable[[], None]) -> None:
        self._now = now
        self._faults = faults
        self._changed = changed
        self._queue: list[_Entry] = []
        self._held: list[_Entry] = []
        self._swap: dict[str, _Entry] = {}
        self._numbers = itertools.count(1)
        #: Attempts made: time, webhook, kinds of events, attempt, answer (None: no answer).
        self.log: deque[Json] = deque(maxlen=20_000)

    def put(self, target: Target, kind: str, event: Json, after: float = 0.0) -> None:
        """Have `event` delivered `after` seconds from now, or as the faults have it."""
        fault = self._faults.webhook(target.service, kind)
        entry = self._entry(target, kind, event, after)
        match fault.mode if fault else None:
            case Mode.WEBHOOK_LOST:
                return
            case Mode.WEBHOOK_HELD:
                self._held.append(entry)
            case Mode.WEBHOOK_LATE if fault:
                entry.due += int(fault.delay * SECOND)
                self._push(entry)
            case Mode.WEBHOOK_REORDERED if target.id not in self._swap:
                self._swap[target.id] = entry
            case Mode.WEBHOOK_DUPLICATED:
                self._push(entry)
                self._push(self._entry(target, kind, event, after))
            case _:
                self._push(entry)
        if target.id in self._swap and self._swap[target.id] is not entry:
            first = self._swap.pop(target.id)
            first.due, first.number = max(first.due, entry.due), next(self._numbers)
            self._push(first)
        self._changed()

    def release(self) -> int:
        """Let go of what is held back (and of a call that waits for one to swap with); how many."""
        waiting = [*self._held, *self._swap.values()]
        self._held.clear()
        self._swap.clear()
        for entry in waiting:
            entry.due = self._now()
            self._push(entry)
        if waiting:
            self._changed()
        return len(waiting)

    def next_due(self) -> int | None:
        """When the next call is due."""
        return self._queue[0].due if self._queue else None

    def due(self) -> list[Callback]:
        """Take the calls that are due; each must be answered by `answered`."""
        now = self._now()
        groups: list[list[_Entry]] = []
        open_group: dict[str, list[_Entry]] = {}
        while self._queue and self._queue[0].due <= now:
            entry = heapq.heappop(self._queue)
            if entry.target.removed:
                continue
            group = open_group.get(entry.target.id)
            if group is None or len(group) >= entry.target.batch() or group[0].attempt != entry.attempt:
                group = open_group[entry.target.id] = []
                groups.append(group)
            group.append(entry)
        return [self._call(group) for group in groups]

    def answered(self, call: Callback, code: int | None) -> None:
        """A call got `code`, or no answer (None). Schedules the repetition, if the service would repeat."""
        target = call.entries[0].target
        attempt = call.entries[0].attempt
        self.log.append(
            {"at": self._now(), "service": target.service, "webhook": target.id, "attempt": attempt, "code": code,
             "kinds": [e.kind for e in call.entries], "ids": [str(e.event.get("id", e.event.get("update_id"))) for e in call.entries]}
        )  # fmt: skip
        if code is not None and 200 <= code < 300:
            for entry in call.entries:
                target.arrived(entry.event)
        elif code not in target.policy.gives_up_on and attempt <= len(target.policy.waits) and not target.removed:
            for entry in call.entries:
                entry.attempt += 1
                entry.due = self._now() + int(target.policy.waits[attempt - 1] * SECOND)
                self._push(entry)
        self._changed()

    def waiting(self) -> Json:
        """How many events are queued and held."""
        return {"queued": len(self._queue), "held": len(self._held) + len(self._swap)}

    def _entry(self, target: Target, kind: str, event: Json, after: float) -> _Entry:
        return _Entry(self._now() + int(after * SECOND), next(self._numbers), target, kind, event)

    def _push(self, entry: _Entry) -> None:
        heapq.heappush(self._queue, entry)

    def _call(self, group: list[_Entry]) -> Callback:
        target = group[0].target
        headers, body = target.pack([entry.event for entry in group])
        return Callback(target.url, headers, body, target.policy.timeout, tuple(group))
