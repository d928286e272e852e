"""What the contact of a chat can do through the control API, at the simulated Telegram."""

from collections.abc import Mapping

from heliograph.sandbox.service import Act, flag, number, text, upload
from heliograph.sandbox.telegram.contact import Contacts
from heliograph.sandbox.wire import Json, Request


def acts(contacts: Contacts) -> Mapping[str, Act]:
    """By name."""

    def file(conversation: str, body: Json, request: Request) -> Json:
        sent = upload(request)
        top = sent.media_type.partition("/")[0]
        kind = str(body.get("kind") or {"image": "photo", "audio": "audio", "video": "video"}.get(top, "document"))
        return {"id": str(contacts.file(conversation, kind, sent, str(body.get("caption") or "")).id)}

    def edit(conversation: str, body: Json, request: Request) -> Json:
        return {"id": str(contacts.edit(conversation, int(text(body, "message")), text(body, "text")).id)}

    def content(conversation: str, body: Json, request: Request) -> Json:
        given = body.get("content")
        if not isinstance(given, dict):
            raise ValueError("content must be an object")
        return {"id": str(contacts.send(conversation, given).id)}

    return {
        "text": lambda c, body, _: {"id": str(contacts.text(c, text(body, "text")).id)},
        "content": content,
        "file": file,
        "location": lambda c, body, _: {"id": str(contacts.location(c, number(body, "latitude"), number(body, "longitude")).id)},
        "sticker": lambda c, body, _: {"id": str(contacts.sticker(c, text(body, "emoji")).id)},
        "contact": lambda c, body, _: {"id": str(contacts.share_contact(c, text(body, "phone"), text(body, "name")).id)},
        "edit": edit,
        "read": lambda c, _, __: contacts.read(c),
        "typing": lambda _, __, ___: None,
        "block": lambda c, body, _: contacts.block(c, blocked=flag(body, "blocked")),
        "deactivate": lambda c, _, __: contacts.deactivate(c),
        "migrate": lambda c, _, __: {"conversation": str(contacts.migrate(c).id)},
    }
