"""Judges the attachments that a business sends over the simulated Messenger or Instagram, as Meta does."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from heliograph.sandbox.direct.meta_platform import problem
from heliograph.sandbox.direct.service import Problem
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.wire import Json, Upload

#: What an attachment's `type` demands of the media type of a file that is uploaded with it.
_TYPES = {"image": "image/", "audio": "audio/", "video": "video/"}


def _wrong(message: str, subcode: int = 0) -> Problem:
    return problem(100, f"(#100) {message}", subcode)


def attachment_of(
    given: Any, file: Upload | None, account: Account, kinds: Mapping[str, int], keep: Callable[[Upload], str]
) -> tuple[str, str, str]:
    """Kind of an attachment, the id of its kept file and its address elsewhere ("" where it has none). Raises Problem.

    `kinds` are the kinds of file with the largest size of each, bytes.
    """
    if not isinstance(given, dict) or not isinstance(given.get("payload"), dict):
        raise _wrong("Param message[attachment] must have type and payload")
    kind, payload = str(given.get("type")), given["payload"]
    if kind == "template":
        if payload.get("template_type") not in ("generic", "button", "media"):
            raise _wrong("Param template_type is not valid")
        return "text", "", ""
    if kind not in kinds:
        raise _wrong("Param message[attachment][type] must be one of " + ", ".join(kinds))
    if file is not None:
        return kind, _uploaded(kind, file, kinds[kind], keep), ""
    if id := payload.get("attachment_id"):
        kept = account.more.get("attachments", {}).get(str(id))
        if kept is None:
            raise _wrong("Invalid attachment id")
        return kind, str(kept["file"]), str(kept["url"])
    url = payload.get("url")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise _wrong("Failed to fetch the file from the url", 2018008)
    return kind, "", url


def _uploaded(kind: str, file: Upload, limit: int, keep: Callable[[Upload], str]) -> str:
    if len(file.data) > limit:
        raise _wrong("Attachment size exceeds allowable limit", 2018109)
    if file.field != "filedata" or not file.data or not file.media_type.startswith(_TYPES.get(kind, "")):
        raise _wrong("Upload attachment failure.", 2018047)
    return keep(file)


def _first(given: Json) -> Json:
    """The first element of a generic template."""
    elements = given["payload"].get("elements")
    return elements[0] if isinstance(elements, list) and elements and isinstance(elements[0], dict) else {}


def text_of(given: Json) -> str:
    """What a template says, for the contact's phone."""
    payload, first = given["payload"], _first(given)
    return str(payload.get("text") or first.get("title") or "") if given.get("type") == "template" else ""


def shown_of(given: Json) -> Json:
    """The buttons of a template, for the contact's phone."""
    buttons = given["payload"].get("buttons") or _first(given).get("buttons")
    actions = [{"text": str(each.get("title") or "")} for each in buttons if isinstance(each, dict)] if isinstance(buttons, list) else []
    return {"actions": actions} if actions else {}
