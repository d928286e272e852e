"""Whether a channel or a credential version may be used: the hold, its trial and its end, as a fold."""

from enum import StrEnum
from typing import NamedTuple

from heliograph.domain import events as ev
from heliograph.domain.outcomes import CheckResult, Inconclusive, Invalid, Valid
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND


class Condition(StrEnum):
    """How a channel or credential version stands."""

    WELL = "well"
    #: Nothing new is started on it.
    HELD = "held"
    #: One lane at a time may try.
    TRIAL = "trial"


class Health(NamedTuple):
    """The row of one subject. A credential version's subject is `credential@fingerprint`."""

    account: str
    #: "channel" or "credential".
    kind: str
    subject: str
    condition: Condition
    reason: str
    code: str
    #: What failed, or what is awaited: see below. "" while well.
    operation: str
    held_since: int
    #: Microseconds between trials; doubles while they fail. While well: the last hold's.
    interval: int
    #: When the next probe is due. While well: until when what is handed back goes on with the last hold's interval.
    trial_at: int
    version: int


#: A probe did not pass: a passing one is enough to try.
CHECK = "check"
#: A send failed: a passing probe proves little, and a send is needed.
SEND = "send"
#: What was accepted was handed back by a receipt: acceptance proves little, and nothing must be handed back for a while.
RECEIPT = "receipt"
#: Only while held: the trial after such a hold was accepted, and may still be handed back.
VERDICT = "verdict"

FIRST_INTERVAL = 1 * SECOND
LAST_INTERVAL = 30 * SECOND
#: How long after a hold's end a message that is handed back speaks of the same fault: receipts can take minutes.
PROBATION = 300 * SECOND


class Schedule(NamedTuple):
    """When to probe next. Liveness, not history: it changes without an event and is no part of the fold."""

    interval: int
    trial_at: int


def well(account: str, kind: str, subject: str) -> Health:
    """The row of a subject about which nothing bad is known."""
    return Health(account, kind, subject, Condition.WELL, "", "", "", 0, 0, 0, 0)


def evolve(health: Health, event: ev.Event, at: int) -> Health:
    """What a recorded event makes of the row. Total."""
    row = health._replace(version=health.version + 1)
    match event:
        case ev.HoldStarted(reason, code, operation, trial_at, interval):
            since = health.held_since or at
            return Health(
                row.account, row.kind, row.subject, Condition.HELD, reason, code, operation, since, interval, trial_at, row.version
            )
        case ev.HoldProlonged(reason, code, operation, interval, trial_at):
            return row._replace(
                condition=Condition.HELD, reason=reason, code=code, operation=operation, interval=interval, trial_at=trial_at
            )
        case ev.TrialStarted():
            return row._replace(condition=Condition.TRIAL, trial_at=0)
        case ev.TrialPassed(interval, trial_at):
            return row._replace(condition=Condition.HELD, operation=VERDICT, interval=interval, trial_at=trial_at)
        case ev.HoldEnded():
            fresh = well(health.account, health.kind, health.subject)
            return fresh._replace(interval=health.interval, trial_at=at + PROBATION, version=row.version)
        case _:
            return row


def _doubled(health: Health) -> int:
    return min(max(health.interval * 2, FIRST_INTERVAL), LAST_INTERVAL)


def hold(health: Health, reason: Reason, code: str, operation: str, *, now: int) -> list[ev.Event]:
    """A fault that is not the message's own: nothing new is spent. The first probe is due at once, unless a hold has just ended in vain."""
    interval = _doubled(health)
    match health.condition:
        case Condition.WELL if operation == RECEIPT and now < health.trial_at:
            return [ev.HoldStarted(reason, code, operation, now + interval, interval)]
        case Condition.WELL:
            return [ev.HoldStarted(reason, code, operation, now)]
        case Condition.HELD if health.operation != VERDICT:
            return []
        case Condition.TRIAL | Condition.HELD:
            return [ev.HoldProlonged(reason, code, operation, interval, now + interval)]


def probed(health: Health, result: CheckResult, *, now: int) -> tuple[list[ev.Event], Schedule | None]:
    """What a probe means for its subject, and when the next is due."""
    match result:
        case Valid():
            return _passed(health, now=now)
        case Invalid(reason, code):
            return _not_passed(health, reason, code, CHECK, now=now)
        case Inconclusive(reason, code):
            # Throttling is not an outage, and silence keeps what is known of a failed operation.
            if health.condition is Condition.WELL and reason is Reason.RATE_LIMITED:
                return [], None
            known = health.condition is not Condition.WELL
            if known:
                return _not_passed(health, Reason(health.reason), health.code, health.operation, now=now)
            return _not_passed(health, reason, code, CHECK, now=now)


def _passed(health: Health, *, now: int) -> tuple[list[ev.Event], Schedule | None]:
    if health.condition is not Condition.HELD:
        return [], None
    if health.operation == CHECK:
        return [ev.TrialStarted()], None
    if not health.interval:
        # The probe passes right after a send failed, so it proves little: wait once, then try one lane.
        return [], Schedule(FIRST_INTERVAL, now + FIRST_INTERVAL)
    if now < health.trial_at:
        # Probes are also made out of turn, above all after each failed send: the next trial keeps its time.
        return [], None
    return [_end(health, now=now) if health.operation == VERDICT else ev.TrialStarted()], None


def _not_passed(health: Health, reason: Reason, code: str, operation: str, *, now: int) -> tuple[list[ev.Event], Schedule | None]:
    if health.condition is Condition.WELL:
        return [ev.HoldStarted(reason, code, operation, now + FIRST_INTERVAL)], None
    early = health.condition is Condition.HELD and now < health.trial_at
    # Many calls may fail at once and each asks for a probe: only one in its turn makes the next wait longer.
    interval, trial_at = (health.interval, health.trial_at) if early else (doubled := _doubled(health), now + doubled)
    if (health.reason, health.operation) != (reason, operation) or health.condition is Condition.TRIAL:
        return [ev.HoldProlonged(reason, code, operation, interval, trial_at)], None
    return [], None if early else Schedule(interval, trial_at)


def proved(health: Health, *, now: int) -> list[ev.Event]:
    """A send got through, or was refused for its own fault: the way is free, unless what is sent comes back."""
    if health.condition is Condition.WELL:
        return []
    if health.operation not in (RECEIPT, VERDICT):
        return [_end(health, now=now)]
    if health.condition is Condition.HELD:
        # Something was handed back while this call was under way: it goes on waiting.
        return []
    interval = max(health.interval, FIRST_INTERVAL)
    return [ev.TrialPassed(interval, now + interval)]


def _end(health: Health, *, now: int) -> ev.Event:
    return ev.HoldEnded((now - health.held_since) // SECOND)
