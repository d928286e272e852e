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
    #: What failed: "send" or "check"; a hold after a failed send needs a send to prove itself.
    operation: str
    held_since: int
    #: Microseconds between trials; doubles while they fail.
    interval: int
    #: When the next probe is due; 0 while well.
    trial_at: int
    version: int


FIRST_INTERVAL = 1 * SECOND
LAST_INTERVAL = 30 * SECOND


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
        case ev.HoldStarted(reason, code, operation, trial_at):
            since = health.held_since or at
            return Health(row.account, row.kind, row.subject, Condition.HELD, reason, code, operation, since, 0, trial_at, row.version)
        case ev.HoldProlonged(reason, code, operation, interval, trial_at):
            return row._replace(
                condition=Condition.HELD, reason=reason, code=code, operation=operation, interval=interval, trial_at=trial_at
            )
        case ev.TrialStarted():
            return row._replace(condition=Condition.TRIAL, trial_at=0)
        case ev.HoldEnded():
            return well(health.account, health.kind, health.subject)._replace(version=row.version)
        case _:
            return row


def _doubled(health: Health) -> int:
    return min(max(health.interval * 2, FIRST_INTERVAL), LAST_INTERVAL)


def hold(health: Health, reason: Reason, code: str, operation: str, *, now: int) -> list[ev.Event]:
    """A fault that is not the message's own: nothing new is spent. The first probe is due at once."""
    match health.condition:
        case Condition.WELL:
            return [ev.HoldStarted(reason, code, operation, now)]
        case Condition.TRIAL:
            interval = _doubled(health)
            return [ev.HoldProlonged(reason, code, operation, interval, now + interval)]
        case Condition.HELD:
            return []


def probed(health: Health, result: CheckResult, *, now: int) -> tuple[list[ev.Event], Schedule | None]:
    """What a probe means for its subject, and when the next is due."""
    match result:
        case Valid():
            return _passed(health, now=now)
        case Invalid(reason, code):
            return _not_passed(health, reason, code, "check", now=now)
        case Inconclusive(reason, code):
            # Throttling is not an outage, and silence keeps what is known of a failed operation.
            if health.condition is Condition.WELL and reason is Reason.RATE_LIMITED:
                return [], None
            known = health.condition is not Condition.WELL
            if known:
                return _not_passed(health, Reason(health.reason), health.code, health.operation, now=now)
            return _not_passed(health, reason, code, "check", now=now)


def _passed(health: Health, *, now: int) -> tuple[list[ev.Event], Schedule | None]:
    if health.condition is not Condition.HELD:
        return [], None
    if health.operation == "send" and not health.interval:
        # The probe passes right after a send failed, so it proves little: wait once, then try one lane.
        return [], Schedule(FIRST_INTERVAL, now + FIRST_INTERVAL)
    return [ev.TrialStarted()], None


def _not_passed(health: Health, reason: Reason, code: str, operation: str, *, now: int) -> tuple[list[ev.Event], Schedule | None]:
    if health.condition is Condition.WELL:
        return [ev.HoldStarted(reason, code, operation, now + FIRST_INTERVAL)], None
    interval = _doubled(health)
    changed = (health.reason, health.operation) != (reason, operation) or health.condition is Condition.TRIAL
    if changed:
        return [ev.HoldProlonged(reason, code, operation, interval, now + interval)], None
    return [], Schedule(interval, now + interval)


def proved(health: Health, *, now: int) -> list[ev.Event]:
    """A send got through, or was refused for its own fault: the way is free."""
    if health.condition is Condition.WELL:
        return []
    return [ev.HoldEnded((now - health.held_since) // SECOND)]
