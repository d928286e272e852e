"""Reads the contents of one message that came in by the WhatsApp Cloud API. Pure and total.

Source: Meta's webhook reference, one page for each type of message, and pywa's reading of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.providers import wire
from heliograph.providers.wire import ident, rows, table, text

#: Files: type -> how it is shown, media type and name where none is told.
FILES: dict[str, tuple[MediaKind, str, str]] = {
    "image": (MediaKind.IMAGE, "image/jpeg", "image.jpg"),
    "audio": (MediaKind.AUDIO, "audio/ogg", "audio.ogg"),
    "video": (MediaKind.VIDEO, "video/mp4", "video.mp4"),
    "document": (MediaKind.FILE, "application/octet-stream", "document"),
    "sticker": (MediaKind.IMAGE, "image/webp", "sticker.webp"),
}

#: These are answers to something of ours, and always name it: no quote.
ANSWERS = frozenset({"interactive", "button", "reaction"})

Row = Mapping[str, Any]


def contents(message: Row) -> tuple[tuple[Content, ...], tuple[str, ...]]:
    """What a message holds, and the kinds that cannot be represented. One of both is not empty."""
    kind = wire.name(message.get("type"))
    found = _contents(kind, message)
    not_carried: tuple[str, ...] = ()
    if kind in FILES and not any(isinstance(each, Media) for each in found):
        # The service itself could not fetch it (131052); a caption has come all the same.
        not_carried = (kind,)
    elif not found:
        inner = table(message.get("unsupported")).get("type") if kind == "unsupported" else None
        not_carried = (wire.name(inner, kind),)
    if kind not in ANSWERS and ident(table(message.get("context")).get("id")):
        not_carried = (*not_carried, "quote")
    advertisement = _referral(table(message.get("referral")))
    return (*found, *advertisement), not_carried


def _contents(kind: str, message: Row) -> list[Content]:
    if kind in FILES:
        return _file(kind, table(message.get(kind)))
    if kind == "contacts":
        return [card for each in rows(message.get("contacts")) if (card := _card(table(each))) is not None]
    translate = TRANSLATED.get(kind)
    content = translate(table(message.get(kind))) if translate else None
    return [] if content is None else [content]


def _file(kind: str, value: Row) -> list[Content]:
    shown, media_type, label = FILES[kind]
    remote, caption = ident(value.get("id")), text(value.get("caption"))
    if not remote:
        return [Text(caption)] if caption else []
    # "audio/ogg; codecs=opus"
    given = text(value.get("mime_type")).partition(";")[0].strip() or media_type
    return [Media(shown, text(value.get("filename"))[:255] or label, given, wire.size(value.get("file_size")), None, remote, caption)]


def _text(value: Row) -> Content | None:
    body = text(value.get("body"))
    return Text(body) if body else None


def _location(value: Row) -> Content | None:
    latitude, longitude = wire.number(value.get("latitude")), wire.number(value.get("longitude"))
    if latitude is None or longitude is None:
        return None
    return Location(latitude, longitude, text(value.get("name")), text(value.get("address")))


def _card(value: Row) -> Content | None:
    name = table(value.get("name"))
    full = text(name.get("formatted_name")) or f"{text(name.get('first_name'))} {text(name.get('last_name'))}".strip()
    ways = [text(table(each).get("phone")) for each in rows(value.get("phones"))]
    ways += [text(table(each).get("email")) for each in rows(value.get("emails"))]
    summary = " ".join(each for each in (full, *ways) if each)
    return Rich("contact", summary, wire.storable(dict(value))) if summary else None


def _interactive(value: Row) -> Content | None:
    """A button or a row of a list was chosen, or a form (flow) filled in."""
    kind = wire.name(value.get("type"))
    answer = table(value.get(kind))
    lines = [text(answer.get("title")) or text(answer.get("body")), text(answer.get("description"))]
    if kind == "nfm_reply":
        lines = [text(answer.get("body")) or text(answer.get("name")), text(answer.get("response_json"))]
    summary = "\n".join(each for each in lines if each)
    return Rich(kind, summary, wire.storable(dict(value))) if summary else None


def _button(value: Row) -> Content | None:
    """A quick-reply button of a template was pressed."""
    summary = text(value.get("text")) or text(value.get("payload"))
    return Rich("button", summary, wire.storable(dict(value))) if summary else None


def _reaction(value: Row) -> Content | None:
    emoji = text(value.get("emoji"))
    return Rich("reaction", emoji, wire.storable(dict(value))) if emoji else None


def _order(value: Row) -> Content | None:
    lines = [text(value.get("text"))]
    for item in map(table, rows(value.get("product_items"))):
        price = f"{ident(item.get('item_price')) or wire.number(item.get('item_price')) or ''} {text(item.get('currency'))}".strip()
        lines.append(f"{ident(item.get('quantity'))} x {ident(item.get('product_retailer_id'))} {price}".strip())
    summary = "\n".join(each for each in lines if each)
    return Rich("order", summary, wire.storable(dict(value))) if summary else None


def _referral(value: Row) -> list[Content]:
    """The advertisement or post by which the contact has come."""
    lines = [text(value.get("headline")), text(value.get("body")), text(value.get("source_url"))]
    summary = "\n".join(each for each in lines if each)
    return [Rich("referral", summary, wire.storable(dict(value)))] if summary else []


TRANSLATED: dict[str, Callable[[Row], Content | None]] = {
    "text": _text,
    "location": _location,
    "interactive": _interactive,
    "button": _button,
    "reaction": _reaction,
    "order": _order,
}
