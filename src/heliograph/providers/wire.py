"""Reads what a stranger sent as JSON, without ever raising and without letting through what no database can hold."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

#: Characters that UTF-8 or PostgreSQL cannot store: lone halves of surrogate pairs and NUL.
UNSTORABLE = re.compile("[\ud800-\udfff\x00]")
REPLACEMENT = "\ufffd"

#: What a provider's name for something may look like to be repeated in an event or a log.
NAME = re.compile(r"[A-Za-z0-9_:.+/-]{1,64}")


def decode(body: bytes) -> Any:
    """The JSON value, or None where the body is none.

    Bytes that are not UTF-8 and escapes of lone surrogates become U+FFFD: a customer's message
    with one broken character is still a message.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8; a lone surrogate, which UTF-8 cannot carry, becomes "?"."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= 40 else None


def table(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value if it is a string, fit to be stored, else ""."""
    return UNSTORABLE.sub(REPLACEMENT, value) if isinstance(value, str) else ""


def ident(value: Any) -> str:
    """An identifier: a string, or a whole number as one, else ""."""
    if isinstance(value, bool):
        return ""
    return str(value) if isinstance(value, int) else text(value)


def name(value: Any, default: str = "unknown") -> str:
    """A provider's name for a kind or code, if it looks like one, else `default`: it may go where free text may not."""
    return value if isinstance(value, str) and NAME.fullmatch(value) else default


def number(value: Any) -> float | None:
    """The value if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def size(value: Any) -> int | None:
    """The value as a count of bytes, if it can be one."""
    found = number(value)
    return int(found) if found is not None and 0 <= found < 2**53 else None


def micros(value: Any) -> int:
    """An ISO 8601 time as microseconds since the epoch; 0 where there is none."""
    if not isinstance(value, str) or len(value) > 40:
        return 0
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return max(0, (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds)


def storable(value: Any, depth: int = 32) -> Any:
    """A JSON value with every string fit to be stored; what lies deeper than `depth` is left out."""
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth == 0:
        return None
    if isinstance(value, dict):
        return {text(key): storable(each, depth - 1) for key, each in value.items()}
    return [storable(each, depth - 1) for each in value]


def fingerprint(body: bytes) -> str:
    """A stable id for a call or event that brings none of its own."""
    return f"body:{hashlib.sha256(body).hexdigest()[:32]}"
