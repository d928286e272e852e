"""Whether a delivery is affected by an incident, and what became of it. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heliograph.domain import events as ev
from heliograph.domain.delivery import TAKEN, Delivery, Question, State
from heliograph.ports.rows import EventRead

FOREVER = 2**62


class Span(NamedTuple):
    """From `start` to before `end`, microseconds."""

    start: int
    end: int


#: Kinds after which a delivery is queued, and after which it is not.
QUEUED = frozenset({
    ev.ReplyQueued.kind, ev.AttemptDeferred.kind, ev.SendAbsent.kind, ev.RepeatAllowed.kind, ev.Resent.kind, ev.ReceiptReturned.kind,
})  # fmt: skip
LEFT = frozenset({
    ev.AttemptStarted.kind, ev.AttemptAccepted.kind, ev.AttemptRefused.kind, ev.AttemptUnknown.kind, ev.SendFound.kind,
    ev.QuestionRaised.kind, ev.MarkedSent.kind, ev.ReplyCancelled.kind, ev.ReceiptReceived.kind, ev.ReceiptFailed.kind,
})  # fmt: skip

#: Kinds after which a delivery stands in nobody's way.
SETTLED = frozenset({
    ev.AttemptAccepted.kind, ev.AttemptRefused.kind, ev.SendFound.kind, ev.MarkedSent.kind, ev.ReplyCancelled.kind, ev.ReceiptFailed.kind,
})  # fmt: skip

BECAME = {
    State.QUEUED: "waiting",
    State.SENDING: "waiting",
    State.UNKNOWN: "waiting",
    State.ASKING: "asked",
    State.ACCEPTED: "sent_late",
    State.DELIVERED: "sent_late",
    State.READ: "sent_late",
    State.FAILED: "failed",
    State.CANCELLED: "dropped",
}


def hold_spans(events: Iterable[EventRead], within: Span) -> list[Span]:
    """When something was on hold, or in trial, inside a stretch of time. `events` are its own, oldest first."""
    spans: list[Span] = []
    start = -1
    for event in events:
        if event.kind == ev.HoldStarted.kind and start < 0:
            start = event.recorded_at
        elif event.kind == ev.HoldEnded.kind and start >= 0:
            spans.append(Span(start, event.recorded_at))
            start = -1
    if start >= 0:
        spans.append(Span(start, FOREVER))
    clipped = (Span(max(span.start, within.start), min(span.end, within.end)) for span in spans)
    return [span for span in clipped if span.start < span.end]


def waited(delivery: Delivery, spans: Sequence[Span]) -> bool | None:
    """Whether it was queued at a moment at which its way was on hold. None where the row alone cannot tell: see `waited_by`."""
    d = delivery
    if not any(d.queued_at < span.end for span in spans):
        return False
    if d.epoch or d.returned:
        return None
    if d.attempt == 0:
        return _overlap(Span(d.queued_at, FOREVER), spans) if d.state is State.QUEUED else None
    if d.attempt == 1 and (d.state in TAKEN or d.state in (State.SENDING, State.FAILED) or d.question == Question.MAY_HAVE_BEEN_SENT):
        return _overlap(Span(d.queued_at, d.started_at), spans)
    return None


def waited_by(events: Iterable[EventRead], delivery: str, spans: Sequence[Span]) -> bool:
    """The same from the ledger: `events` of its ticket, oldest first."""
    since = -1
    for event in events:
        if event.subject != delivery:
            continue
        if event.kind in QUEUED and since < 0:
            since = event.recorded_at
        elif event.kind in LEFT and since >= 0:
            if _overlap(Span(since, event.recorded_at), spans):
                return True
            since = -1
    return since >= 0 and _overlap(Span(since, FOREVER), spans)


def _overlap(one: Span, spans: Iterable[Span]) -> bool:
    return any(one.start < span.end and span.start < one.end for span in spans)
