"""The one state machine: what may happen to a delivery, and what a fact makes of it."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from heliograph.domain import events as ev
from heliograph.domain.outcomes import ReceiptLevel


class State(StrEnum):
    """What to do next with a delivery."""

    #: Waits for its turn, for `ready_at`, or for its channel.
    QUEUED = "queued"
    #: An attempt is open: the provider may be working on it now.
    SENDING = "sending"
    #: May have been sent; being settled.
    UNKNOWN = "unknown"
    #: A person must decide.
    ASKING = "asking"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"
    #: Finally refused; visible to the agent.
    FAILED = "failed"
    #: A person chose not to send it.
    CANCELLED = "cancelled"


#: States in which a delivery still holds its place in the lane.
OPEN = frozenset({State.QUEUED, State.SENDING, State.UNKNOWN, State.ASKING})
#: Open states that keep the lane from being claimed.
BLOCKING = frozenset({State.UNKNOWN, State.ASKING})
#: States in which the provider has the message.
TAKEN = frozenset({State.ACCEPTED, State.DELIVERED, State.READ})


class Question(StrEnum):
    """Why a person must decide."""

    #: The outcome of an attempt cannot be proved.
    MAY_HAVE_BEEN_SENT = "may_have_been_sent"
    #: A later reply of the conversation is already there.
    OVERTAKEN = "overtaken"
    #: The provider kept failing on this message alone.
    EXHAUSTED = "exhausted"
    #: It waited longer than the account lets replies wait unasked.
    WAITED_TOO_LONG = "waited_too_long"
    #: The provider's reply window has closed while it waited.
    WINDOW_CLOSED = "window_closed"
    #: The ticket was solved later, and not together with it.
    SOLVED_SINCE = "solved_since"
    #: The contact has since written something that may change the answer.
    CONTACT_WROTE = "contact_wrote"
    #: The same agent has since written the same again.
    WRITTEN_AGAIN = "written_again"


class Delivery(NamedTuple):
    """The row: the fold of a delivery's events, and all that is needed to act next."""

    account: str
    id: str
    ticket: str
    comment: str
    channel: str
    #: The conversation, which is the unit of order.
    lane: str
    #: Position in the lane, from 1.
    seq: int
    #: Which part of the comment, from 1.
    part: int
    parts: int
    state: State
    #: Why it is not further: a Reason, or "".
    reason: str
    #: The provider's own code beside the reason.
    code: str
    #: A Question while asking, else "".
    question: str
    #: Attempts started in all.
    attempt: int
    #: 1 while the last attempt has no result.
    attempt_open: int
    #: Retry budget spent by faults that may be the message's own.
    spent: int
    #: Raised by each decision to send again: a new epoch has a new key.
    epoch: int
    #: 1 after the provider handed it back by receipt: a later reply may be there already.
    returned: int
    #: Highest receipt: 0 none, 1 accepted, 2 delivered, 3 read.
    rank: int
    provider_id: str
    ready_at: int
    #: When the next look-up is due, while unknown.
    settle_at: int | None
    queued_at: int
    #: Start of the last attempt.
    started_at: int
    #: When it was first accepted, for latencies and the look-up's window; 0 before.
    accepted_at: int
    #: Start of the epoch's first attempt that may have been taken and is not proved absent; 0 where there is none.
    doubt_since: int
    #: Number of events folded: the compare-and-set guard.
    version: int

    @property
    def key(self) -> str:
        """Our id of the message at the provider; the same for all attempts of an epoch."""
        return f"{self.id}.{self.epoch}" if self.epoch else self.id


INDEX = {name: index for index, name in enumerate(Delivery._fields)}


def _set(row: Delivery, **fields: Any) -> Delivery:
    """The row with some fields changed: what `_replace` does, at a third of its cost, which every event pays twice."""
    values = list(row)
    for name, value in fields.items():
        values[INDEX[name]] = value
    return Delivery._make(values)


RANK = {ReceiptLevel.ACCEPTED: 1, ReceiptLevel.SENT: 1, ReceiptLevel.DELIVERED: 2, ReceiptLevel.READ: 3}
RANKED = {1: State.ACCEPTED, 2: State.DELIVERED, 3: State.READ}

S = State
#: Every edge, as data. An attempt's result and a receipt are facts: where no edge is named they are
#: recorded and change no state. `{rank}` means: the state of the highest receipt so far.
TRANSITIONS: dict[tuple[State, type[ev.Event]], State | str] = {
    (S.QUEUED, ev.AttemptStarted): S.SENDING,
    (S.SENDING, ev.AttemptAccepted): "{rank}",
    (S.SENDING, ev.AttemptRefused): S.FAILED,
    (S.SENDING, ev.AttemptDeferred): S.QUEUED,
    (S.SENDING, ev.AttemptUnknown): S.UNKNOWN,
    (S.QUEUED, ev.SendFound): "{rank}",
    (S.UNKNOWN, ev.SendFound): "{rank}",
    (S.ASKING, ev.SendFound): "{rank}",
    (S.FAILED, ev.SendFound): "{rank}",
    (S.CANCELLED, ev.SendFound): "{rank}",
    (S.UNKNOWN, ev.SendAbsent): S.QUEUED,
    (S.UNKNOWN, ev.RepeatAllowed): S.QUEUED,
    (S.QUEUED, ev.DoubtRaised): S.UNKNOWN,
    (S.QUEUED, ev.QuestionRaised): S.ASKING,
    (S.UNKNOWN, ev.QuestionRaised): S.ASKING,
    (S.ASKING, ev.Resent): S.QUEUED,
    (S.FAILED, ev.Resent): S.QUEUED,
    (S.CANCELLED, ev.Resent): S.QUEUED,
    (S.ASKING, ev.MarkedSent): S.ACCEPTED,
    (S.QUEUED, ev.ReplyCancelled): S.CANCELLED,
    (S.ASKING, ev.ReplyCancelled): S.CANCELLED,
    (S.QUEUED, ev.ReceiptReceived): "{rank}",
    (S.UNKNOWN, ev.ReceiptReceived): "{rank}",
    (S.ASKING, ev.ReceiptReceived): "{rank}",
    (S.ACCEPTED, ev.ReceiptReceived): "{rank}",
    (S.DELIVERED, ev.ReceiptReceived): "{rank}",
    (S.FAILED, ev.ReceiptReceived): "{rank}",
    (S.CANCELLED, ev.ReceiptReceived): "{rank}",
    (S.UNKNOWN, ev.ReceiptFailed): S.FAILED,
    (S.ASKING, ev.ReceiptFailed): S.FAILED,
    (S.ACCEPTED, ev.ReceiptFailed): S.FAILED,
    (S.UNKNOWN, ev.ReceiptReturned): S.QUEUED,
    (S.ASKING, ev.ReceiptReturned): S.QUEUED,
    (S.ACCEPTED, ev.ReceiptReturned): S.QUEUED,
}


def queued(
    *, account: str, id: str, ticket: str, comment: str, channel: str, lane: str, seq: int, event: ev.ReplyQueued, now: int
) -> Delivery:
    """The row that a ReplyQueued event begins. `seq` comes from the lane, in the same transaction."""
    return Delivery(
        account, id, ticket, comment, channel, lane, seq, event.part, event.parts, S.QUEUED,
        "", "", "", 0, 0, 0, 0, 0, 0, "", now, None, now, 0, 0, 0, 1,
    )  # fmt: skip


def evolve(delivery: Delivery, event: ev.Event, at: int) -> Delivery:
    """What a recorded event makes of the row. Total: a fact is never refused. `at` is when it was recorded."""
    fold = FOLDS.get(type(event))
    target = TRANSITIONS.get((delivery.state, type(event)))
    if target is None and type(event) in DECISIONS:
        # Proof came between: what was to be decided is no question any more.
        return _set(delivery, version=delivery.version + 1)
    changed = delivery if fold is None else fold(delivery, event, at)
    if target is None or (fold is not None and changed is delivery):
        return _set(changed, version=delivery.version + 1)
    state = RANKED[changed.rank] if target == "{rank}" else S(target)
    if changed.rank and state not in TAKEN and type(event) in RESULTS:
        # The echo of this very attempt overtook its answer: the proof counts more than the answer.
        state = RANKED[changed.rank]
    done = state in TAKEN
    return _set(
        changed,
        state=state,
        version=delivery.version + 1,
        question=changed.question if state is S.ASKING else "",
        settle_at=changed.settle_at if state is S.UNKNOWN else None,
        reason="" if done else changed.reason,
        code="" if done else changed.code,
        accepted_at=(delivery.accepted_at or at) if done else delivery.accepted_at,
        doubt_since=0 if done else changed.doubt_since,
    )


#: Of no consequence where no edge is named, in contrast to other facts, which are noted in every state.
DECISIONS = frozenset({ev.DoubtRaised, ev.QuestionRaised, ev.Resent, ev.MarkedSent, ev.ReceiptFailed, ev.ReceiptReturned})
RESULTS = frozenset({ev.AttemptAccepted, ev.AttemptRefused, ev.AttemptDeferred, ev.AttemptUnknown})


def _current(delivery: Delivery, attempt: int) -> bool:
    return bool(delivery.attempt_open) and attempt == delivery.attempt


def _started(d: Delivery, e: ev.AttemptStarted, at: int) -> Delivery:
    return _set(d, attempt=e.attempt, attempt_open=1, started_at=at, reason="", code="")


def _accepted(d: Delivery, e: ev.AttemptAccepted, at: int) -> Delivery:
    if not _current(d, e.attempt):
        return d
    return _set(d, attempt_open=0, rank=max(d.rank, 1), provider_id=e.provider_id)


def _refused(d: Delivery, e: ev.AttemptRefused, at: int) -> Delivery:
    return _set(d, attempt_open=0, reason=e.reason, code=e.code) if _current(d, e.attempt) else d


def _deferred(d: Delivery, e: ev.AttemptDeferred, at: int) -> Delivery:
    if not _current(d, e.attempt):
        return d
    return _set(d, attempt_open=0, reason=e.reason, code=e.code, ready_at=e.ready_at, spent=d.spent + e.spent)


def _unknown(d: Delivery, e: ev.AttemptUnknown, at: int) -> Delivery:
    if not _current(d, e.attempt):
        return d
    return _set(d, attempt_open=0, reason=e.reason, code=e.code, settle_at=e.settle_at, doubt_since=d.doubt_since or d.started_at)


def _found(d: Delivery, e: ev.SendFound, at: int) -> Delivery:
    return _set(d, rank=max(d.rank, 1), provider_id=e.provider_id or d.provider_id)


def _absent(d: Delivery, e: ev.SendAbsent, at: int) -> Delivery:
    return _set(d, ready_at=e.ready_at, spent=d.spent + e.spent, doubt_since=0)


def _allowed(d: Delivery, e: ev.RepeatAllowed, at: int) -> Delivery:
    return _set(d, ready_at=e.ready_at, spent=d.spent + e.spent)


def _postponed(d: Delivery, e: ev.SettlePostponed, at: int) -> Delivery:
    return _set(d, settle_at=e.settle_at) if d.state is S.UNKNOWN else d


def _doubted(d: Delivery, e: ev.DoubtRaised, at: int) -> Delivery:
    since = d.started_at or d.queued_at
    return _set(d, settle_at=e.settle_at, doubt_since=d.doubt_since or since, started_at=since) if d.state is S.QUEUED else d


def _question(d: Delivery, e: ev.QuestionRaised, at: int) -> Delivery:
    return _set(d, question=e.question)


def _new_epoch(d: Delivery, at: int) -> Delivery:
    return _set(d, epoch=d.epoch + 1, rank=0, provider_id="", ready_at=at, accepted_at=0, doubt_since=0)


def _resent(d: Delivery, e: ev.Resent, at: int) -> Delivery:
    return _set(_new_epoch(d, at), reason="", code="", spent=0, returned=0)


def _marked(d: Delivery, e: ev.MarkedSent, at: int) -> Delivery:
    return _set(d, rank=max(d.rank, 1))


def _received(d: Delivery, e: ev.ReceiptReceived, at: int) -> Delivery:
    return _set(d, rank=max(d.rank, RANK[e.level]), provider_id=d.provider_id or e.provider_id)


def _failed(d: Delivery, e: ev.ReceiptFailed, at: int) -> Delivery:
    return d if d.rank > 1 else _set(d, rank=0, reason=e.reason, code=e.code)


def _returned(d: Delivery, e: ev.ReceiptReturned, at: int) -> Delivery:
    if d.rank > 1:
        return d
    return _set(_new_epoch(d, max(at, e.ready_at)), reason=e.reason, code=e.code, returned=1, spent=d.spent + e.spent)


#: How each kind fills the row's other fields. A fold that returns the row itself says: of no consequence.
FOLDS: dict[type[ev.Event], Callable[[Delivery, Any, int], Delivery]] = {
    ev.AttemptStarted: _started,
    ev.AttemptAccepted: _accepted,
    ev.AttemptRefused: _refused,
    ev.AttemptDeferred: _deferred,
    ev.AttemptUnknown: _unknown,
    ev.SendFound: _found,
    ev.SendAbsent: _absent,
    ev.RepeatAllowed: _allowed,
    ev.SettlePostponed: _postponed,
    ev.DoubtRaised: _doubted,
    ev.QuestionRaised: _question,
    ev.Resent: _resent,
    ev.MarkedSent: _marked,
    ev.ReceiptReceived: _received,
    ev.ReceiptFailed: _failed,
    ev.ReceiptReturned: _returned,
}
