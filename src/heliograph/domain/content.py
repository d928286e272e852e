"""What a comment or message can contain, on its way in or out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class MediaKind(StrEnum):
    """How a file is meant to be shown."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"

    @staticmethod
    def of(media_type: str) -> "MediaKind":
        """How a file of this type is shown. A drawing that may hold a script (SVG) goes as a file."""
        family = media_type.partition("/")[0]
        return MediaKind(family) if family in ("image", "audio", "video") and media_type != "image/svg+xml" else MediaKind.FILE


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text, Unicode, never empty."""

    body: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file. Outbound it is in our file store; inbound it may still be with the provider."""

    kind: MediaKind
    name: str
    media_type: str
    #: Bytes; None where the provider did not say.
    size: int | None
    #: Key in our file store; None until fetched.
    file: str | None = None
    #: Where the provider holds it (URL or provider's file id); None for our own.
    remote: str | None = None
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """A place, WGS 84 degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Rich:
    """Structured content in the provider's own shape (carousel, list, form, template …).

    `summary` is the plain text that the desk shows for it.
    """

    kind: str
    summary: str
    content: Mapping[str, Any]


Content = Text | Media | Location | Rich
