"""What the phone of a contact shows, at the simulated Telegram."""

from typing import Any

from heliograph.sandbox.service import LATEST
from heliograph.sandbox.telegram.contact import Contacts
from heliograph.sandbox.telegram.state import Bot, ChatMessage
from heliograph.sandbox.wire import Json


def phone(contacts: Contacts, conversation: str, now: int) -> Json:
    """One conversation as its contact sees it. Raises LookupError."""
    bot, chat = contacts.find(conversation)
    return {
        "service": "telegram", "conversation": str(chat.id), "name": chat.first_name, "desk": bot.name, "channel": "telegram",
        "blocked": bool(chat.refusal), "typing": chat.typing_until > now, "total": len(chat.messages), "window": False,
        "messages": [_message(bot, m) for m in chat.messages[-LATEST:]],
    }  # fmt: skip


def _message(bot: Bot, message: ChatMessage) -> Json:
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
    return f"/sandbox/file/telegram/{file_id}" if file_id in bot.files else ""
