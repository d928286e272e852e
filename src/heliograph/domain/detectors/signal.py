"""What the detectors read of the ledger, and what of it speaks for or against the way to a provider."""

import json
from enum import StrEnum
from typing import NamedTuple

from heliograph.domain.reasons import REASONS, Blame, Effect, Reason
from heliograph.domain.retry import SECOND

MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE


class Signal(NamedTuple):
    """One event as far as detection needs it. `place` and `seq` order all accounts' events: what comes later sorts after.

    `attempt` is None for what is no attempt's result; `data` is the event's payload (JSON), "" for an acceptance.
    `kind` is "" for the mark that ends a reading: everything up to there has been read.
    """

    place: int
    seq: int
    at: int
    account: str
    #: The ticket of an attempt; the channel or credential of a hold.
    stream_id: str
    #: "channel:<id>" or "credential:<id>@<version>" of a hold.
    subject: str
    kind: str
    channel: str
    #: credential@version
    credential: str
    release: str
    attempt: int | None
    reason: str
    data: str


class Meaning(StrEnum):
    """What an attempt's result says about the way, not about the message."""

    #: The way is free.
    WELL = "well"
    #: Counts as a failure.
    FAILED = "failed"
    #: The message's or the contact's own, throttling, or our own stop: says nothing.
    NEUTRAL = "neutral"


#: Attempts that were recorded and then not made: the codes say so, see services.deliver.
NOT_MADE = frozenset({"not_started", "late_start", "key_expired"})
HOLDING = frozenset({Effect.HOLD_CREDENTIAL, Effect.HOLD_CHANNEL})


def speaks(reason: Reason) -> bool:
    """Whether a failure with this reason counts: the provider's silence or refusal of us, or a malformed request of ours."""
    row = REASONS[reason]
    if row.effect in HOLDING:
        return True
    if row.effect is Effect.FAIL:
        return row.blame is Blame.US
    return row.blame is Blame.PROVIDER


FAILURES = frozenset(reason.value for reason in Reason if speaks(reason))
#: Reasons that are an account's own to mend, where the credential is its own.
OWN = frozenset(reason.value for reason in Reason if REASONS[reason].blame is Blame.ADMIN)


def meaning(signal: Signal) -> Meaning:
    """What one result says. A reason that a newer version has written says nothing."""
    if signal.kind == "attempt_accepted":
        return Meaning.WELL
    if signal.reason in FAILURES and field(signal, "code") not in NOT_MADE:
        return Meaning.FAILED
    return Meaning.NEUTRAL


def field(signal: Signal, name: str) -> str:
    """A field of the event's payload, "" where there is none."""
    return str(json.loads(signal.data).get(name, "")) if signal.data else ""
