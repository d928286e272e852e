"""What the message API takes and what it calls a bad request (Sunshine Conversations API specification, messagePost)."""

import json
import mimetypes
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from heliograph.sandbox.wire import Json

TEXT_LIMIT = 4096
METADATA_LIMIT = 4096
_ACTIONS = {
    "buy": ("text", "amount"),
    "link": ("text", "uri"),
    "locationRequest": ("text",),
    "postback": ("text", "payload"),
    "reply": ("text", "payload"),
    "webview": ("text", "uri", "fallback"),
}


def check_message(body: Any) -> list[str]:
    """Everything wrong with a message to post; empty if nothing is."""
    if not isinstance(body, dict):
        return ["The body must be a JSON object"]
    wrong = [f"Missing required property: {name}" for name in ("author", "content") if name not in body]
    if "author" in body:
        wrong += _check_author(body["author"])
    if "content" in body:
        wrong += check_content(body["content"], template=body.get("schema") == "whatsapp")
    if body.get("metadata") is not None:
        wrong += check_metadata(body["metadata"])
    return wrong


def check_metadata(metadata: Any) -> list[str]:
    """Flat, strings, numbers and booleans only, 4 KB."""
    if not isinstance(metadata, dict):
        return ["metadata must be an object"]
    if any(not isinstance(v, str | int | float | bool) for v in metadata.values()):
        return ["metadata must be flat, with strings, numbers and booleans only"]
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > METADATA_LIMIT:
        return ["metadata exceeds 4KB"]
    return []


def check_content(content: Any, *, template: bool = False) -> list[str]:
    """Everything wrong with a message's content."""
    if not isinstance(content, dict):
        return ["content must be an object"]
    if template:
        return [] if content.get("type") == "template" and isinstance(content.get("template"), dict) else ["content.template is required"]
    check = _CHECKS.get(str(content.get("type")))
    if check is None:
        return ["content.type must be one of " + ", ".join(_CHECKS)]
    return check(content)


def _check_author(author: Any) -> list[str]:
    if not isinstance(author, dict):
        return ["author must be an object"]
    if author.get("type") not in ("business", "user"):
        return ["author.type must be one of business, user"]
    if author["type"] == "user" and not (author.get("userId") or author.get("userExternalId")):
        return ["author.userId or author.userExternalId is required when author.type is user"]
    return []


def _text(content: Json) -> list[str]:
    wrong = []
    forms = [name for name in ("text", "htmlText", "markdownText") if content.get(name) is not None]
    if not forms and not content.get("actions") and not content.get("payload"):
        wrong.append("content.text is required")
    for name in forms:
        wrong += _string(content, name, "content", 1, TEXT_LIMIT)
    if "htmlText" in forms and "markdownText" in forms:
        wrong.append("content.htmlText and content.markdownText are mutually exclusive")
    return wrong + _actions(content, "content", 0, 10)


def _media(content: Json) -> list[str]:
    wrong = _url(content, "content") + _string(content, "altText", "content", 0, 128)
    if content.get("text") is not None:
        wrong += _string(content, "text", "content", 0, TEXT_LIMIT)
    return wrong + _actions(content, "content", 0, 10)


def _location(content: Json) -> list[str]:
    place = content.get("coordinates")
    if not isinstance(place, dict):
        return ["content.coordinates is required"]
    return [
        f"content.coordinates.{n} must be a number"
        for n in ("lat", "long")
        if isinstance(place.get(n), bool) or not isinstance(place.get(n), int | float)
    ]


def _items(content: Json) -> list[str]:
    items = content.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= 10:
        return ["content.items must contain 1 to 10 items"]
    wrong = []
    for i, item in enumerate(items):
        where = f"content.items[{i}]"
        if not isinstance(item, dict):
            wrong.append(f"{where} must be an object")
            continue
        if "title" not in item:
            wrong.append(f"{where}.title is required")
        wrong += _string(item, "title", where, 1, 128) + _string(item, "description", where, 0, 128)
        wrong += _url(item, where) if "mediaUrl" in item else []
        wrong += _actions(item, where, 1, 3)
    return wrong


def _form(content: Json) -> list[str]:
    fields = content.get("fields")
    if not isinstance(fields, list) or not 1 <= len(fields) <= 20:
        return ["content.fields must contain 1 to 20 fields"]
    wrong = []
    for i, entry in enumerate(fields):
        where = f"content.fields[{i}]"
        if not isinstance(entry, dict) or entry.get("type") not in ("email", "select", "text"):
            wrong.append(f"{where}.type must be one of email, select, text")
            continue
        wrong += [f"{where}.{n} is required" for n in ("name", "label") if n not in entry]
        wrong += _string(entry, "name", where, 1, 128) + _string(entry, "label", where, 1, 128)
        options = entry.get("options", [])
        if entry["type"] == "select" and (not isinstance(options, list) or len(options) > 200):
            wrong.append(f"{where}.options must contain at most 200 options")
    return wrong


def _template(content: Json) -> list[str]:
    return [] if isinstance(content.get("template"), dict) else ["content.template is required"]


_CHECKS: dict[str, Callable[[Json], list[str]]] = {
    "text": _text,
    "carousel": _items,
    "file": _media,
    "form": _form,
    "formResponse": _form,
    "image": _media,
    "list": _items,
    "location": _location,
    "template": _template,
}


def _string(holder: Json, name: str, where: str, low: int, high: int) -> list[str]:
    if name not in holder:
        return []
    value = holder[name]
    if not isinstance(value, str) or not low <= len(value) <= high:
        return [f"{where}.{name} must be a string of {low} to {high} characters"]
    return []


def _url(holder: Json, where: str) -> list[str]:
    value = holder.get("mediaUrl")
    if not isinstance(value, str) or len(value) > 2048:
        return [f"{where}.mediaUrl is required"]
    try:
        parts = urlsplit(value)
    except ValueError:
        return [f"{where}.mediaUrl must be a valid URL"]
    return [] if parts.scheme in ("http", "https") and parts.netloc else [f"{where}.mediaUrl must be a valid URL"]


def _actions(holder: Json, where: str, low: int, high: int) -> list[str]:
    actions = holder.get("actions", [])
    if not isinstance(actions, list) or not low <= len(actions) <= high:
        return [f"{where}.actions must contain {low} to {high} actions"]
    wrong = []
    for i, action in enumerate(actions):
        needed = _ACTIONS.get(str(action.get("type"))) if isinstance(action, dict) else None
        if needed is None:
            wrong.append(f"{where}.actions[{i}].type must be one of {', '.join(_ACTIONS)}")
        else:
            wrong += [f"{where}.actions[{i}].{n} is required" for n in needed if n not in action]
    return wrong


def complete(content: Json, size_of: Callable[[str], int | None]) -> Json:
    """The content as the service keeps it: with the read-only members that it fills in itself."""
    done = dict(content)
    match content["type"]:
        case "image" | "file":
            done["mediaType"] = mimetypes.guess_type(urlsplit(content["mediaUrl"]).path)[0] or "application/octet-stream"
            size = size_of(content["mediaUrl"])
            if size is not None:
                done["mediaSize"] = size
        case "location":
            place = content["coordinates"]
            done["text"] = f"Location shared:\nhttps://maps.google.com/maps?q={place['lat']},{place['long']}"
        case "list" | "carousel":
            done["text"] = _fallback(content["items"])
        case "form":
            done.setdefault("submitted", False)
        case "formResponse":
            done["textFallback"] = "\n".join(f"{f['label']}: {field_value(f)}" for f in content["fields"])
        case _:
            pass
    return done


def field_value(entry: Json) -> str:
    """What was answered in one field of a form response."""
    if entry["type"] == "select":
        return ", ".join(str(o.get("label", "")) for o in entry.get("select", []) if isinstance(o, dict))
    return str(entry.get(entry["type"], ""))


def _fallback(items: list[Json]) -> str:
    lines = []
    for number, item in enumerate(items, 1):
        lines.append("\n".join(t for t in (f"{number}. {item['title']}", str(item.get("description", ""))) if t))
    return "\n\n".join(lines)


def summary(content: Json) -> str:
    """The text by which a judge can recognise a message."""
    return str(content.get("text") or content.get("htmlText") or content.get("markdownText") or content.get("altText") or "")
