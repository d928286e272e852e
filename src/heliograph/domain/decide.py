"""Which events an act or an answer gives rise to. Pure; a command may be refused, a fact never."""

from dataclasses import dataclass
from typing import assert_never

from heliograph.domain import events as ev
from heliograph.domain.delivery import OPEN, RANK, TAKEN, Delivery, Question, State
from heliograph.domain.outcomes import (
    Absent,
    Accepted,
    DedupeClass,
    Deferred,
    FindResult,
    Found,
    Inconclusive,
    ReceiptLevel,
    Refused,
    SendResult,
    Unknown,
)
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.domain.retry import BUDGET, SECOND, backoff

#: How often a standing decision sends a reply again before a person is asked after all: while every answer of a provider is
#: lost, each of these is one more copy for the customer.
STANDING_RESENDS = 2


#: States in which a receipt can still give a message back.
HANDED_BACK = frozenset({State.UNKNOWN, State.ASKING, State.ACCEPTED})


class Refusal(Exception):
    """A command does not fit the delivery's state. The message says what to do instead."""


class Standing:
    """What an account has decided in advance for sends whose outcome cannot be proved."""

    ASK = "ask"
    RISK_DUPLICATE = "risk_duplicate"
    MOVE_ON = "move_on"
    ALL = (ASK, RISK_DUPLICATE, MOVE_ON)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is known of provider and account when an answer is judged. Times in microseconds."""

    dedupe: DedupeClass
    settle: int
    key_lifetime: int = 0
    standing: str = Standing.ASK
    #: The probe says that the provider is well: a failing message may be at fault itself.
    provider_well: bool = False


#: Code of an attempt that was recorded and then not made, because the key that was to protect it is too old.
KEY_EXPIRED = "key_expired"


def key_expired(delivery: Delivery, policy: Policy, *, now: int) -> bool:
    """Whether an attempt may have been taken so long ago that the provider no longer knows its key. Other refusals since prove nothing."""
    return policy.dedupe is DedupeClass.KEY and delivery.doubt_since > 0 and now >= delivery.doubt_since + policy.key_lifetime


def start(delivery: Delivery, *, fingerprint: str, overtaken: bool) -> list[ev.Event]:
    """The head of a lane is claimed: begin an attempt, or ask where sending now would be wrong."""
    if delivery.state is not State.QUEUED:
        raise Refusal(f"a delivery that is {delivery.state} cannot be started")
    if overtaken:
        return [ev.QuestionRaised(Question.OVERTAKEN)]
    return [ev.AttemptStarted(delivery.attempt + 1, fingerprint)]


def conclude(delivery: Delivery, result: SendResult, policy: Policy, *, now: int, jitter: float) -> list[ev.Event]:
    """What the answer to the open attempt means."""
    n = delivery.attempt
    match result:
        case Accepted(provider_id):
            return [ev.AttemptAccepted(n, provider_id)]
        case Refused(reason, code):
            return _not_taken(delivery, reason, code, None, now=now, jitter=jitter)
        case Deferred(code=code) if code == KEY_EXPIRED:
            return [ev.AttemptDeferred(n, Reason.NO_ANSWER, code, now, 0), *_unprovable(delivery, policy)]
        case Deferred(reason=Reason.STALE, code=code):
            deferred = ev.AttemptDeferred(n, Reason.STALE, "", now, 0)
            if delivery.doubt_since:
                # It was to be repeated under its own key. Whoever drops it now must know that it may be there.
                return [deferred, *_unprovable(delivery, policy)]
            return [deferred, ev.QuestionRaised(Question(code))]
        case Deferred(reason, after, code):
            return _not_taken(delivery, reason, code, after, now=now, jitter=jitter)
        case Unknown(reason, code):
            return _may_be_taken(delivery, reason, code, policy, now=now)
        case _:
            assert_never(result)


def interrupted(delivery: Delivery, policy: Policy, *, now: int) -> list[ev.Event]:
    """The lease over an open attempt has expired: unknown, never queued."""
    return _may_be_taken(delivery, Reason.INTERRUPTED, "", policy, now=now)


def moved(delivery: Delivery, policy: Policy, *, now: int) -> list[ev.Event]:
    """The store is an older state or a copy: what waits here may have been sent by whoever went on elsewhere. Unknown, never queued."""
    if delivery.state is not State.QUEUED:
        return []
    if policy.dedupe is DedupeClass.NONE:
        return [ev.DoubtRaised(None), *_unprovable(delivery, policy)]
    return [ev.DoubtRaised(now if policy.dedupe is DedupeClass.KEY else now + policy.settle)]


def _not_taken(delivery: Delivery, reason: Reason, code: str, after: float | None, *, now: int, jitter: float) -> list[ev.Event]:
    n = delivery.attempt
    match REASONS[reason].effect:
        case Effect.FAIL:
            return [ev.AttemptRefused(n, reason, code)]
        case Effect.HOLD_CREDENTIAL | Effect.HOLD_CHANNEL:
            return [ev.AttemptDeferred(n, reason, code, now, 0)]
        case Effect.WAIT:
            wait = int(after * SECOND) if after is not None else backoff(min(n - 1, 5), jitter)
            return [ev.AttemptDeferred(n, reason, code, now + wait, 0)]
        case Effect.SPEND:
            deferred = ev.AttemptDeferred(n, reason, code, now + backoff(delivery.spent, jitter), 1)
            if delivery.spent + 1 < BUDGET:
                return [deferred]
            return [deferred, ev.QuestionRaised(Question.MAY_HAVE_BEEN_SENT if delivery.doubt_since else Question.EXHAUSTED)]


def _may_be_taken(delivery: Delivery, reason: Reason, code: str, policy: Policy, *, now: int) -> list[ev.Event]:
    n = delivery.attempt
    match policy.dedupe:
        case DedupeClass.LOOKUP:
            return [ev.AttemptUnknown(n, reason, code, now + policy.settle)]
        case DedupeClass.KEY:
            return [ev.AttemptUnknown(n, reason, code, now)]
        case DedupeClass.ECHO:
            return [ev.AttemptUnknown(n, reason, code, now + policy.settle)]
        case DedupeClass.NONE:
            return [ev.AttemptUnknown(n, reason, code, None), *_unprovable(delivery, policy)]
        case _:
            assert_never(policy.dedupe)


def _unprovable(delivery: Delivery, policy: Policy) -> list[ev.Event]:
    question = ev.QuestionRaised(Question.MAY_HAVE_BEEN_SENT)
    if policy.standing == Standing.RISK_DUPLICATE and delivery.epoch < STANDING_RESENDS:
        return [question, ev.Resent(standing=True)]
    if policy.standing == Standing.MOVE_ON:
        return [question, ev.MarkedSent(standing=True)]
    return [question]


def settle(delivery: Delivery, found: FindResult | None, policy: Policy, *, now: int, jitter: float) -> list[ev.Event]:
    """The settle time of an unknown send is over. `found` is the look-up's answer, None where there is no look-up."""
    if delivery.state is not State.UNKNOWN:
        return []
    spent = 1 if policy.provider_well else 0
    ready_at = now + backoff(delivery.spent, jitter)
    match found:
        case None if policy.dedupe is DedupeClass.KEY and not key_expired(delivery, policy, now=now):
            return _again(delivery, ev.RepeatAllowed(delivery.attempt, ready_at, spent))
        case None:
            return _unprovable(delivery, policy)
        case Found(provider_id):
            return [ev.SendFound(provider_id, "lookup")]
        case Absent():
            return _again(delivery, ev.SendAbsent(delivery.attempt, ready_at, spent))
        case Inconclusive(reason) if REASONS[reason].effect is Effect.FAIL:
            # The conversation is closed or gone: asking again will never tell, and the lane waits.
            return _unprovable(delivery, policy)
        case Inconclusive(reason):
            return [ev.SettlePostponed(now + _patience(now - delivery.started_at, jitter), reason)]
        case _:
            assert_never(found)


def _patience(since: int, jitter: float) -> int:
    """Microseconds until the next look-up: the longer it has been in vain, the rarer, and never rarer than once a minute."""
    return int(min(max(since / 4, 8 * SECOND), 60 * SECOND) * (0.75 + jitter / 4))


def _again(delivery: Delivery, event: ev.SendAbsent | ev.RepeatAllowed) -> list[ev.Event]:
    if delivery.spent + event.spent < BUDGET:
        return [event]
    return [event, ev.QuestionRaised(Question.EXHAUSTED if isinstance(event, ev.SendAbsent) else Question.MAY_HAVE_BEEN_SENT)]


def late_answer(delivery: Delivery, attempt: int, result: SendResult) -> list[ev.Event]:
    """An answer whose worker had lost its lease. Acceptance is proof whoever brings it; anything else says nothing any more."""
    if isinstance(result, Accepted) and delivery.state not in TAKEN and delivery.attempt == attempt:
        return [ev.SendFound(result.provider_id, "late_answer")]
    return []


def receive(
    delivery: Delivery, *, level: ReceiptLevel, provider_id: str, key: str, reason: Reason | None, code: str, final: bool,
    spent: int = 0, ready_at: int = 0,
) -> list[ev.Event]:  # fmt: skip
    """What a receipt or an echo means, matched by the provider's id or by our key.

    `spent`: 1 where what is handed back for a fault that is not the message's own may be the message's own after all. `ready_at`: when
    it may go again.
    """
    other_key = bool(key) and key != delivery.key
    other_id = not key and bool(provider_id) and provider_id != delivery.provider_id
    if other_key or other_id or (level is ReceiptLevel.FAILED and not final):
        return [ev.ReceiptStale(level, code, provider_id)]
    if level is ReceiptLevel.FAILED:
        why = reason or Reason.OTHER
        if REASONS[why].effect in (Effect.FAIL, Effect.SPEND):
            return [ev.ReceiptFailed(why, code, provider_id)]
        returned = ev.ReceiptReturned(why, code, provider_id, ready_at, spent)
        if spent and delivery.spent + spent >= BUDGET and delivery.state in HANDED_BACK:
            return [returned, ev.QuestionRaised(Question.EXHAUSTED)]
        return [returned]
    if level is ReceiptLevel.ACCEPTED:
        if delivery.rank >= 1:
            return []
        return [ev.SendFound(provider_id, "echo")]
    if RANK[level] <= delivery.rank and delivery.state is not State.FAILED:
        return []
    return [ev.ReceiptReceived(level, provider_id)]


def resend(delivery: Delivery) -> list[ev.Event]:
    """A person decides to send again what asks, failed or was cancelled."""
    if delivery.state not in (State.ASKING, State.FAILED, State.CANCELLED):
        raise Refusal(f"Only a reply that asks, failed or was cancelled can be sent again; this one is {delivery.state}.")
    return [ev.Resent(standing=False)]


def mark_sent(delivery: Delivery) -> list[ev.Event]:
    """A person decides that an unproved send has arrived."""
    if delivery.state is not State.ASKING:
        raise Refusal(f"Only a reply that asks can be marked as sent; this one is {delivery.state}.")
    return [ev.MarkedSent(standing=False)]


def cancel(delivery: Delivery) -> list[ev.Event]:
    """A person decides not to send."""
    if delivery.state not in OPEN:
        raise Refusal(f"Only a waiting reply can be cancelled; this one is {delivery.state}.")
    if delivery.state in (State.SENDING, State.UNKNOWN) or (delivery.state is State.QUEUED and delivery.doubt_since):
        raise Refusal("This reply may be on its way; it can be cancelled once its outcome is known or it asks.")
    return [ev.ReplyCancelled()]
