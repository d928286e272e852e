"""Translates updates of the Telegram Bot API into facts. Everything here is pure and total.

Source: the Bot API's description of Update and Message.
"""

from collections.abc import Callable, Mapping
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.ports.provider import (
    Author,
    ContactBlocked,
    ConversationMoved,
    ConversationRemoved,
    Ignored,
    Inbound,
    InboundMessage,
)
from heliograph.providers import wire
from heliograph.providers.wire import ident, rows, table, text

#: The updates that are asked for; Telegram keeps everything else to itself.
ALLOWED_UPDATES = ("message", "edited_message", "my_chat_member")

#: Files of a message: field -> how it is shown, media type and name where Telegram tells none. Order matters: an
#: animation comes with a document of itself, for clients that know no animations.
FILES: dict[str, tuple[MediaKind, str, str]] = {
    "animation": (MediaKind.VIDEO, "video/mp4", "animation.mp4"),
    "video": (MediaKind.VIDEO, "video/mp4", "video.mp4"),
    "video_note": (MediaKind.VIDEO, "video/mp4", "video.mp4"),
    "audio": (MediaKind.AUDIO, "audio/mpeg", "audio.mp3"),
    "voice": (MediaKind.AUDIO, "audio/ogg", "voice.ogg"),
    "document": (MediaKind.FILE, "application/octet-stream", "document"),
}

#: What a message is instead of content: somebody joined, a title changed.
SERVICE = (
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "pinned_message",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "video_chat_scheduled",
    "video_chat_started",
    "video_chat_ended",
    "video_chat_participants_invited",
    "write_access_allowed",
    "boost_added",
    "chat_background_set",
    "proximity_alert_triggered",
)

#: Content that has no counterpart here: named, so that an agent sees that something is missing.
NOT_CARRIED = (
    "game",
    "invoice",
    "successful_payment",
    "story",
    "paid_media",
    "giveaway",
    "giveaway_winners",
    "passport_data",
    "checklist",
    "gift",
    "unique_gift",
    "users_shared",
    "chat_shared",
    "web_app_data",
)


def parse_body(body: bytes) -> list[Inbound]:
    """The facts of one webhook call, which carries one update."""
    update = wire.decode(body)
    if not isinstance(update, dict):
        return [Ignored(wire.fingerprint(body), "not_an_update")]
    return [update_fact(update, wire.fingerprint(body))]


def update_fact(update: Mapping[str, Any], fallback_id: str) -> Inbound:
    """The fact that one update states; `fallback_id` stands in where it has no id."""
    number = ident(update.get("update_id"))
    event_id = f"update:{number}" if number else fallback_id
    try:
        return _update(event_id, update)
    except Exception:  # one update that cannot be read must not stop the others
        return Ignored(event_id, "untranslatable")


def _update(event_id: str, update: Mapping[str, Any]) -> Inbound:
    if isinstance(update.get("message"), dict):
        return _message(event_id, update["message"], edited=False)
    if isinstance(update.get("edited_message"), dict):
        return _message(event_id, update["edited_message"], edited=True)
    if isinstance(update.get("my_chat_member"), dict):
        return _membership(event_id, update["my_chat_member"])
    kinds = [wire.name(key) for key in update if key != "update_id"]
    return Ignored(event_id, kinds[0] if kinds else "empty_update")


def _message(event_id: str, message: Mapping[str, Any], *, edited: bool) -> Inbound:
    chat = table(message.get("chat"))
    chat_id, message_id = ident(chat.get("id")), ident(message.get("message_id"))
    if not chat_id or not message_id:
        return Ignored(event_id, "incomplete_message")
    at = _time(message.get("edit_date")) if edited else _time(message.get("date"))
    if new := ident(message.get("migrate_to_chat_id")):
        return ConversationMoved(event_id, chat_id, new, at)
    if old := ident(message.get("migrate_from_chat_id")):
        return ConversationMoved(event_id, old, chat_id, at)
    contents, not_carried = _contents(message)
    if not contents and not not_carried:
        kind = next((each for each in SERVICE if each in message), "")
        if kind:
            return Ignored(event_id, kind)
        not_carried = ("unknown",)
    if edited:
        not_carried = (*not_carried, "edit")
    if "reply_to_message" in message or "external_reply" in message:
        not_carried = (*not_carried, "quote")
    sender = table(message.get("from")) or table(message.get("sender_chat"))
    return InboundMessage(
        event_id,
        conversation_id(chat_id, message),
        ident(sender.get("id")),
        _name(sender),
        f"{chat_id}:{message_id}",
        Author.CONTACT,
        contents,
        at,
        not_carried,
    )


def conversation_id(chat_id: str, message: Mapping[str, Any]) -> str:
    """The chat's id, and the topic's where a group has topics, so that an answer lands where the question was."""
    topic = ident(message.get("message_thread_id")) if message.get("is_topic_message") is True else ""
    return f"{chat_id}:{topic}" if topic else chat_id


def _name(sender: Mapping[str, Any]) -> str:
    full = f"{text(sender.get('first_name'))} {text(sender.get('last_name'))}".strip()
    return full or text(sender.get("title")) or text(sender.get("username"))


def _time(value: Any) -> int:
    """Unix seconds as microseconds; 0 where it is no time."""
    seconds = wire.number(value)
    return int(seconds) * 1_000_000 if seconds is not None and 0 < seconds < 1e11 else 0


def _contents(message: Mapping[str, Any]) -> tuple[tuple[Content, ...], tuple[str, ...]]:
    contents: list[Content] = []
    if body := text(message.get("text")):
        contents.append(Text(body))
    file = _file(message)
    if file is not None:
        contents.append(file)
    else:
        for field, translate in STRUCTURED.items():
            if isinstance(message.get(field), dict) and (found := translate(message[field])) is not None:
                contents.append(found)
                break
        if caption := text(message.get("caption")):
            contents.append(Text(caption))
    not_carried = tuple(each for each in NOT_CARRIED if each in message)
    if not contents:
        not_carried += tuple(each for each in ("photo", "sticker", *FILES, *STRUCTURED) if each in message)
    return tuple(contents), not_carried


def _file(message: Mapping[str, Any]) -> Media | None:
    caption = text(message.get("caption"))
    sizes = [each for each in map(table, rows(message.get("photo"))) if text(each.get("file_id"))]
    if sizes:
        largest = max(sizes, key=lambda each: (wire.number(each.get("width")) or 0) * (wire.number(each.get("height")) or 0))
        remote = text(largest["file_id"])
        return Media(MediaKind.IMAGE, "photo.jpg", "image/jpeg", wire.size(largest.get("file_size")), None, remote, caption)
    for field, (kind, media_type, default) in FILES.items():
        file = table(message.get(field))
        if file_id := text(file.get("file_id")):
            given = text(file.get("mime_type")) or media_type
            if field == "document" and given.startswith("image/"):
                kind = MediaKind.IMAGE
            label = text(file.get("file_name"))[:255] or default
            return Media(kind, label, given, wire.size(file.get("file_size")), None, file_id, caption)
    return _sticker(table(message.get("sticker")))


def _sticker(sticker: Mapping[str, Any]) -> Media | None:
    file_id = text(sticker.get("file_id"))
    if not file_id:
        return None
    shape = (MediaKind.IMAGE, "sticker.webp", "image/webp")
    if sticker.get("is_video") is True:
        shape = (MediaKind.VIDEO, "sticker.webm", "video/webm")
    elif sticker.get("is_animated") is True:
        shape = (MediaKind.FILE, "sticker.tgs", "application/x-tgsticker")
    return Media(*shape, wire.size(sticker.get("file_size")), None, file_id, text(sticker.get("emoji")))


def _location(value: Mapping[str, Any]) -> Content | None:
    latitude, longitude = wire.number(value.get("latitude")), wire.number(value.get("longitude"))
    return None if latitude is None or longitude is None else Location(latitude, longitude)


def _venue(value: Mapping[str, Any]) -> Content | None:
    place = _location(table(value.get("location")))
    if not isinstance(place, Location):
        return None
    return Location(place.latitude, place.longitude, text(value.get("title")), text(value.get("address")))


def _contact(value: Mapping[str, Any]) -> Content | None:
    summary = f"{_name(value)} {text(value.get('phone_number'))}".strip()
    return Rich("contact", summary, wire.storable(dict(value))) if summary else None


def _poll(value: Mapping[str, Any]) -> Content | None:
    options = [f"- {text(table(option).get('text'))}" for option in rows(value.get("options"))]
    return Rich("poll", "\n".join([text(value.get("question")), *options]).strip() or "[poll]", wire.storable(dict(value)))


def _dice(value: Mapping[str, Any]) -> Content | None:
    return Rich("dice", f"{text(value.get('emoji'))} {ident(value.get('value'))}".strip() or "[dice]", wire.storable(dict(value)))


#: Content that is not a file. A venue comes with a location of its own, for clients that know no venues.
STRUCTURED: dict[str, Callable[[Mapping[str, Any]], Content | None]] = {
    "venue": _venue,
    "location": _location,
    "contact": _contact,
    "poll": _poll,
    "dice": _dice,
}


def _membership(event_id: str, change: Mapping[str, Any]) -> Inbound:
    """We were blocked or unblocked by a person, or removed from a group."""
    chat = table(change.get("chat"))
    chat_id = ident(chat.get("id"))
    now = table(change.get("new_chat_member")).get("status")
    at = _time(change.get("date"))
    if not chat_id:
        return Ignored(event_id, "incomplete_membership")
    if chat.get("type") == "private":
        return ContactBlocked(event_id, chat_id, now == "kicked", at)
    if now in ("kicked", "left"):
        return ConversationRemoved(event_id, chat_id, at)
    return Ignored(event_id, "my_chat_member")
