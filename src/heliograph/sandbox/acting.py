"""Lets the control API act as a contact, in the same words for both services."""

from collections.abc import Callable
from typing import Any

from heliograph.sandbox.wire import Json, Request, Upload
from heliograph.sandbox.world import Sandbox

_Act = Callable[[Sandbox, str, Json, Request], Any]


def act(sandbox: Sandbox, action: str, body: Json, request: Request) -> Json:
    """Do `action` as the contact of `body["conversation"]`. Raises LookupError, ValueError."""
    service = body.get("service", "sunshine")
    table = _ACTIONS.get(str(service))
    if table is None:
        raise ValueError("service must be one of sunshine, telegram")
    if action not in table:
        raise LookupError(f"no such action; there are {', '.join(sorted(table))}")
    result = table[action](sandbox, _text(body, "conversation"), body, request)
    return result if isinstance(result, dict) else {"done": result if result is not None else True}


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a string that is not empty")
    return value


def _number(body: Json, name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")
    return float(value)


def _upload(request: Request) -> Upload:
    if not request.files:
        raise ValueError("send the file as multipart/form-data")
    return request.files[0]


def _flag(body: Json, name: str) -> bool:
    value = body.get(name, True)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value


# --- Sunshine Conversations -------------------------------------------------------------------


def _sunshine_content(sandbox: Sandbox, conversation: str, content: Json) -> Json:
    return {"id": sandbox.sunshine.contacts.write(conversation, content).id}


def _sunshine_file(sandbox: Sandbox, conversation: str, body: Json, request: Request) -> Json:
    file = _upload(request)
    kept = sandbox.sunshine.contacts.upload(conversation, file, request.origin)
    kind = "image" if kept.media_type.startswith("image/") else "file"
    content = {"type": kind, "mediaUrl": kept.url, "altText": kept.name[:128]}
    if body.get("caption"):
        content["text"] = body["caption"]
    return _sunshine_content(sandbox, conversation, content)


def _sunshine_location(sandbox: Sandbox, conversation: str, body: Json, request: Request) -> Json:
    place = {"lat": _number(body, "latitude"), "long": _number(body, "longitude")}
    return _sunshine_content(sandbox, conversation, {"type": "location", "coordinates": place})


def _sunshine_form(sandbox: Sandbox, conversation: str, body: Json, request: Request) -> Json:
    answers = body.get("answers")
    if not isinstance(answers, dict):
        raise ValueError("answers must be an object")
    return {"id": sandbox.sunshine.contacts.submit_form(conversation, _text(body, "message"), answers).id}


def _sunshine_any(sandbox: Sandbox, conversation: str, body: Json, request: Request) -> Json:
    return _sunshine_content(sandbox, conversation, body.get("content", {}))


# --- Telegram ---------------------------------------------------------------------------------


def _telegram_file(sandbox: Sandbox, conversation: str, body: Json, request: Request) -> Json:
    file = _upload(request)
    top = file.media_type.partition("/")[0]
    kind = str(body.get("kind") or {"image": "photo", "audio": "audio", "video": "video"}.get(top, "document"))
    return {"id": str(sandbox.telegram.contacts.file(conversation, kind, file, str(body.get("caption") or "")).id)}


def _telegram_edit(sandbox: Sandbox, conversation: str, body: Json, request: Request) -> Json:
    message = sandbox.telegram.contacts.edit(conversation, int(_text(body, "message")), _text(body, "text"))
    return {"id": str(message.id)}


def _telegram_any(sandbox: Sandbox, conversation: str, body: Json, request: Request) -> Json:
    content = body.get("content")
    if not isinstance(content, dict):
        raise ValueError("content must be an object")
    return {"id": str(sandbox.telegram.contacts.send(conversation, content).id)}


_ACTIONS: dict[str, dict[str, _Act]] = {
    "sunshine": {
        "text": lambda s, c, b, r: {"id": s.sunshine.contacts.text(c, _text(b, "text")).id},
        "content": _sunshine_any,
        "file": _sunshine_file,
        "location": _sunshine_location,
        "form": _sunshine_form,
        "postback": lambda s, c, b, r: s.sunshine.contacts.postback(c, _text(b, "payload")),
        "read": lambda s, c, b, r: s.sunshine.contacts.read(c),
        "typing": lambda s, c, b, r: s.sunshine.contacts.types(c, on=_flag(b, "on")),
        "block": lambda s, c, b, r: s.sunshine.contacts.block(c, blocked=_flag(b, "blocked")),
        "merge": lambda s, c, b, r: s.sunshine.contacts.merge(c, _text(b, "discarded")),
    },
    "telegram": {
        "text": lambda s, c, b, r: {"id": str(s.telegram.contacts.text(c, _text(b, "text")).id)},
        "content": _telegram_any,
        "file": _telegram_file,
        "location": lambda s, c, b, r: {"id": str(s.telegram.contacts.location(c, _number(b, "latitude"), _number(b, "longitude")).id)},
        "sticker": lambda s, c, b, r: {"id": str(s.telegram.contacts.sticker(c, _text(b, "emoji")).id)},
        "contact": lambda s, c, b, r: {"id": str(s.telegram.contacts.share_contact(c, _text(b, "phone"), _text(b, "name")).id)},
        "edit": _telegram_edit,
        "read": lambda s, c, b, r: s.telegram.contacts.read(c),
        "typing": lambda s, c, b, r: None,
        "block": lambda s, c, b, r: s.telegram.contacts.block(c, blocked=_flag(b, "blocked")),
        "deactivate": lambda s, c, b, r: s.telegram.contacts.deactivate(c),
        "migrate": lambda s, c, b, r: {"conversation": str(s.telegram.contacts.migrate(c).id)},
    },
}
