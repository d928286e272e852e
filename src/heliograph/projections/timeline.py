"""The Events tab: what happened on a ticket, and what happened meanwhile to the channel that it waited for."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from heliograph.domain import events as ev
from heliograph.domain.reasons import REASONS, ReasonRow
from heliograph.ports.rows import EventRead
from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.pieces import one

#: What ends a reply's waiting, and what makes it wait again.
SETTLED = frozenset({
    ev.AttemptAccepted.kind, ev.AttemptRefused.kind, ev.SendFound.kind, ev.MarkedSent.kind, ev.ReplyCancelled.kind,
    ev.ReceiptReceived.kind, ev.ReceiptFailed.kind,
})  # fmt: skip
WAITS = frozenset({ev.ReplyQueued.kind, ev.Resent.kind, ev.ReceiptReturned.kind})
FOREVER = 2**63 - 1
#: What is said of a reply whose part is named beside it, or that has only one.
SAVED = one("Reply saved, waiting to be sent.")
NEWER = one("An event of a newer version: {kind}.")
ERASED = one("Its text was erased.")
#: Fields that are words of ours and not names or numbers.
WORDS = ("level", "author")
#: What is known of a reason, by its name in a column; an unknown name is a newer version's.
REASON_ROWS: Mapping[str, ReasonRow] = {reason.value: row for reason, row in REASONS.items()}


class Tone(StrEnum):
    """How an entry is meant: for its colour and icon, never its only sign."""

    GOOD = "good"
    BAD = "bad"
    WAIT = "wait"
    ASK = "ask"
    PLAIN = "plain"


TONES: dict[str, Tone] = {
    ev.AttemptAccepted.kind: Tone.GOOD,
    ev.SendFound.kind: Tone.GOOD,
    ev.ReceiptReceived.kind: Tone.GOOD,
    ev.HoldEnded.kind: Tone.GOOD,
    ev.AttemptRefused.kind: Tone.BAD,
    ev.ReceiptFailed.kind: Tone.BAD,
    ev.ConversationLost.kind: Tone.BAD,
    ev.AttemptDeferred.kind: Tone.WAIT,
    ev.AttemptUnknown.kind: Tone.WAIT,
    ev.SettlePostponed.kind: Tone.WAIT,
    ev.ReceiptReturned.kind: Tone.WAIT,
    ev.HoldStarted.kind: Tone.WAIT,
    ev.HoldProlonged.kind: Tone.WAIT,
    ev.TrialPassed.kind: Tone.WAIT,
    ev.PartNotCarried.kind: Tone.WAIT,
    ev.QuestionRaised.kind: Tone.ASK,
}


class Entry(NamedTuple):
    """One line of the tab. Times are microseconds; `reason` is its plain sentence, `remedy` what can be done about it."""

    seq: int
    at: int
    #: The provider's claim, where it made one.
    occurred_at: int | None
    kind: str
    sentence: str
    tone: Tone
    #: "agent:<id>", "contact", "business", "system", "token:<id>" or "operator".
    actor: str
    #: Which reply, as the caller calls it; "" where the event is not about one.
    about: str
    #: "ticket", "channel" or "credential".
    stream: str
    attempt: int | None
    reason: str
    remedy: str
    code: str
    credential: str
    release: str


class Span(NamedTuple):
    """From `start` up to and including `end`, microseconds."""

    start: int
    end: int


def timeline(
    ticket: Sequence[EventRead],
    health: Iterable[Sequence[EventRead]],
    *,
    names: Mapping[str, str],
    erased: frozenset[str] = frozenset(),
    language: str = "en",
) -> list[Entry]:
    """All entries, oldest first. `health` holds the streams of the channel and of its credential, each by itself, complete since the
    ticket's first event; of those, only holds during which a reply of this ticket waited are told.

    `names` says what to call a delivery or comment by its id; those in `erased` have lost their text. Sentences are in `language`, reasons
    and remedies in English, by which they are translated.
    """
    waiting = spans_waiting(ticket)
    chosen = list(ticket)
    for stream in health:
        chosen += _meanwhile(stream, waiting)
    return [_entry(read, names, erased, language) for read in sorted(chosen, key=lambda read: read.seq)]


def spans_waiting(ticket: Iterable[EventRead]) -> list[Span]:
    """When each reply of the ticket waited for the provider; one that still waits does so for ever."""
    open_since: dict[str, int] = {}
    spans = []
    for read in ticket:
        if read.kind in WAITS:
            open_since.setdefault(read.subject, read.recorded_at)
        elif read.kind in SETTLED and read.subject in open_since:
            spans.append(Span(open_since.pop(read.subject), read.recorded_at))
    return spans + [Span(since, FOREVER) for since in open_since.values()]


def _meanwhile(stream: Sequence[EventRead], waiting: Sequence[Span]) -> list[EventRead]:
    """The holds of one stream that a reply sat through, each from its start to its end."""
    chosen: list[EventRead] = []
    holds: dict[str, list[EventRead]] = {}
    for read in stream:
        if read.kind in (ev.HoldStarted.kind, ev.HoldProlonged.kind, ev.TrialStarted.kind, ev.TrialPassed.kind):
            holds.setdefault(read.subject, []).append(read)
        elif read.kind == ev.HoldEnded.kind:
            hold = [*holds.pop(read.subject, []), read]
            chosen += hold if _overlaps(hold, read.recorded_at, waiting) else []
    for hold in holds.values():
        chosen += hold if _overlaps(hold, FOREVER, waiting) else []
    return chosen


def _overlaps(hold: Sequence[EventRead], end: int, waiting: Sequence[Span]) -> bool:
    # A hold whose start lies before what was read began earlier than all of it.
    start = hold[0].recorded_at if hold[0].kind == ev.HoldStarted.kind else 0
    return any(span.start <= end and start <= span.end for span in waiting)


def _entry(read: EventRead, names: Mapping[str, str], erased: frozenset[str], language: str) -> Entry:
    cls = ev.EVENTS.get(read.kind)
    if cls is None:
        return _make(read, translate(language, NEWER.one).format(kind=read.kind), "", "")
    event = msgspec.json.decode(read.data, type=cls)
    fields: dict[str, object] = msgspec.to_builtins(event)
    about = names.get(read.subject, "") or names.get(str(fields.get("comment", "")), "")
    said = {name: translate(language, str(value)) if name in WORDS else value for name, value in fields.items()}
    whole = isinstance(event, ev.ReplyQueued) and (about or event.parts == 1)
    sentence = translate(language, SAVED.one if whole else cls.sentence).format(**said)
    if fields.get("comment") in erased or read.subject in erased:
        sentence += " " + translate(language, ERASED.one)
    return _make(read, sentence, about, str(fields.get("code", "")))


def _make(read: EventRead, sentence: str, about: str, code: str) -> Entry:
    known = REASON_ROWS.get(read.reason)
    return Entry(
        read.seq, read.recorded_at, read.occurred_at, read.kind, sentence, TONES.get(read.kind, Tone.PLAIN), read.actor, about,
        read.stream, read.attempt, known.sentence if known else read.reason, known.remedy if known else "", code, read.credential,
        read.release,
    )  # fmt: skip
