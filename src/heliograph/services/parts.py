"""Comments' contents and deliveries' parts as JSON for the body table, and back."""

from collections.abc import Sequence
from typing import Any

import msgspec

from heliograph.domain.content import Content, Location, Media, Rich, Text
from heliograph.ports.provider import Part

KINDS: dict[str, type[Any]] = {"text": Text, "media": Media, "location": Location, "rich": Rich}
NAMES = {cls: name for name, cls in KINDS.items()}


def dump_contents(contents: Sequence[Content]) -> str:
    """A comment's contents as a JSON list of objects with one key, the kind."""
    return msgspec.json.encode([{NAMES[type(content)]: content} for content in contents]).decode()


def load_contents(data: str) -> list[Content]:
    """The contents; an erased body ("") has none."""
    if not data:
        return []
    found: list[Content] = []
    for item in msgspec.json.decode(data):
        found.extend(msgspec.convert(value, KINDS[kind]) for kind, value in item.items())
    return found


def plain(contents: Sequence[Content]) -> str:
    """One line of text for lists and previews."""
    words = []
    for content in contents:
        match content:
            case Text(body):
                words.append(body)
            case Media(_, name, _, _, _, _, caption):
                words.append(caption or name)
            case Location(_, _, name, address):
                words.append(name or address)
            case Rich(_, summary, _):
                words.append(summary)
    return " ".join(" ".join(words).split())


def dump_part(part: Part) -> str:
    """A part as JSON, without its file's bytes."""
    return msgspec.json.encode({"kind": part.kind, "payload": part.payload, "media": part.media}).decode()


def load_part(data: str) -> Part:
    """The part; its file's bytes are still to be filled in. Raises ValueError on an erased body."""
    if not data:
        raise ValueError("the body was erased")
    item = msgspec.json.decode(data)
    media = None if item["media"] is None else msgspec.convert(item["media"], Media)
    return Part(item["kind"], item["payload"], media)
