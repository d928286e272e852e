"""What the phone of a contact shows, at the simulated Sunshine Conversations."""

from heliograph.sandbox.service import LATEST
from heliograph.sandbox.sunshine.contact import Contacts
from heliograph.sandbox.sunshine.content import field_value
from heliograph.sandbox.sunshine.state import Message
from heliograph.sandbox.wire import Json


def phone(contacts: Contacts, conversation: str, now: int) -> Json:
    """One conversation as its contact sees it. Raises LookupError."""
    app, place, user, client = contacts.find(conversation)
    read_until = place.business_last_read
    return {
        "service": "sunshine", "conversation": place.id, "name": user.name, "desk": app.name, "channel": client.type,
        "blocked": client.state == "blocked", "typing": place.typing_until > now, "total": len(place.messages), "window": False,
        "messages": [_message(m, read_until) for m in place.messages[-LATEST:] if not m.silent and not m.refused],
    }  # fmt: skip


def _message(message: Message, read_until: int | None) -> Json:
    content = message.content
    seen = message.from_user and read_until is not None and read_until >= message.received
    return {
        "id": message.id, "at": message.received, "mine": message.from_user, "kind": content["type"],
        "sender": message.author.get("displayName", ""),
        "text": content.get("text") or content.get("htmlText") or content.get("markdownText") or content.get("textFallback") or "",
        "ticks": ("read" if seen else "taken") if message.from_user else "", "new": not message.from_user and not message.read,
        **_parts(content),
    }  # fmt: skip


def _parts(content: Json) -> Json:
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
