"""Translates what a self-built service posts into facts. Everything here is pure and total.

The shape is ours: docs/webhook-channel.md and its JSON schema.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Author,
    ContactBlocked,
    ConversationMoved,
    ConversationRemoved,
    Ignored,
    Inbound,
    InboundMessage,
    Receipt,
)
from heliograph.providers import wire
from heliograph.providers.wire import micros, rows, table, text

#: What a refusal may name as its reason. The rest of the reasons are for us to find, and count as unknown.
REASONS = frozenset(
    {
        Reason.BAD_RECIPIENT,
        Reason.BLOCKED,
        Reason.CONVERSATION_CLOSED,
        Reason.WINDOW_CLOSED,
        Reason.TOO_LARGE,
        Reason.UNSUPPORTED,
        Reason.BAD_REQUEST,
        Reason.BAD_CREDENTIALS,
        Reason.NOT_PERMITTED,
        Reason.MOVED,
        Reason.RATE_LIMITED,
        Reason.PROVIDER_DOWN,
    }
)

#: Why a message that was taken may have failed after all.
LATER = REASONS - {Reason.MOVED}

#: Characters of an id, as the schema has it: databases do not keep just any length where they must find it again.
LONGEST_ID = 255


def ident(value: Any) -> str:
    """An identifier of the service's; "" where it is none, or longer than the schema lets it be."""
    id = wire.ident(value)
    return id if len(id) <= LONGEST_ID else ""


def parse_body(body: bytes) -> list[Inbound]:
    """The facts of one call, which carries any number of events."""
    call, mark = wire.decode(body), wire.fingerprint(body)
    if not isinstance(call, dict) or not isinstance(call.get("events"), list):
        return [Ignored(mark, "not_a_call")]
    if not call["events"]:
        return [Ignored(mark, "no_events")]
    return [_event_fact(table(event), f"{mark}:{index}") for index, event in enumerate(call["events"])]


def _event_fact(event: Mapping[str, Any], fallback_id: str) -> Inbound:
    event_id = ident(event.get("id")) or fallback_id
    try:
        translate = EVENTS.get(event["type"]) if isinstance(event.get("type"), str) else None
        if translate is not None:
            return translate(event_id, event, micros(event.get("timestamp")))
    except Exception:  # one event that cannot be read must not stop the others
        return Ignored(event_id, "untranslatable")
    return Ignored(event_id, wire.name(event.get("type")))


def key_of(id: str) -> str:
    """Our id of a delivery, from the id that was signed."""
    return id.replace("-", ".")


def reason_of(value: Mapping[str, Any], allowed: Collection[Reason]) -> Reason:
    """The reason that is named, if it is one that may be."""
    try:
        reason = Reason(text(value.get("reason")))
    except ValueError:
        return Reason.OTHER
    return reason if reason in allowed else Reason.OTHER


def _message(event_id: str, event: Mapping[str, Any], at: int) -> Inbound:
    conversation = ident(event.get("conversation"))
    if not conversation:
        return Ignored(event_id, "incomplete_message")
    contents: list[Content] = []
    not_carried: list[str] = []
    for each in map(table, rows(event.get("contents"))):
        kind = wire.name(each.get("kind"))
        content = CONTENTS[kind](each) if kind in CONTENTS else None
        if content is None:
            not_carried.append(kind)
        else:
            contents.append(content)
    if not contents and not not_carried:
        not_carried.append("empty")
    return InboundMessage(
        event_id,
        conversation,
        ident(event.get("contact")),
        text(event.get("contact_name")),
        ident(event.get("message_id")) or event_id,
        Author.BUSINESS if event.get("author") == "business" else Author.CONTACT,
        tuple(contents),
        at,
        tuple(not_carried),
    )


def _receipt(event_id: str, event: Mapping[str, Any], at: int) -> Inbound:
    """Of one message, by our id or the service's; or of all in a conversation up to a time."""
    key, provider_id = key_of(ident(event.get("reply_id"))), ident(event.get("message_id"))
    conversation, up_to = ident(event.get("conversation")), micros(event.get("up_to"))
    try:
        level = ReceiptLevel(text(event.get("level")))
    except ValueError:
        return Ignored(event_id, "unknown_level")
    if not key and not provider_id and not (conversation and up_to):
        return Ignored(event_id, "incomplete_receipt")
    if level is not ReceiptLevel.FAILED:
        return Receipt(event_id, level, at, provider_id, key, conversation, up_to or None)
    if not key and not provider_id:
        return Ignored(event_id, "incomplete_receipt")
    code = wire.name(event.get("code"), "")
    return Receipt(
        event_id, level, at, provider_id, key, conversation, None, reason_of(event, LATER), code, text(event.get("detail")),
        event.get("final") is not False,
    )  # fmt: skip


def _blocked(event_id: str, event: Mapping[str, Any], at: int) -> Inbound:
    contact = ident(event.get("contact"))
    return ContactBlocked(event_id, contact, event["type"] == "contact.blocked", at) if contact else Ignored(event_id, "incomplete_contact")


def _moved(event_id: str, event: Mapping[str, Any], at: int) -> Inbound:
    old, new = ident(event.get("old")), ident(event.get("new"))
    return ConversationMoved(event_id, old, new, at) if old and new else Ignored(event_id, "incomplete_move")


def _removed(event_id: str, event: Mapping[str, Any], at: int) -> Inbound:
    conversation = ident(event.get("conversation"))
    return ConversationRemoved(event_id, conversation, at) if conversation else Ignored(event_id, "incomplete_removal")


EVENTS: dict[str, Callable[[str, Mapping[str, Any], int], Inbound]] = {
    "message": _message,
    "receipt": _receipt,
    "contact.blocked": _blocked,
    "contact.unblocked": _blocked,
    "conversation.moved": _moved,
    "conversation.removed": _removed,
}


# --- content --------------------------------------------------------------------------------------


def _text(value: Mapping[str, Any]) -> Content | None:
    body = text(value.get("text"))
    return Text(body) if body else None


def _media(value: Mapping[str, Any]) -> Content | None:
    url = text(value.get("url"))
    if not url.startswith(("https://", "http://")):
        return None
    name = text(value.get("name"))[-255:] or "file"
    media_type = text(value.get("media_type")) or "application/octet-stream"
    return Media(MediaKind(value["kind"]), name, media_type, wire.size(value.get("size")), None, url, text(value.get("caption")))


def _location(value: Mapping[str, Any]) -> Content | None:
    latitude, longitude = wire.number(value.get("latitude")), wire.number(value.get("longitude"))
    if latitude is None or longitude is None:
        return None
    return Location(latitude, longitude, text(value.get("name")), text(value.get("address")))


def _rich(value: Mapping[str, Any]) -> Content | None:
    summary = text(value.get("summary"))
    return Rich(wire.name(value.get("rich_kind")), summary, wire.storable(dict(table(value.get("content"))))) if summary else None


CONTENTS: dict[str, Callable[[Mapping[str, Any]], Content | None]] = {
    "text": _text,
    "image": _media,
    "audio": _media,
    "video": _media,
    "file": _media,
    "location": _location,
    "rich": _rich,
}
