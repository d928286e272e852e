"""Translates webhook calls of the LINE Platform into facts. Everything here is pure and total.

Source: LINE's OpenAPI description of webhook events (line-openapi, webhook.yml, 2026-07). LINE repeats a call that was not
answered, if that is switched on, with the same ids of events, and promises no order.
"""

from collections.abc import Callable, Mapping
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.ports.provider import (
    Author,
    ContactBlocked,
    ConversationRemoved,
    Ignored,
    Inbound,
    InboundMessage,
)
from heliograph.providers import endings, wire
from heliograph.providers.wire import ident, rows, table, text

#: Where a conversation's id is, by the kind of its source.
SOURCES = {"user": "userId", "group": "groupId", "room": "roomId"}

#: Recordings and pictures: how they are shown, and media type and name, which LINE does not tell.
RECORDED: dict[str, tuple[MediaKind, str, str]] = {
    "image": (MediaKind.IMAGE, "image/jpeg", "image.jpg"),
    "video": (MediaKind.VIDEO, "video/mp4", "video.mp4"),
    "audio": (MediaKind.AUDIO, "audio/mp4", "audio.m4a"),
}


def parse_body(body: bytes) -> list[Inbound]:
    """The facts of one webhook call, which carries any number of events; none when LINE tries out the address."""
    call, mark = wire.decode(body), wire.fingerprint(body)
    if not isinstance(call, dict) or not isinstance(call.get("events"), list):
        return [Ignored(mark, "not_a_call")]
    if not call["events"]:
        return [Ignored(mark, "verification")]
    return [_event_fact(table(event), f"{mark}:{index}") for index, event in enumerate(call["events"])]


def _event_fact(event: Mapping[str, Any], fallback_id: str) -> Inbound:
    event_id = ident(event.get("webhookEventId")) or fallback_id
    try:
        translate = EVENTS.get(event["type"]) if isinstance(event.get("type"), str) else None
        if translate is not None:
            return translate(event_id, event)
    except Exception:  # one event that cannot be read must not stop the others
        return Ignored(event_id, "untranslatable")
    return Ignored(event_id, wire.name(event.get("type")))


def _conversation(event: Mapping[str, Any]) -> str:
    source = table(event.get("source"))
    kind = source.get("type")
    return ident(source.get(SOURCES[kind])) if isinstance(kind, str) and kind in SOURCES else ""


def _contact(event: Mapping[str, Any]) -> str:
    """Who has acted. In a group LINE does not always tell."""
    return ident(table(event.get("source")).get("userId"))


def _at(event: Mapping[str, Any]) -> int:
    """Milliseconds as microseconds; 0 where it is no time."""
    millis = wire.number(event.get("timestamp"))
    return int(millis) * 1000 if millis is not None and 0 < millis < 1e14 else 0


def _message(event_id: str, event: Mapping[str, Any], *, edited: bool = False) -> Inbound:
    message, conversation = table(event.get("message")), _conversation(event)
    message_id = ident(message.get("id"))
    if not conversation or not message_id:
        return Ignored(event_id, "incomplete_message")
    kind = wire.name(message.get("type"))
    content = CONTENTS[kind](message, message_id) if kind in CONTENTS else None
    not_carried = () if content is not None else (kind,)
    if edited:
        not_carried = (*not_carried, "edit")
    if ident(message.get("quotedMessageId")):
        not_carried = (*not_carried, "quote")
    contents = (content,) if content is not None else ()
    return InboundMessage(
        event_id, conversation, _contact(event), "", message_id, Author.CONTACT, contents, _at(event), not_carried
    )  # fmt: skip


def _edited(event_id: str, event: Mapping[str, Any]) -> Inbound:
    return _message(event_id, event, edited=True)


def _postback(event_id: str, event: Mapping[str, Any]) -> Inbound:
    """A button was pressed; what it carries is what whoever made the button put there."""
    conversation, body = _conversation(event), text(table(event.get("postback")).get("data"))
    if not conversation:
        return Ignored(event_id, "incomplete_postback")
    contents: tuple[Content, ...] = (Text(body),) if body.strip() else ()
    not_carried = () if contents else ("postback",)
    return InboundMessage(
        event_id, conversation, _contact(event), "", f"postback:{event_id}", Author.CONTACT, contents, _at(event), not_carried
    )  # fmt: skip


def _followed(event_id: str, event: Mapping[str, Any]) -> Inbound:
    """Added as a friend, for the first time or again, or blocked."""
    contact = _contact(event)
    return ContactBlocked(event_id, contact, event["type"] == "unfollow", _at(event)) if contact else Ignored(event_id, "incomplete_follow")


def _left(event_id: str, event: Mapping[str, Any]) -> Inbound:
    """We were removed from a group or room."""
    conversation = _conversation(event)
    return ConversationRemoved(event_id, conversation, _at(event)) if conversation else Ignored(event_id, "incomplete_leave")


EVENTS: dict[str, Callable[[str, Mapping[str, Any]], Inbound]] = {
    "message": _message,
    "messageEdited": _edited,
    "postback": _postback,
    "follow": _followed,
    "unfollow": _followed,
    "leave": _left,
}


# --- content --------------------------------------------------------------------------------------


def _text(message: Mapping[str, Any], _: str) -> Content | None:
    body = text(message.get("text"))
    return Text(body) if body else None


def _recorded(message: Mapping[str, Any], message_id: str) -> Content | None:
    """LINE holds the bytes under the message's id, unless another service does."""
    kind, media_type, name = RECORDED[message["type"]]
    provider = table(message.get("contentProvider"))
    external = text(provider.get("originalContentUrl")) if provider.get("type") == "external" else ""
    return Media(kind, name, media_type, None, None, external or message_id)


def _file(message: Mapping[str, Any], message_id: str) -> Content | None:
    name = text(message.get("fileName"))[-255:] or "file"
    media_type = endings.media_type(name) or "application/octet-stream"
    return Media(MediaKind.FILE, name, media_type, wire.size(message.get("fileSize")), None, message_id)


def _location(message: Mapping[str, Any], _: str) -> Content | None:
    latitude, longitude = wire.number(message.get("latitude")), wire.number(message.get("longitude"))
    if latitude is None or longitude is None:
        return None
    return Location(latitude, longitude, text(message.get("title")), text(message.get("address")))


def _sticker(message: Mapping[str, Any], _: str) -> Content | None:
    """A picture that LINE gives to nobody; what it says or shows, where that is told."""
    keywords = ", ".join(filter(None, map(text, rows(message.get("keywords")))))
    told = text(message.get("text")) or keywords
    shown = {key: text(message.get(key)) for key in ("packageId", "stickerId", "stickerResourceType")}
    return Rich("sticker", f"[sticker: {told}]" if told else "[sticker]", shown)


CONTENTS: dict[str, Callable[[Mapping[str, Any], str], Content | None]] = {
    "text": _text,
    "image": _recorded,
    "video": _recorded,
    "audio": _recorded,
    "file": _file,
    "location": _location,
    "sticker": _sticker,
}
