"""Decides, per request, which switched-on fault strikes; the transports carry it out."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from heliograph.sandbox.wire import SECOND, Cut, Drip, Drop, Json, Now, Outcome, Park, Rand, Refuse, Reply, Response


class Mode(StrEnum):
    """What goes wrong."""

    #: Every authenticated call is answered 401.
    REVOKED = "revoked"
    #: Sending is answered 403 (or `code`, e.g. 402), everything else works.
    NOT_PERMITTED = "not_permitted"
    #: 429, with Retry-After if `retry_after` is given. Not taken.
    RATE_LIMITED = "rate_limited"
    #: 500 (or `code`), not taken.
    ERROR_NOT_TAKEN = "error_not_taken"
    #: 500 (or `code`), although it was taken.
    ERROR_TAKEN = "error_taken"
    #: Taken, then the connection is closed without an answer.
    ANSWER_LOST = "answer_lost"
    #: The connection is closed before anything was taken.
    REQUEST_LOST = "request_lost"
    #: Taken at once, answered after `delay` seconds.
    SLOW = "slow"
    #: Taken only after `delay` seconds, even if the caller has given up by then.
    TAKEN_LATE = "taken_late"
    #: Taken; the body comes a few bytes at a time, `delay` seconds apart.
    DRIP = "drip"
    #: Taken; 200 with an HTML page instead of the answer.
    GARBAGE = "garbage"
    #: Taken; the body is shorter than announced.
    TRUNCATED = "truncated"
    #: Connections are refused.
    DOWN = "down"
    #: Taken, and later refused by a receipt.
    RECEIPT_FAILURE = "receipt_failure"
    #: Webhook calls: made twice, swapped with the next, made after `delay` seconds, kept until released, never made.
    WEBHOOK_DUPLICATED = "webhook_duplicated"
    WEBHOOK_REORDERED = "webhook_reordered"
    WEBHOOK_LATE = "webhook_late"
    WEBHOOK_HELD = "webhook_held"
    WEBHOOK_LOST = "webhook_lost"
    #: A bot owns every conversation and answers; our side stands by.
    BOT_OWNS = "bot_owns"


SERVICES = ("sunshine", "telegram", "whatsapp", "messenger", "instagram", "line", "twilio", "slack", "webhook", "zendesk")
#: Those that may take a message and say later that it failed.
REFUSE_LATER = frozenset({"sunshine", "whatsapp", "twilio", "webhook"})
_NETWORK = (Mode.DOWN, Mode.REQUEST_LOST)
_INSTEAD = (Mode.REVOKED, Mode.RATE_LIMITED, Mode.NOT_PERMITTED, Mode.ERROR_NOT_TAKEN)
_AFTER = (Mode.ERROR_TAKEN, Mode.ANSWER_LOST, Mode.DRIP, Mode.GARBAGE, Mode.TRUNCATED)
WEBHOOK_MODES = (
    Mode.WEBHOOK_LOST, Mode.WEBHOOK_HELD, Mode.WEBHOOK_LATE, Mode.WEBHOOK_REORDERED, Mode.WEBHOOK_DUPLICATED,
)  # fmt: skip
_SEND_ONLY = (Mode.NOT_PERMITTED, Mode.RECEIPT_FAILURE)
_WHOLE_SERVICE = (Mode.DOWN, Mode.BOT_OWNS)
_GARBAGE = b"<!doctype html><title>Maintenance</title><h1>We'll be right back</h1>"
_CODES = {Mode.REVOKED: 401, Mode.NOT_PERMITTED: 403, Mode.RATE_LIMITED: 429}


class BadFault(ValueError):
    """The fault makes no sense as described."""


@dataclass(slots=True)
class Fault:
    """One switch. `operation` is an operation's name, a group ("send", "read", ...) or "*"; `key` limits it to one key id."""

    service: str
    mode: Mode
    operation: str = "*"
    #: How many requests it still strikes; None until cleared.
    count: int | None = None
    probability: float = 1.0
    #: Seconds, for the modes that wait.
    delay: float = 5.0
    code: int | None = None
    retry_after: int | None = None
    key: str | None = None
    #: Error code and message of a receipt failure.
    error_code: str = "uncategorized_error"
    error_message: str = "The channel refused the message"
    id: str = ""
    struck: int = field(default=0)

    def __post_init__(self) -> None:
        if self.service not in SERVICES:
            raise BadFault(f"service must be one of {', '.join(SERVICES)}")
        if self.count is not None and self.count < 1:
            raise BadFault("count must be at least 1")
        if not 0.0 < self.probability <= 1.0:
            raise BadFault("probability must be in (0, 1]")
        if not 0.0 <= self.delay <= 86_400.0:
            raise BadFault("delay must be between 0 and 86400 seconds")
        if self.mode in _WHOLE_SERVICE and (self.count is not None or self.probability < 1.0 or self.operation != "*"):
            raise BadFault(f"{self.mode.value} is a state of the whole service: no count, probability or operation")
        if self.mode in _SEND_ONLY and self.operation == "*":
            self.operation = "send"
        if self.mode is Mode.BOT_OWNS and self.service != "sunshine":
            raise BadFault("only sunshine has a switchboard")
        if self.mode is Mode.RECEIPT_FAILURE and self.service not in REFUSE_LATER:
            raise BadFault(f"receipts that a message failed come from {', '.join(sorted(REFUSE_LATER))} only")

    def to_json(self) -> Json:
        """For the control API."""
        return {
            "id": self.id, "service": self.service, "mode": self.mode.value, "operation": self.operation, "count": self.count,
            "probability": self.probability, "delay": self.delay, "code": self.code, "retry_after": self.retry_after,
            "key": self.key, "error_code": self.error_code, "struck": self.struck,
        }  # fmt: skip


def fault_from_json(data: Any) -> Fault:
    """Read a fault as the control API takes it. Raises BadFault."""
    if not isinstance(data, dict):
        raise BadFault("a fault is a JSON object")
    kinds: dict[str, tuple[type, ...]] = {
        "service": (str,), "operation": (str,), "count": (int,), "probability": (int, float), "delay": (int, float), "code": (int,),
        "retry_after": (int,), "key": (str,), "error_code": (str,), "error_message": (str,),
    }  # fmt: skip
    try:
        mode = Mode(str(data.get("mode")))
    except ValueError:
        raise BadFault(f"mode must be one of {', '.join(Mode)}") from None
    given: dict[str, Any] = {}
    for name, value in data.items():
        if name == "mode" or value is None:
            continue
        if name not in kinds:
            raise BadFault(f"unknown member {name!r}")
        if isinstance(value, bool) or not isinstance(value, kinds[name]):
            raise BadFault(f"{name} has the wrong type")
        given[name] = value
    if "service" not in given:
        raise BadFault("service is missing")
    return Fault(mode=mode, **given)


@dataclass(frozen=True, slots=True)
class Strike:
    """What the faults want done with one request. `before` replaces taking it, `after` replaces the answer."""

    before: Fault | None = None
    after: Fault | None = None
    delay: float = 0.0
    late: float = 0.0
    receipt: Fault | None = None


class Faults:
    """The switches of all services."""

    def __init__(self, rand: Rand, changed: Callable[[], None]) -> None:
        self._rand = rand
        self._changed = changed
        self._active: dict[str, Fault] = {}
        self._numbers = itertools.count(1)

    def set(self, fault: Fault) -> Fault:
        """Switch a fault on. It gets an id."""
        fault.id = f"f{next(self._numbers)}"
        self._active[fault.id] = fault
        self._changed()
        return fault

    def clear(self, *, id: str | None = None, service: str | None = None, mode: Mode | None = None) -> int:
        """Switch off what matches all that is given (everything, if nothing is); how many there were."""
        gone = [
            f for f in self._active.values()
            if (id is None or f.id == id) and (service is None or f.service == service) and (mode is None or f.mode is mode)
        ]  # fmt: skip
        for fault in gone:
            del self._active[fault.id]
        if gone:
            self._changed()
        return len(gone)

    def active(self, service: str | None = None) -> list[Fault]:
        """What is switched on, oldest first."""
        return [f for f in self._active.values() if service is None or f.service == service]

    def is_on(self, service: str, mode: Mode) -> bool:
        """Whether a state of the whole service is on."""
        return any(f.service == service and f.mode is mode for f in self._active.values())

    def network(self, service: str, operation: str, group: str) -> Fault | None:
        """The fault that strikes before the service sees anything, if any."""
        return self._first(_NETWORK, service, operation, group, None) if self._active else None

    def strike(self, service: str, operation: str, group: str, key: str) -> Strike:
        """What happens to an authenticated request. Spends counts."""
        if not self._active:
            return Strike()
        before = self._first(_INSTEAD, service, operation, group, key)
        slow = self._first((Mode.SLOW,), service, operation, group, key)
        delay = slow.delay if slow else 0.0
        if before:
            return Strike(before=before, delay=delay)
        late = self._first((Mode.TAKEN_LATE,), service, operation, group, key)
        return Strike(
            after=self._first(_AFTER, service, operation, group, key),
            delay=delay,
            late=late.delay if late else 0.0,
            receipt=self._first((Mode.RECEIPT_FAILURE,), service, operation, group, key),
        )

    def webhook(self, service: str, event: str) -> Fault | None:
        """What happens to a webhook call about `event`."""
        return self._first(WEBHOOK_MODES, service, event, "webhook", None) if self._active else None

    def _first(self, modes: tuple[Mode, ...], service: str, operation: str, group: str, key: str | None) -> Fault | None:
        for mode in modes:
            for fault in list(self._active.values()):
                if fault.mode is mode and fault.service == service and self._applies(fault, operation, group, key):
                    return fault
        return None

    def _applies(self, fault: Fault, operation: str, group: str, key: str | None) -> bool:
        if fault.operation not in ("*", operation, group) or (fault.key is not None and fault.key != key):
            return False
        if fault.probability < 1.0 and self._rand() >= fault.probability:
            return False
        fault.struck += 1
        if fault.count is not None:
            fault.count -= 1
            if fault.count == 0:
                del self._active[fault.id]
                self._changed()
        return True


def code_of(fault: Fault) -> int:
    """The HTTP code with which a fault answers."""
    return fault.code or _CODES.get(fault.mode, 500)


def network_outcome(fault: Fault) -> Outcome:
    """What a fault before the service looks like to the caller."""
    return Refuse() if fault.mode is Mode.DOWN else Drop(taken=False)


def carry_out(strike: Strike, now: Now, refuse: Callable[[Fault], Response], take: Callable[[], Response]) -> Outcome:
    """Turn a strike into what the transport must do; `refuse` words an error in the service's own shape, `take` does the work."""
    if strike.before:
        return Reply(_refused(strike.before, refuse), strike.delay)
    if strike.late:
        rest = Strike(after=strike.after, delay=strike.delay)
        return Park(until=now() + int(strike.late * SECOND), wakeable=False, again=lambda: carry_out(rest, now, refuse, take))
    response = take()
    if not strike.after:
        return Reply(response, strike.delay)
    fault = strike.after
    match fault.mode:
        case Mode.ERROR_TAKEN:
            return Reply(_refused(fault, refuse), strike.delay)
        case Mode.ANSWER_LOST:
            return Drop(taken=response.code < 400, delay=strike.delay)
        case Mode.DRIP:
            return Drip(response, 8, fault.delay)
        case Mode.GARBAGE:
            return Reply(Response(200, _GARBAGE, {"content-type": "text/html"}), strike.delay)
        case Mode.TRUNCATED:
            return Cut(response, len(response.body) // 2, strike.delay)
        case _:
            raise AssertionError(fault.mode)


def _refused(fault: Fault, refuse: Callable[[Fault], Response]) -> Response:
    """An error, and when to come back where the fault says so."""
    response = refuse(fault)
    return response if fault.retry_after is None else response.with_header("retry-after", str(fault.retry_after))
