"""Opaque cursors: where the next page begins. They carry no rights, since every read is bound to the account anyway."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, TypeVar

import msgspec

from heliograph.web.problems import Refused

T = TypeVar("T")
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
WRONG = "This cursor is not one of this list. Use `next` of the page before, or leave it away to begin anew."


class ByTime(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """After a row of a list by time, newest first."""

    at: Number
    id: Id


class ById(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    """After a row of a list by id."""

    id: Id


class BySeq(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """After an event."""

    seq: Number


def encode(cursor: ByTime | ById | BySeq) -> str:
    """The text that goes out."""
    return urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def decode(text: str, kind: type[T]) -> T:
    """The cursor that came back. Raises Refused (400) for anything that `encode` never made."""
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        found = msgspec.json.decode(data, type=kind)
    except (ValueError, RecursionError) as wrong:
        raise Refused(400, WRONG, errors=[("cursor", "not a cursor of this list")]) from wrong
    return found
