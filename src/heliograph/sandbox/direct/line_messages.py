"""Shapes of the simulated LINE: what a message to be sent must look like, how errors are worded, how events are made and signed.

Source: LINE's OpenAPI descriptions (messaging-api.yml, webhook.yml) and the Messaging API reference. What neither says, the wording
of single details above all, is made up in their style.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from heliograph.domain.split import utf16_units
from heliograph.sandbox.direct.service import Problem
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.wire import Json, Request, Response, answer

TEXT_LIMIT = 5000
URL_LIMIT = 2000
LABEL_LIMIT = 100
MOST = 5

INVALID_TO = "The property, 'to', in the request body is invalid (line: -, column: -)"
ADDRESSES = re.compile(r"[UCR][0-9a-f]{32}")
RETRY_KEY = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Kinds of messages that LINE knows; those that are not read here are taken as they are.
KINDS = ("text", "textV2", "image", "video", "audio", "location", "sticker", "imagemap", "template", "flex", "coupon")
NEEDED = {
    "image": ("originalContentUrl", "previewImageUrl"),
    "video": ("originalContentUrl", "previewImageUrl"),
    "audio": ("originalContentUrl", "duration"),
    "sticker": ("packageId", "stickerId"),
    "location": ("title", "address", "latitude", "longitude"),
    "flex": ("altText", "contents"),
    "template": ("altText", "template"),
    "text": ("text",),
    "textV2": ("text",),
}


def problem(number: int, message: str, details: Sequence[tuple[str, str]] = ()) -> Response:
    """An error as LINE words it; `details` are pairs of a property and what is wrong with it."""
    body: Json = {"message": message}
    if details:
        body["details"] = [{"message": wrong, "property": where} for where, wrong in details]
    return answer(number, body)


def refused(details: Sequence[tuple[str, str]]) -> Problem:
    """400 for a body with faults in it."""
    return Problem(problem(400, f"The request body has {len(details)} error(s)", details))


def body_of(request: Request) -> Json:
    """The body of a call. Raises Problem."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Problem(problem(415, "Unsupported Media Type"))
    try:
        body = request.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Problem(problem(400, "The request body could not be parsed as JSON (line: 1, column: 1)"))
    return body


def checked(messages: object) -> list[Json]:
    """The message objects of a request. Raises Problem."""
    if not isinstance(messages, list) or not 1 <= len(messages) <= MOST:
        raise refused([("messages", f"Size must be between 1 and {MOST}")])
    details = [detail for index, each in enumerate(messages) for detail in _faults(each, f"messages[{index}]")]
    if details:
        raise refused(details)
    return messages


def _faults(message: object, where: str) -> list[tuple[str, str]]:
    if not isinstance(message, dict):
        return [(where, "May not be empty")]
    kind = message.get("type")
    if kind == "file":
        return [(where, "This message type is not available for your account")]
    if kind not in KINDS:
        return [(f"{where}.type", f"Must be one of the following values: [{', '.join(KINDS)}]")]
    found = [(f"{where}.{name}", "May not be empty") for name in NEEDED.get(kind, ()) if message.get(name) in (None, "")]
    if kind in ("text", "textV2") and utf16_units(str(message.get("text", ""))) > TEXT_LIMIT:
        found.append((f"{where}.text", f"Length must be between 0 and {TEXT_LIMIT}"))
    for name in ("title", "address"):
        if kind == "location" and utf16_units(str(message.get(name, ""))) > LABEL_LIMIT:
            found.append((f"{where}.{name}", f"Length must be between 0 and {LABEL_LIMIT}"))
    for name in ("originalContentUrl", "previewImageUrl"):
        if message.get(name) and not fetchable(message[name]):
            found.append((f"{where}.{name}", "Must be a valid HTTPS URL"))
    return found


def fetchable(url: object) -> bool:
    """https, and short enough; on this machine http will do, for nobody has a certificate for it."""
    if not isinstance(url, str) or len(url) > URL_LIMIT:
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"))


def said(message: Json) -> str:
    """What a contact reads of a message."""
    if message["type"] == "location":
        return ""
    return str(message.get("text") or message.get("altText") or "")


# --- events -----------------------------------------------------------------------------------------


def source(place: Conversation, person: str) -> Json:
    """Where an event comes from. In a group: which of them."""
    kind = {"U": "user", "C": "group", "R": "room"}[place.id[0]]
    return {"type": kind, f"{kind}Id": place.id} | ({"userId": person} if kind != "user" else {})


def content(account: Account, post: Post) -> Json:
    """A contact's message as events show it."""
    shown: Json = {"id": post.id, "type": post.kind}
    if post.kind != "file" and post.kind != "location":
        shown["quoteToken"] = f"q{post.id}"
    match post.kind:
        case "text":
            shown["text"] = post.text
        case "image" | "video" | "audio":
            shown["contentProvider"] = {"type": "line"}
            if post.kind != "image":
                shown["duration"] = 3000
        case "file":
            kept = account.files[post.file]
            shown |= {"fileName": kept.name, "fileSize": len(kept.data)}
        case "location":
            shown |= {"latitude": post.place["lat"], "longitude": post.place["long"], "title": "Here", "address": "1 Harbour Road"}
        case _:
            pass
    return {**shown, **post.more.get("message", {})}


def called(account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
    """A webhook call, signed. What goes out once more says so."""
    body = json.dumps({"destination": account.id, "events": events}, ensure_ascii=False, separators=(",", ":")).encode()
    for event in events:
        event["deliveryContext"] = {"isRedelivery": True}
    proof = base64.b64encode(hmac.new(account.secret.encode(), body, hashlib.sha256).digest()).decode()
    return {"content-type": "application/json; charset=utf-8", "x-line-signature": proof, "user-agent": "LineBotWebhook/2.0"}, body
