"""Translates what Sunshine Conversations tells (webhooks v2 and listed messages) into facts.

Source: the OpenAPI description of Sunshine Conversations v2, 17.12. Everything here is pure and total.
"""

import html
import re
from collections.abc import Callable, Mapping
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports import links
from heliograph.ports.provider import (
    Author,
    ContactBlocked,
    ControlChanged,
    ConversationMoved,
    ConversationRemoved,
    Ignored,
    Inbound,
    InboundMessage,
    Receipt,
    ReceiptLevel,
)
from heliograph.providers import wire
from heliograph.providers.wire import ident, micros, name, rows, table, text

#: Name of our id of the delivery in a message's metadata.
KEY = "heliograph"

#: Codes of conversation:message:delivery:failure. The description does not list them; these follow the API's own
#: error codes and are hypotheses, so an unknown one stays with a person (OTHER). "unauthorized" speaks of the
#: connection between Sunshine and the network behind it: our own key was good, or there would be no receipt.
FAILURES: dict[str, Reason] = {
    "bad_request": Reason.BAD_REQUEST,
    "blocked": Reason.BLOCKED,
    "conversation_not_found": Reason.CONVERSATION_CLOSED,
    "forbidden": Reason.NOT_PERMITTED,
    "internal_server_error": Reason.PROVIDER_DOWN,
    "locked": Reason.CONVERSATION_CLOSED,
    "payment_required": Reason.NOT_PERMITTED,
    "request_entity_too_large": Reason.TOO_LARGE,
    "service_unavailable": Reason.PROVIDER_DOWN,
    "too_many_requests": Reason.RATE_LIMITED,
    "unauthorized": Reason.NOT_PERMITTED,
    "uncategorized_error": Reason.OTHER,
    "unsupported_media_type": Reason.UNSUPPORTED,
    "user_not_found": Reason.BAD_RECIPIENT,
}

LEVELS = {"channel": ReceiptLevel.SENT, "user": ReceiptLevel.DELIVERED, "failure": ReceiptLevel.FAILED}


def parse_body(body: bytes, own: frozenset[str]) -> list[Inbound]:
    """The facts of one webhook call; `own` are the ids and names of our integration on the switchboard."""
    envelope = table(wire.decode(body))
    events = envelope.get("events")
    if not isinstance(events, list):
        return [Ignored(wire.fingerprint(body), "not_an_envelope")]
    found: list[Inbound] = []
    for index, event in enumerate(events):
        event_id = ident(table(event).get("id")) or f"{wire.fingerprint(body)}:{index}"
        try:
            found.extend(_event(event_id, event, own))
        except Exception:  # one event that cannot be read must not cost the others
            found.append(Ignored(event_id, "untranslatable"))
    return found or [Ignored(wire.fingerprint(body), "no_events")]


def _event(event_id: str, event: Any, own: frozenset[str]) -> list[Inbound]:
    if not isinstance(event, dict):
        return [Ignored(event_id, "not_an_event")]
    kind = name(event.get("type"))
    at = micros(event.get("createdAt"))
    payload = table(event.get("payload"))
    conversation = ident(table(payload.get("conversation")).get("id"))
    if kind.startswith("switchboard:"):
        return [_switchboard(kind, event_id, payload, conversation, at, own)]
    if kind.startswith("conversation:message:delivery:"):
        return [_delivery(kind, event_id, payload, conversation, at)]
    if kind == "user:merge":
        return _merged(event_id, payload, at)
    translate = EVENTS.get(kind)
    return [translate(event_id, payload, conversation, at) if translate else Ignored(event_id, kind)]


# --- messages ---------------------------------------------------------------------------------------


def message_fact(message: Mapping[str, Any], conversation: str, at: int = 0, fallback_id: str = "") -> Inbound:
    """The fact that a message states, whether it came by webhook or from the list: its event id is the same in both.

    `at` and `fallback_id` stand in for a time and an id that the message lacks.
    """
    message_id = ident(message.get("id")) or fallback_id
    event_id = f"message:{message_id}"
    if not message_id or not conversation:
        return Ignored(event_id, "incomplete_message")
    if message.get("deleted") is True:
        return Ignored(f"{event_id}:deleted", "deleted")
    author = table(message.get("author"))
    kind = author.get("type")
    occurred = micros(message.get("received")) or at
    key = text(table(message.get("metadata")).get(KEY))
    if kind == "business" and key:
        return Receipt(event_id, ReceiptLevel.ACCEPTED, occurred, provider_id=message_id, key=key, conversation=conversation)
    if kind not in ("business", "user"):
        return Ignored(event_id, "unknown_author")
    contents, not_carried = _contents(table(message.get("content")))
    if message.get("quotedMessage") and table(message.get("content")).get("type") != "formResponse":
        not_carried = (*not_carried, "quote")
    return InboundMessage(
        event_id,
        conversation,
        _person(author),
        _display_name(author),
        message_id,
        Author.CONTACT if kind == "user" else Author.BUSINESS,
        contents,
        occurred,
        not_carried,
    )


def _message(event_id: str, payload: Mapping[str, Any], conversation: str, at: int) -> Inbound:
    return message_fact(table(payload.get("message")), conversation, at, event_id)


def _person(author: Mapping[str, Any]) -> str:
    return ident(author.get("userId")) or ident(table(author.get("user")).get("id"))


def _display_name(author: Mapping[str, Any]) -> str:
    profile = table(table(author.get("user")).get("profile"))
    full = f"{text(profile.get('givenName'))} {text(profile.get('surname'))}".strip()
    return text(author.get("displayName")) or full


def _contents(content: Mapping[str, Any]) -> tuple[tuple[Content, ...], tuple[str, ...]]:
    """What of a message's content can be carried, and the names of what cannot."""
    kind = name(content.get("type"))
    translate = CONTENTS.get(kind)
    carried = translate(content) if translate else None
    missing: tuple[str, ...] = ()
    if carried is None:
        missing = (kind,)
        body = text(content.get("text")).strip() if kind != "text" else ""
        carried = Text(body) if body else None
    if kind in ("text", "image") and rows(content.get("actions")):
        missing = (*missing, "actions")
    return ((carried,) if carried else ()), missing


def _text(content: Mapping[str, Any]) -> Content | None:
    body = text(content.get("text")) or _plain(text(content.get("htmlText")))
    return Text(body) if body.strip() else None


def _plain(markup: str) -> str:
    spaced = re.sub(r"(?i)<br\s*/?>|</(?:p|div|li|h[1-6]|tr)>", "\n", markup)
    bare = re.sub(r"<[^<>]*>", "", spaced)
    try:
        return html.unescape(bare).strip()
    except ValueError:
        # A number of more digits than Python reads: no character, and no reason to lose what was written.
        return bare.strip()


def _media(content: Mapping[str, Any]) -> Content | None:
    url = text(content.get("mediaUrl"))
    if not url:
        return None
    media_type = text(content.get("mediaType")) or "application/octet-stream"
    kind = MediaKind.IMAGE if content.get("type") == "image" else MediaKind.of(media_type)
    label = text(content.get("altText")) or wire.text(links.file_name(url)) or kind.value
    caption = text(content.get("text")) or _plain(text(content.get("htmlText")))
    return Media(kind, label[:255], media_type, wire.size(content.get("mediaSize")), remote=url, caption=caption)


def _location(content: Mapping[str, Any]) -> Content | None:
    coordinates, place = table(content.get("coordinates")), table(content.get("location"))
    latitude, longitude = wire.number(coordinates.get("lat")), wire.number(coordinates.get("long"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return Location(latitude, longitude, text(place.get("name")), text(place.get("address")))


def _rich(content: Mapping[str, Any]) -> Content | None:
    kind = name(content.get("type"))
    summary = text(content.get("text")) or text(content.get("textFallback")) or "\n".join(_lines(content))
    return Rich(kind, summary.strip() or f"[{kind}]", wire.storable(dict(content)))


def _lines(content: Mapping[str, Any]) -> list[str]:
    """Plain lines for structured content: a form's labels and answers, a list's titles, a template's name."""
    lines = []
    for field in map(table, rows(content.get("fields"))):
        chosen = ", ".join(text(table(option).get("label")) for option in rows(field.get("select")))
        value = text(field.get("text")) or text(field.get("email")) or chosen
        lines.append(f"{text(field.get('label'))}: {value}" if value else text(field.get("label")))
    for item in map(table, rows(content.get("items"))):
        title, more = text(item.get("title")), text(item.get("description"))
        lines.append(f"{title}: {more}" if more else title)
    if template := text(table(content.get("template")).get("name")):
        lines.append(f"[template {template}]")
    return [line for line in lines if line]


CONTENTS: dict[str, Callable[[Mapping[str, Any]], Content | None]] = {
    "text": _text,
    "image": _media,
    "file": _media,
    "location": _location,
    "carousel": _rich,
    "list": _rich,
    "form": _rich,
    "formResponse": _rich,
    "template": _rich,
}

# --- everything else --------------------------------------------------------------------------------


def _delivery(kind: str, event_id: str, payload: Mapping[str, Any], conversation: str, at: int) -> Inbound:
    level = LEVELS.get(kind.rpartition(":")[2])
    message_id = ident(table(payload.get("message")).get("id"))
    if level is None or not message_id:
        return Ignored(event_id, kind if level is None else "no_message_id")
    error = table(payload.get("error"))
    code = name(error.get("code")) if level is ReceiptLevel.FAILED else ""
    return Receipt(
        event_id,
        level,
        at,
        provider_id=message_id,
        conversation=conversation,
        reason=FAILURES.get(code, Reason.OTHER) if level is ReceiptLevel.FAILED else None,
        code=code,
        detail=text(error.get("message")) if level is ReceiptLevel.FAILED else "",
        final=payload.get("isFinalEvent") is not False,
    )


def _read(event_id: str, payload: Mapping[str, Any], conversation: str, at: int) -> Inbound:
    if table(table(payload.get("activity")).get("author")).get("type") != "user":
        return Ignored(event_id, "read_by_business")
    if not conversation or not at:
        return Ignored(event_id, "incomplete_read")
    return Receipt(event_id, ReceiptLevel.READ, at, conversation=conversation, up_to=at)


def _removed(event_id: str, _: Mapping[str, Any], conversation: str, at: int) -> Inbound:
    return ConversationRemoved(event_id, conversation, at) if conversation else Ignored(event_id, "incomplete_removal")


def _merged(event_id: str, payload: Mapping[str, Any], at: int) -> list[Inbound]:
    merged = payload.get("mergedConversations")
    pairs = [
        (ident(table(pair.get("discarded")).get("id")), ident(table(pair.get("surviving")).get("id")))
        for pair in map(table, rows(merged) or [merged])
    ]
    moved = [(old, new) for old, new in pairs if old and new]
    if not moved:
        return [Ignored(event_id, "user:merge")]
    many = len(moved) > 1
    return [ConversationMoved(f"{event_id}:{i}" if many else event_id, old, new, at) for i, (old, new) in enumerate(moved)]


def _switchboard(kind: str, event_id: str, payload: Mapping[str, Any], conversation: str, at: int, own: frozenset[str]) -> Inbound:
    if kind not in ("switchboard:acceptControl", "switchboard:passControl", "switchboard:releaseControl") or not conversation:
        return Ignored(event_id, kind)
    active = table(table(payload.get("conversation")).get("activeSwitchboardIntegration"))
    names = {ident(active.get(each)) for each in ("id", "name", "integrationId")} - {""}
    return ControlChanged(event_id, conversation, bool(names & own), text(active.get("name")) or ident(active.get("id")), at)


def _postback(event_id: str, payload: Mapping[str, Any], conversation: str, at: int) -> Inbound:
    user = table(payload.get("user"))
    if not conversation:
        return Ignored(event_id, "incomplete_postback")
    body = text(table(payload.get("postback")).get("payload"))
    contents: tuple[Content, ...] = (Text(body),) if body.strip() else ()
    return InboundMessage(
        event_id,
        conversation,
        ident(user.get("id")),
        _display_name({"user": user}),
        f"postback:{event_id}",
        Author.CONTACT,
        contents,
        at,
        () if contents else ("postback",),
    )


def _client_updated(event_id: str, payload: Mapping[str, Any], _: str, at: int) -> Inbound:
    contact = ident(table(payload.get("user")).get("id"))
    reason = payload.get("reason")
    if reason not in ("blocked", "unblocked") or not contact:
        return Ignored(event_id, "client:update")
    return ContactBlocked(event_id, contact, reason == "blocked", at)


EVENTS: dict[str, Callable[[str, Mapping[str, Any], str, int], Inbound]] = {
    "conversation:message": _message,
    "conversation:read": _read,
    "conversation:remove": _removed,
    "conversation:postback": _postback,
    "client:update": _client_updated,
}
