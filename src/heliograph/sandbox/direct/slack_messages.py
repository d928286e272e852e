"""How the simulated Slack writes things down: messages as lists and events show them, errors by their names."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from heliograph.sandbox.direct.service import Problem
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.wire import SECOND, Json, Request, Response, answer

TEAM, APP, BOT, BOT_USER = "T0SANDBOX", "A0HELIO01", "B0HELIO01", "U0HELIO01"
#: What is beyond is cut off without a word.
TEXT_LIMIT = 40_000


def problem(name: str, number: int = 200, **more: Any) -> Response:
    """An error: 200, and its name inside."""
    return answer(number, {"ok": False, "error": name, **more})


def refused(name: str) -> Problem:
    """The same, to raise."""
    return Problem(problem(name))


def done(**more: Any) -> Response:
    """A success."""
    return answer(200, {"ok": True, **more})


def arguments(request: Request) -> Json:
    """What a method is called with, from the query, a form or JSON. Raises Problem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    given: Json = {**request.query, **request.form}
    if kind == "application/json" and request.body:
        try:
            body = request.json()
        except (ValueError, RecursionError):
            raise refused("invalid_json") from None
        if not isinstance(body, dict):
            raise refused("json_not_object")
        given |= body
    elif kind == "application/x-www-form-urlencoded" and request.body and not request.form:
        given |= dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    elif kind not in ("", "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
        raise refused("invalid_post_type")
    return given


def packed(given: Mapping[str, Any], name: str) -> Any:
    """An argument that is a list or an object; in a form it is JSON. Raises Problem."""
    value = given.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise refused("invalid_arguments") from None


def flag(given: Mapping[str, Any], name: str) -> bool:
    """An argument that is true or false."""
    return str(given.get(name, "")).lower() in ("1", "true")


def whole(given: Mapping[str, Any], name: str, default: int) -> int:
    """An argument that is a number. Raises Problem."""
    try:
        return int(given.get(name, default))
    except (TypeError, ValueError):
        raise refused("invalid_arguments") from None


def moment(given: Mapping[str, Any], name: str, default: float) -> float:
    """A time of a message. Raises Problem."""
    value = given.get(name)
    try:
        return float(value) if value not in (None, "") else default
    except (TypeError, ValueError):
        raise refused(f"invalid_ts_{name}") from None


def place_of(account: Account, given: Mapping[str, Any], name: str = "channel") -> Conversation:
    """Where a message goes. A person's id stands for the direct channel with them. Raises Problem."""
    wanted = str(given.get(name) or "")
    found = (each for each in account.conversations.values() if each.more["user"] == wanted)
    place = account.conversations.get(wanted) or next(found, None)
    if place is None:
        raise refused("channel_not_found")
    if place.more.get("archived"):
        raise refused("is_archived")
    if place.more.get("left"):
        raise refused("not_in_channel")
    return place


def thread_of(place: Conversation, given: Mapping[str, Any]) -> str:
    """The thread that a message goes to, "" for none. Raises Problem."""
    thread = str(given.get("thread_ts") or "")
    if thread and not any(post.id == thread for post in place.posts):
        raise refused("thread_not_found")
    return thread


def escaped(body: str) -> str:
    """As Slack writes what a person has typed."""
    return body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(body: str) -> str:
    """As a person reads it."""
    return body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def signed(secret: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of a call at that time."""
    stamp = str(at // SECOND)
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"content-type": "application/json", "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}


def file_json(account: Account, id: str) -> Json:
    """A file as messages show it."""
    file = account.files[id]
    url = f"{account.more['base']}/files-pri/{TEAM}-{id}"
    ending = file.name.rpartition(".")[2] if "." in file.name else ""
    return {
        "id": id, "name": file.name, "title": file.name, "mimetype": file.media_type, "filetype": ending, "size": len(file.data),
        "mode": "hosted", "is_external": False, "is_public": False, "url_private": f"{url}/file",
        "url_private_download": f"{url}/download/file",
    }  # fmt: skip


def message_json(account: Account, post: Post, *, metadata: bool) -> Json:
    """A message as a list shows it, and as an event does but for the channel."""
    shown: Json = {"type": "message", "text": post.more["text"], "ts": post.id, "team": TEAM}
    if post.mine:
        shown |= {"user": post.more["user"], "client_msg_id": f"{account.id}-{post.id}"}
    else:
        profile = {"id": BOT, "app_id": APP, "name": account.name, "team_id": TEAM}
        shown |= {"user": BOT_USER, "bot_id": BOT, "app_id": APP, "bot_profile": profile}
    if post.more.get("thread"):
        shown["thread_ts"] = post.more["thread"]
    if post.file:
        shown |= {"subtype": "file_share", "files": [file_json(account, post.file)], "upload": False}
    if post.more.get("blocks"):
        shown["blocks"] = post.more["blocks"]
    if post.more.get("edited"):
        shown["edited"] = {"user": post.more["user"], "ts": post.more["edited"]}
    if metadata and post.more.get("metadata"):
        shown["metadata"] = post.more["metadata"]
    return shown


def event(place: Conversation, told: Json, **more: Any) -> Json:
    """The event of a message."""
    kind = {"D": "im", "G": "group"}.get(place.id[:1], "channel")
    return {**told, "channel": place.id, "channel_type": kind, "event_ts": told["ts"], **more}
