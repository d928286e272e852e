"""Tells a desk what became of replies that were written there: refused, not to be sent, or waiting for a decision."""

from typing import NamedTuple

import msgspec

from heliograph.domain import desk_events as de, events as ev
from heliograph.domain.delivery import TAKEN, Delivery, State
from heliograph.ports import rows
from heliograph.ports.desk import Item
from heliograph.projections.wording import desk as words
from heliograph.services.context import Context
from heliograph.services.desk_links import Linked

#: What the desk was told last about a comment.
KIND = "desk_told"
ASKING, FAILED, DROPPED, SENT = "asking", "failed", "dropped", "sent"
#: Kinds of events that may have to be told, with the state in which the delivery must still be: what has moved on needs no telling.
TELLING = {
    ev.QuestionRaised.kind: State.ASKING,
    ev.AttemptRefused.kind: State.FAILED,
    ev.ReceiptFailed.kind: State.FAILED,
    ev.ReplyCancelled.kind: State.CANCELLED,
}
SENDING = frozenset({ev.AttemptAccepted.kind, ev.SendFound.kind, ev.MarkedSent.kind})
#: The desk's own author of notes.
AUTHOR = "heliograph"


class Told(msgspec.Struct, frozen=True):
    """What was told last."""

    why: str


class Report(NamedTuple):
    """One thing to be told: on the reply itself, or as a note on its ticket where `note` is given."""

    ticket: str
    comment: str
    why: str
    words: str
    #: Version of the row that says what was told before.
    version: int
    note: Item | None = None


async def report_of(context: Context, linked: Linked, event: rows.EventRead, *, url: str, again: bool = False) -> Report | None:
    """What the desk must be told of an event; None where nothing. `url`: where people reach us, "" unknown.

    `again`: also what was told before, for a desk of which nobody knows whether it has heard.
    """
    if event.channel != linked.channel or event.stream != "ticket":
        return None
    language = linked.link.locale
    if event.kind == de.DeskReplyDropped.kind:
        data: dict[str, str] = msgspec.json.decode(event.data)
        said = words.dropped(language, data["code"])
        return await _unless_told(context, linked, Report(event.stream_id, data["comment"], FAILED, said, 0), again=again)
    if event.kind not in TELLING and event.kind not in SENDING:
        return None
    delivery = await context.store.delivery(event.account, event.subject)
    if delivery is None:
        return None
    if event.kind in SENDING:
        return await _sent(context, linked, delivery, again=again)
    if delivery.state is not TELLING[event.kind]:
        return None
    comment = await context.store.comment(event.account, delivery.comment)
    if comment is None or comment.author != linked.link.agent:
        return None
    link = f"{url}/desk/tickets/{delivery.ticket}" if url else ""
    match delivery.state:
        case State.ASKING:
            why, said = ASKING, words.asking(language, delivery.question, link)
        case State.CANCELLED:
            why, said = DROPPED, words.dropped(language)
        case _:
            why, said = FAILED, words.failed(language, delivery.reason)
    return await _unless_told(context, linked, Report(delivery.ticket, delivery.comment, why, said, 0), again=again)


async def _sent(context: Context, linked: Linked, delivery: Delivery, *, again: bool) -> Report | None:
    """A reply that somebody was asked to decide about has been sent: one note, when all of its parts are."""
    document = await context.store.document(linked.account, KIND, delivery.comment)
    if document is None or msgspec.json.decode(document.data, type=Told).why in ((DROPPED,) if again else (SENT, DROPPED)):
        return None
    parts = await context.store.deliveries_of_comment(linked.account, delivery.comment)
    if any(part.state not in TAKEN for part in parts):
        return None
    note = Item(
        f"note_{delivery.comment}_sent", delivery.ticket, words.sent_after_all(linked.link.locale), context.clock.now(), AUTHOR,
        "Heliograph", internal=True,
    )  # fmt: skip
    return Report(delivery.ticket, delivery.comment, SENT, "", document.version, note)


async def _unless_told(context: Context, linked: Linked, report: Report, *, again: bool) -> Report | None:
    """A reply of several parts is told about once."""
    document = await context.store.document(linked.account, KIND, report.comment)
    if document is not None and not again and msgspec.json.decode(document.data, type=Told).why == report.why:
        return None
    return report._replace(version=document.version if document else 0)


def as_note(linked: Linked, report: Report, at: int) -> Item:
    """The same as a note on the ticket, for a desk that takes no reports. Its id is the same however often it is offered."""
    if report.note is not None:
        return report.note
    return Item(f"note_{report.comment}_{report.why}", report.ticket, report.words, at, AUTHOR, "Heliograph", internal=True)


def told_row(account: str, report: Report, at: int) -> rows.Document:
    """Write: it was told."""
    return rows.Document(account, KIND, report.comment, report.version + 1, at, msgspec.json.encode(Told(report.why)).decode())
