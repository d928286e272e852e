"""What the contact of a conversation can do through the control API, at the simulated Sunshine Conversations."""

from collections.abc import Mapping

from heliograph.sandbox.service import Act, flag, number, text, upload
from heliograph.sandbox.sunshine.contact import Contacts
from heliograph.sandbox.wire import Json, Request


def acts(contacts: Contacts) -> Mapping[str, Act]:
    """By name."""

    def content(conversation: str, given: Json) -> Json:
        return {"id": contacts.write(conversation, given).id}

    def file(conversation: str, body: Json, request: Request) -> Json:
        kept = contacts.upload(conversation, upload(request), request.origin)
        kind = "image" if kept.media_type.startswith("image/") else "file"
        given = {"type": kind, "mediaUrl": kept.url, "altText": kept.name[:128]}
        if body.get("caption"):
            given["text"] = body["caption"]
        return content(conversation, given)

    def location(conversation: str, body: Json, request: Request) -> Json:
        place = {"lat": number(body, "latitude"), "long": number(body, "longitude")}
        return content(conversation, {"type": "location", "coordinates": place})

    def form(conversation: str, body: Json, request: Request) -> Json:
        answers = body.get("answers")
        if not isinstance(answers, dict):
            raise ValueError("answers must be an object")
        return {"id": contacts.submit_form(conversation, text(body, "message"), answers).id}

    return {
        "text": lambda c, body, _: {"id": contacts.text(c, text(body, "text")).id},
        "content": lambda c, body, _: content(c, body.get("content", {})),
        "file": file,
        "location": location,
        "form": form,
        "postback": lambda c, body, _: contacts.postback(c, text(body, "payload")),
        "read": lambda c, _, __: contacts.read(c),
        "typing": lambda c, body, _: contacts.types(c, on=flag(body, "on")),
        "block": lambda c, body, _: contacts.block(c, blocked=flag(body, "blocked")),
        "merge": lambda c, body, _: contacts.merge(c, text(body, "discarded")),
    }
