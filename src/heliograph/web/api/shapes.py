"""What goes out over the API, and how it is made of rows: the states and reasons in plain words included."""

from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec

from heliograph.domain.content import Content, Location, Media, Rich, Text
from heliograph.domain.delivery import Delivery as Row, Question
from heliograph.domain.events import EVENTS
from heliograph.domain.reasons import REASONS, Reason as Code
from heliograph.ports import rows
from heliograph.services.parts import load_contents, plain

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

QUESTIONS: dict[str, str] = {
    Question.MAY_HAVE_BEEN_SENT: "It may have been sent, and the provider cannot tell. Send it again, treat it as sent, or cancel it.",
    Question.OVERTAKEN: "A later reply of this conversation is already there. Send this one all the same, or cancel it.",
    Question.WAITED_TOO_LONG: "It waited longer than this account lets replies wait. Send it, or cancel it.",
    Question.WINDOW_CLOSED: "The time in which the provider allows a reply is over. Send it all the same, or cancel it.",
    Question.SOLVED_SINCE: "The ticket was solved while it waited. Send it all the same, or cancel it.",
    Question.CONTACT_WROTE: "The contact has written while it waited. Read that first; then send it, or cancel it.",
    Question.WRITTEN_AGAIN: "The same agent has since written it again. Send it all the same, or cancel it.",
    Question.EXHAUSTED: "The provider kept failing on this reply alone. Send it again, or cancel it.",
}


class Page(msgspec.Struct, Generic[T]):
    """One page of a list. `next` is the cursor of the following one, null at the end."""

    items: list[T]
    next: str | None


class Reason(msgspec.Struct):
    """Why something did not go through. `provider_code` is the provider's own word for it."""

    code: str
    sentence: str
    remedy: str
    blame: str
    provider_code: str


class DeliveryShape(msgspec.Struct):
    """One message that we owe the contact: a part of a public comment."""

    id: str
    ticket: str
    comment: str
    channel: str
    part: int
    parts: int
    state: str
    reason: Reason | None
    question: str | None
    question_sentence: str | None
    attempts: int
    provider_id: str | None
    queued_at: datetime
    started_at: datetime | None
    accepted_at: datetime | None
    ready_at: datetime | None


class EventShape(msgspec.Struct):
    """One fact, as recorded. `subject` is the delivery it speaks about, if any; `position` its place among the events of that."""

    seq: int
    kind: str
    sentence: str
    stream: str
    stream_id: str
    subject: str | None
    position: int | None
    recorded_at: datetime
    occurred_at: datetime | None
    actor: str
    channel: str | None
    attempt: int | None
    reason: Reason | None
    data: dict[str, Any]


class TicketShape(msgspec.Struct):
    """A case."""

    id: str
    number: int
    state: str
    channel: str
    contact: str
    created_at: datetime
    updated_at: datetime


class TicketRow(TicketShape):
    """A case as a list shows it; `preview` is the beginning of its last comment."""

    contact_name: str
    provider: str
    preview: str
    preview_author: str
    waiting: int
    asking: int
    failed: int


class TextOut(msgspec.Struct, tag="text"):
    """Plain text."""

    text: str


class FileOut(msgspec.Struct, tag="file"):
    """A file. `file` is null while only the provider has it; `url` is where that is, if anybody may fetch it there."""

    kind: str
    name: str
    media_type: str
    size: int | None
    file: str | None
    url: str | None
    caption: str


class LocationOut(msgspec.Struct, tag="location"):
    """A place, WGS 84 degrees."""

    latitude: float
    longitude: float
    name: str
    address: str


class RichOut(msgspec.Struct, tag="rich"):
    """Structured content in the provider's own shape."""

    kind: str
    summary: str
    content: dict[str, Any]


ContentOut = TextOut | FileOut | LocationOut | RichOut


class CommentShape(msgspec.Struct):
    """One authored entry of a ticket. `erased`: its content was removed for good."""

    id: str
    ticket: str
    author_kind: str
    author: str
    author_name: str
    public: bool
    contents: list[ContentOut]
    erased: bool
    occurred_at: datetime
    created_at: datetime
    deliveries: list[DeliveryShape]


def when(micros: int) -> datetime:
    """A moment; one that no calendar knows is the last one that it does."""
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if micros > 0 else datetime.min.replace(tzinfo=UTC)


def maybe(micros: int | None) -> datetime | None:
    """A moment, or None where 0 or nothing stands for never."""
    return when(micros) if micros else None


def reason(code: str, provider_code: str = "") -> Reason | None:
    """A reason in plain words; None for ""."""
    if not code:
        return None
    row = REASONS[Code(code)]
    return Reason(code, row.sentence, row.remedy, row.blame, provider_code)


def delivery(row: Row) -> DeliveryShape:
    """A delivery's row."""
    return DeliveryShape(
        row.id, row.ticket, row.comment, row.channel, row.part, row.parts, row.state.value, reason(row.reason, row.code),
        row.question or None, QUESTIONS.get(row.question), row.attempt, row.provider_id or None, when(row.queued_at),
        maybe(row.started_at), maybe(row.accepted_at), when(row.ready_at) if row.state == "queued" else None,
    )  # fmt: skip


def event(row: rows.EventRead) -> EventShape:
    """An event's row."""
    data: dict[str, Any] = msgspec.json.decode(row.data)
    kind = EVENTS.get(row.kind)
    return EventShape(
        row.seq, row.kind, kind.sentence.format_map(data) if kind is not None else row.kind, row.stream, row.stream_id, row.subject or None,
        row.position, when(row.recorded_at), maybe(row.occurred_at), row.actor, row.channel or None, row.attempt,
        reason(row.reason, str(data.get("code", ""))), data,
    )  # fmt: skip


def ticket(row: rows.Ticket) -> TicketShape:
    """A ticket's row."""
    return TicketShape(row.id, row.number, row.state, row.channel, row.contact, when(row.created_at), when(row.updated_at))


def ticket_row(row: rows.TicketListed) -> TicketRow:
    """A ticket's row of a list."""
    return TicketRow(
        row.id, row.number, row.state, row.channel, row.contact, when(row.created_at), when(row.updated_at), row.contact_name, row.provider,
        plain(load_contents(row.preview))[:200], row.preview_author, row.waiting, row.asking, row.failed,
    )  # fmt: skip


def comment(row: rows.CommentRead, deliveries: list[Row]) -> CommentShape:
    """A comment with its deliveries."""
    return CommentShape(
        row.id, row.ticket, row.author_kind, row.author, row.author_name, bool(row.public), [_content(c) for c in load_contents(row.body)],
        not row.body, when(row.occurred_at), when(row.created_at), [delivery(one) for one in deliveries],
    )  # fmt: skip


def _content(content: Content) -> ContentOut:
    match content:
        case Text(body):
            return TextOut(body)
        case Media(kind, name, media_type, size, file, remote, caption):
            url = remote if remote is not None and remote.startswith(("https://", "http://")) else None
            return FileOut(kind.value, name, media_type, size, file, url, caption)
        case Location(latitude, longitude, name, address):
            return LocationOut(latitude, longitude, name, address)
        case Rich(kind, summary, inner):
            return RichOut(kind, summary, dict(inner))
