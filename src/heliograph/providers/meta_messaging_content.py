"""Reads what a message on Messenger or Instagram contains. Everything here is pure and total.

Source: Meta's descriptions of the webhook events `messages` and `message_echoes`, and of Instagram's notifications.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.ports import links
from heliograph.providers import endings, wire
from heliograph.providers.wire import ident, name, rows, table, text

#: Files of a message: attachment type -> how it is shown, media type and name where the address tells none.
FILES: dict[str, tuple[MediaKind, str, str]] = {
    "image": (MediaKind.IMAGE, "image/jpeg", "image.jpg"),
    "sticker": (MediaKind.IMAGE, "image/png", "sticker.png"),
    "video": (MediaKind.VIDEO, "video/mp4", "video.mp4"),
    "audio": (MediaKind.AUDIO, "audio/mp4", "audio.m4a"),
    "file": (MediaKind.FILE, "application/octet-stream", "file"),
}

#: Posts and stories: links to what is shown elsewhere, which Meta lets expire.
SHARED = frozenset({"share", "post", "ig_post", "reel", "ig_reel", "story", "ig_story", "story_mention"})


def contents_of(message: Mapping[str, Any]) -> tuple[tuple[Content, ...], tuple[str, ...]]:
    """What a message holds, in order, and the names of what could not be represented; never are both empty."""
    contents: list[Content] = []
    not_carried: list[str] = []
    if body := text(message.get("text")):
        contents.append(Text(body))
    for attachment in _once(map(table, rows(message.get("attachments")))):
        found = _attachment(attachment)
        if found is not None:
            contents.append(found)
        else:
            not_carried.append(name(attachment.get("type")))
    contents += _around(message)
    if "reply_to" in message and not table(table(message["reply_to"]).get("story")):
        not_carried.append("quote")
    if message.get("is_unsupported") is True and not contents:
        not_carried.append("unsupported")
    if not contents and not not_carried:
        not_carried.append("unknown")
    return tuple(contents), tuple(not_carried)


def postback_of(postback: Mapping[str, Any]) -> tuple[Content, ...]:
    """A button that was pressed, as the words on it; what the business has put behind it where it bears none."""
    words = text(postback.get("title")) or text(postback.get("payload"))
    return ((Text(words),) if words else ()) + tuple(_around(postback))


def reaction_of(reaction: Mapping[str, Any]) -> tuple[Content, ...]:
    """A reaction to a message, as the sign that was chosen."""
    sign = text(reaction.get("emoji")) or text(reaction.get("reaction"))
    return (Rich("reaction", sign, wire.storable(dict(reaction))),) if sign else ()


def _once(attachments: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """All attachments, but a sticker once: until August 2026 Meta sends it as an image as well."""
    given = list(attachments)
    stickers = {_sticker(each) for each in given if each.get("type") == "sticker"}
    for each in given:
        if each.get("type") != "image" or not _sticker(each) or _sticker(each) not in stickers:
            yield each


def _sticker(attachment: Mapping[str, Any]) -> str:
    return ident(table(attachment.get("payload")).get("sticker_id"))


def _attachment(attachment: Mapping[str, Any]) -> Content | None:
    kind, payload = text(attachment.get("type")), table(attachment.get("payload"))
    url = text(payload.get("url"))
    if kind in FILES:
        return _file(*FILES[kind], url) if url else None
    if kind == "location":
        return _location(attachment, payload)
    if kind == "template":
        return _template(attachment, payload)
    words = text(attachment.get("title")) or text(payload.get("title"))
    link = text(attachment.get("url")) or url
    if kind in SHARED or kind == "fallback":
        summary = f"{words} {link}".strip()
        return Rich(kind, summary, wire.storable(dict(attachment))) if summary else None
    return None


def _file(kind: MediaKind, media_type: str, default: str, url: str) -> Media:
    label = links.file_name(url)
    known = endings.media_type(label)
    if known is None:
        return Media(kind, default, media_type, None, None, url)
    # A voice message is in an MP4 of its own: what Meta calls it says more than the ending.
    fits = kind is MediaKind.FILE or known.startswith(kind.value)
    return Media(kind, text(label)[-255:], known if fits else media_type, None, None, url)


def _location(attachment: Mapping[str, Any], payload: Mapping[str, Any]) -> Content | None:
    place = table(payload.get("coordinates"))
    latitude, longitude = wire.number(place.get("lat")), wire.number(place.get("long"))
    if latitude is None or longitude is None:
        return None
    return Location(latitude, longitude, text(attachment.get("title")))


def _template(attachment: Mapping[str, Any], payload: Mapping[str, Any]) -> Content:
    """A card of the business, or a product of its shop: what is written on it."""
    elements = rows(payload.get("elements")) or rows(table(payload.get("product")).get("elements"))
    lines = [text(payload.get("text")) or text(attachment.get("title"))]
    for element in map(table, elements):
        lines += [text(element.get("title")), text(element.get("subtitle"))]
    summary = "\n".join(line for line in lines if line)
    return Rich("template", summary or "[template]", wire.storable(dict(attachment)))


def _around(message: Mapping[str, Any]) -> Iterator[Content]:
    """What a message refers to: the story that it answers, the advertisement or product that it came from."""
    story = table(table(message.get("reply_to")).get("story"))
    if story:
        yield Rich("story_reply", text(story.get("url")) or "[story]", wire.storable(story))
    referral = table(message.get("referral"))
    if referral:
        shown = table(referral.get("ads_context_data"))
        product = ident(table(referral.get("product")).get("id"))
        words = text(shown.get("ad_title")) or text(referral.get("ref")) or product or text(referral.get("source"))
        yield Rich("referral", words or "[referral]", wire.storable(referral))
