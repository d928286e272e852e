"""Turns contents into messages of the WhatsApp Cloud API, without recipient and key.

Source for types and limits: Meta's pages on messages and on media, by way of pywa and others.
"""

from collections.abc import Iterator
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.split import split_text, utf16_units
from heliograph.ports.provider import Part, Unsupported
from heliograph.providers import places, rendering, whatsapp_templates

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
FILE_LIMIT = 100 * 1024 * 1024
MB = 1024 * 1024

#: What is shown as more than a file: type of the message, most bytes, media types. Everything else goes as a document.
SHOWN: dict[MediaKind, tuple[str, int, frozenset[str]]] = {
    MediaKind.IMAGE: ("image", 5 * MB, frozenset({"image/jpeg", "image/png"})),
    MediaKind.VIDEO: ("video", 16 * MB, frozenset({"video/mp4", "video/3gpp"})),
    MediaKind.AUDIO: ("audio", 16 * MB, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})),
}


def parts(content: Content) -> Iterator[Part]:
    """The messages that carry one content, in order. Raises Unsupported."""
    match content:
        case Text(body):
            yield from _texts(body)
        case Media():
            yield from _media(content)
        case Location():
            yield Part("location", _location(content))
        case Rich(kind="template"):
            yield Part("template", whatsapp_templates.message(content))
        case Rich():
            raise Unsupported("of structured content, WhatsApp carries templates only")


def _texts(body: str) -> Iterator[Part]:
    for piece in split_text(body, TEXT_LIMIT, measure=utf16_units):
        yield Part("text", {"type": "text", "text": {"body": piece, "preview_url": False}})


def _media(media: Media) -> Iterator[Part]:
    rendering.fits(media, FILE_LIMIT)
    kind, most, types = SHOWN.get(media.kind, ("document", FILE_LIMIT, frozenset()))
    if media.media_type.partition(";")[0].strip() not in types or media.size is None or media.size > most:
        kind = "document"
    shown: dict[str, Any] = {"filename": media.name} if kind == "document" else {}
    caption = split_text(media.caption, TEXT_LIMIT, measure=utf16_units)
    # Audio has no caption.
    if kind != "audio" and len(caption) == 1 and utf16_units(caption[0]) <= CAPTION_LIMIT:
        shown["caption"] = caption.pop()
    yield Part(media.kind.value, {"type": kind, kind: shown}, media)
    for piece in caption:
        yield from _texts(piece)


def _location(place: Location) -> dict[str, Any]:
    latitude, longitude = places.coordinates(place)
    shown: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    # An address is shown only beneath a name.
    if place.name or place.address:
        shown |= {"name": place.name or place.address} | ({"address": place.address} if place.address else {})
    return {"type": "location", "location": shown}
