"""What a contact's phone shows, for both services in one shape."""

from typing import Any

from heliograph.sandbox.sunshine.contact import Contacts as SunshineContacts
from heliograph.sandbox.sunshine.content import field_value
from heliograph.sandbox.sunshine.state import Message
from heliograph.sandbox.telegram.contact import Contacts as TelegramContacts
from heliograph.sandbox.telegram.state import Bot, ChatMessage
from heliograph.sandbox.wire import Json
from heliograph.sandbox.world import Sandbox

#: The phone shows the end of a long conversation only.
LATEST = 200


def phones(sandbox: Sandbox) -> list[Json]:
    """Every conversation that somebody could open."""
    sunshine: list[Json] = [
        {"service": "sunshine", "conversation": place.id, "name": app.users[next(iter(place.participants))].name}
        for app in sandbox.sunshine.center.apps.values()
        for place in app.conversations.values()
        if place.participants
    ]
    telegram: list[Json] = [
        {"service": "telegram", "conversation": str(chat.id), "name": chat.first_name}
        for bot in sandbox.telegram.center.bots.values()
        for chat in bot.chats.values()
        if chat.migrated_to is None
    ]
    return [*sunshine, *telegram]


def phone(sandbox: Sandbox, service: str, conversation: str) -> Json:
    """One conversation as its contact sees it. Raises LookupError."""
    if service == "sunshine":
        return _sunshine_phone(sandbox.sunshine.contacts, conversation, sandbox.now())
    return _telegram_phone(sandbox.telegram.contacts, conversation, sandbox.now())


def _sunshine_phone(contacts: SunshineContacts, conversation: str, now: int) -> Json:
    app, place, user, client = contacts.find(conversation)
    read_until = place.business_last_read
    return {
        "service": "sunshine", "conversation": place.id, "name": user.name, "desk": app.name, "channel": client.type,
        "blocked": client.state == "blocked", "typing": place.typing_until > now, "total": len(place.messages),
        "messages": [_sunshine_message(m, read_until) for m in place.messages[-LATEST:] if not m.silent and not m.refused],
    }  # fmt: skip


def _sunshine_message(message: Message, read_until: int | None) -> Json:
    content = message.content
    seen = message.from_user and read_until is not None and read_until >= message.received
    return {
        "id": message.id, "at": message.received, "mine": message.from_user, "kind": content["type"],
        "sender": message.author.get("displayName", ""),
        "text": content.get("text") or content.get("htmlText") or content.get("markdownText") or content.get("textFallback") or "",
        "ticks": ("read" if seen else "taken") if message.from_user else "", "new": not message.from_user and not message.read,
        **_sunshine_parts(content),
    }  # fmt: skip


def _sunshine_parts(content: Json) -> Json:
    parts: Json = {}
    if content["type"] in ("image", "file"):
        kind = "image" if str(content.get("mediaType", "")).startswith("image/") else "file"
        name = content.get("altText") or content["mediaUrl"].rpartition("/")[2]
        parts["media"] = {"kind": kind, "url": content["mediaUrl"], "name": name}
    if content["type"] == "location":
        parts["place"] = {"lat": content["coordinates"]["lat"], "long": content["coordinates"]["long"], **content.get("location", {})}
        parts["text"] = ""
    if content.get("actions"):
        parts["actions"] = content["actions"]
    if content["type"] in ("list", "carousel"):
        parts["items"], parts["text"] = content["items"], ""
    if content["type"] == "form":
        parts["fields"], parts["submitted"] = content["fields"], bool(content.get("submitted"))
    if content["type"] == "formResponse":
        parts["text"] = "\n".join(f"{f['label']}: {field_value(f)}" for f in content["fields"])
    if content["type"] == "template":
        parts["text"] = f"Template: {content['template'].get('name', '')}"
    return parts


def _telegram_phone(contacts: TelegramContacts, conversation: str, now: int) -> Json:
    bot, chat = contacts.find(conversation)
    return {
        "service": "telegram", "conversation": str(chat.id), "name": chat.first_name, "desk": bot.name, "channel": "telegram",
        "blocked": bool(chat.refusal), "typing": chat.typing_until > now, "total": len(chat.messages),
        "messages": [_telegram_message(bot, m) for m in chat.messages[-LATEST:]],
    }  # fmt: skip


def _telegram_message(bot: Bot, message: ChatMessage) -> Json:
    content = message.content
    kind = next(iter(content), "text")
    shown: Json = {
        "id": str(message.id), "at": message.date, "mine": not message.from_bot, "kind": kind, "edited": message.edited,
        "sender": "", "text": str(content.get("text") or content.get("caption") or ""),
        "ticks": "taken" if not message.from_bot else "", "new": message.from_bot and not message.read,
    }  # fmt: skip
    value: Any = content.get(kind)
    if kind == "photo":
        shown["media"] = {"kind": "image", "url": _download(bot, value[-1]["file_id"]), "name": "photo"}
    elif kind in ("document", "voice", "audio", "video"):
        shown["media"] = {"kind": "file", "url": _download(bot, value["file_id"]), "name": value.get("file_name", kind)}
    elif kind == "sticker":
        shown["text"] = value["emoji"]
    elif kind == "location":
        shown["place"] = {"lat": value["latitude"], "long": value["longitude"]}
    elif kind == "contact":
        shown["text"] = f"{value['first_name']} · {value['phone_number']}"
    return shown


def _download(bot: Bot, file_id: str) -> str:
    # Not the bot's own download address: that one carries the token.
    return f"/sandbox/file/{bot.id}/{file_id}" if file_id in bot.files else ""
