"""The schemas of the Channel Framework as checks: manifest, external resources, channelback answer, pull answer. Pure.

Limits are those of the published JSON schemas; where the documentation gives a smaller one, it is that: what keeps to the smaller
one is accepted by both readings.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from heliograph.sandbox.wire import Json
from heliograph.sandbox.zendesk.state import Manifest

RESOURCES = 256
STATE_LIMIT = 5_000
METADATA_LIMIT = 5_000
DESCRIPTION_LIMIT = 511
REQUEST_ID_LIMIT = 64
#: The schema says 64, the documentation of push 10.
FILES_LIMIT = 10
URL_LIMIT = 511
URLS = (
    "admin_ui", "pull_url", "channelback_url", "clickthrough_url", "healthcheck_url", "about_url", "dashboard_url", "event_callback_url",
)  # fmt: skip
#: Plain http is for what runs on this machine.
_LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

_Check = Callable[[str, Any], list[str]]


def text(low: int, high: int) -> _Check:
    """A string of that many characters."""

    def check(name: str, value: Any) -> list[str]:
        if not isinstance(value, str):
            return [f"{name} must be a string"]
        return [] if low <= len(value) <= high else [f"{name} must have {low} to {high} characters, it has {len(value)}"]

    return check


def external_id(name: str, value: Any) -> list[str]:
    """1 to 255 ASCII characters without blanks around them."""
    found = text(1, 255)(name, value)
    if not found and not (value.isascii() and value.isprintable()):
        found.append(f"{name} must be printable ASCII")
    if not found and value != value.strip():
        found.append(f"{name} must not begin or end with a blank")
    return found


def flag(name: str, value: Any) -> list[str]:
    """true or false."""
    return [] if isinstance(value, bool) else [f"{name} must be true or false"]


def moment(name: str, value: Any) -> list[str]:
    """A time with its zone, in ISO 8601."""
    found = text(1, 255)(name, value)
    if found:
        return found
    try:
        datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return [f"{name} must be an ISO 8601 time"]
    return [] if _ISO.fullmatch(value) else [f"{name} must be an ISO 8601 time with a zone"]


def address(name: str, value: Any) -> list[str]:
    """An https address, or a path on the service's own host."""
    found = text(1, URL_LIMIT)(name, value)
    if found:
        return found
    parts = urlsplit(value)
    if not parts.scheme and not parts.netloc:
        return []
    local = parts.scheme == "http" and parts.hostname in _LOCAL
    return [] if (parts.scheme == "https" and parts.hostname) or local else [f"{name} must be https"]


def members(value: Any, name: str, checks: Mapping[str, _Check], required: tuple[str, ...]) -> list[str]:
    """What is wrong with an object's members; members that no schema knows are allowed, as in the published ones."""
    if not isinstance(value, dict):
        return [f"{name} must be an object"]
    found = [f"{name}.{each} is missing" for each in required if each not in value]
    for each, check in checks.items():
        if each in value:
            found += check(f"{name}.{each}", value[each])
    return found


def _many(limit: int, check: _Check) -> _Check:
    def every(name: str, value: Any) -> list[str]:
        if not isinstance(value, list):
            return [f"{name} must be a list"]
        if len(value) > limit:
            return [f"{name} may have {limit} items, it has {len(value)}"]
        return [fault for number, each in enumerate(value) for fault in check(f"{name}[{number}]", each)]

    return every


def _field(name: str, value: Any) -> list[str]:
    found = members(value, name, {}, ("id", "value"))
    if not found:
        id = value["id"]
        found = [] if isinstance(id, int) and not isinstance(id, bool) else text(1, 255)(f"{name}.id", id)
    return found


def _display(name: str, value: Any) -> list[str]:
    return members(value, name, {"type": text(1, 255), "data": lambda each, data: members(data, each, {}, ())}, ("type", "data"))


def _author(name: str, value: Any) -> list[str]:
    checks = {
        "external_id": external_id, "name": text(1, 255), "image_url": text(1, 255), "locale": text(1, 255), "fields": _many(64, _field),
    }  # fmt: skip
    return members(value, name, checks, ("external_id",))


def resource(name: str, value: Any) -> list[str]:
    """What is wrong with one external resource."""
    checks: dict[str, _Check] = {
        "external_id": external_id, "internal_note": flag, "message": text(1, 65_535), "html_message": text(1, 65_535),
        "parent_id": external_id, "thread_id": external_id, "created_at": moment, "author": _author, "allow_channelback": flag,
        "display_info": _many(16, _display), "fields": _many(64, _field), "file_urls": _many(FILES_LIMIT, address),
    }  # fmt: skip
    found = members(value, name, checks, ("external_id", "message", "author", "created_at"))
    if isinstance(value, dict) and value.get("parent_id") is not None and value.get("thread_id") is not None:
        found.append(f"{name} may have a thread_id or a parent_id, not both")
    return found


def push(value: Any) -> list[str]:
    """What is wrong with the body of a push."""
    checks: dict[str, _Check] = {
        "instance_push_id": text(1, 255), "request_id": text(1, REQUEST_ID_LIMIT), "external_resources": _many(RESOURCES, resource),
    }  # fmt: skip
    return members(value, "push", checks, ("instance_push_id", "external_resources"))


def report(value: Any) -> list[str]:
    """What is wrong with the body of a reported channelback error."""
    checks: dict[str, _Check] = {
        "instance_push_id": text(1, 255), "external_id": external_id, "request_id": text(1, REQUEST_ID_LIMIT),
        "description": text(0, DESCRIPTION_LIMIT),
    }  # fmt: skip
    return members(value, "report", checks, ("instance_push_id", "external_id"))


def pull_answer(value: Any) -> list[str]:
    """What is wrong with the answer to a pull."""
    checks: dict[str, _Check] = {
        "state": text(0, STATE_LIMIT), "metadata": text(0, METADATA_LIMIT), "metadata_needs_update": flag,
        "external_resources": _many(RESOURCES, resource),
    }  # fmt: skip
    return members(value, "answer", checks, ("external_resources",))


def channelback_answer(value: Any) -> list[str]:
    """What is wrong with the answer to a channelback."""
    checks: dict[str, _Check] = {
        "external_id": external_id, "allow_channelback": flag, "metadata_needs_update": flag, "metadata": text(0, METADATA_LIMIT),
    }  # fmt: skip
    return members(value, "answer", checks, ("external_id",))


def manifest(value: Any, base: str) -> Manifest | list[str]:
    """The manifest that was found at `base`, or what is wrong with it."""
    checks: dict[str, _Check] = {
        "name": text(1, 255), "id": text(1, 511), "version": text(1, 255), "author": text(1, 255), "push_client_id": text(1, 128),
        "channelback_files": flag, "create_followup_tickets": flag,
        "urls": lambda name, urls: members(urls, name, dict.fromkeys(URLS, address), ("admin_ui",)),
    }  # fmt: skip
    found = members(value, "manifest", checks, ("name", "id", "urls"))
    if found:
        return found
    given: Json = value
    return Manifest(
        id=given["id"], name=given["name"], version=given.get("version", ""), author=given.get("author", ""),
        push_client_id=given.get("push_client_id", ""), channelback_files=given.get("channelback_files", False),
        create_followup_tickets=given.get("create_followup_tickets", False),
        urls={name: urljoin(base, given["urls"][name]) for name in URLS if name in given["urls"]},
    )  # fmt: skip
