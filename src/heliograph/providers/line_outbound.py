"""What is true of LINE, and how a comment becomes its messages.

Source: Messaging API reference ("Message objects"), its "Character counting in a text", and "Retry failed API requests".
"""

from collections.abc import Iterator
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.split import graphemes, split_text, utf16_units
from heliograph.ports.provider import Advance, Field, Part, ProviderSpec, Rates, Support, Unsupported
from heliograph.providers import places, rendering

API = "https://api.line.me"
DATA_API = "https://api-data.line.me"

#: An image may have 10 MB, but its preview 1 MB only, and the one address that we have serves as both.
PREVIEW_LIMIT = 1_000_000
PREVIEWED = frozenset({"image/jpeg", "image/png"})
#: Longest address that LINE takes in a message, in characters.
URL_LIMIT = 2000
#: Longest title and address of a place.
LABEL_LIMIT = 100

SPEC = ProviderSpec(
    name="line",
    title="LINE",
    fields=(
        Field("token", "Channel access token", secret=True, hint="Messaging API tab, Channel access token (long-lived)."),
        Field("webhook_secret", "Channel secret", secret=True, hint="Basic settings tab. While it is changed: both, separated by a space."),
        Field("base_url", "Address of the API", required=False, default=API),
        Field(
            "data_url", "Address of the API for content", required=False, hint=f"Empty: {DATA_API}, or the address of the API if changed."
        ),
    ),
    dedupe=DedupeClass.KEY,
    advance=Advance.ON_ACCEPTANCE,
    text_limit=5000,
    # Documented: UTF-16 code units, so most emoji count two.
    measure=utf16_units,
    # LINE publishes limits for what it shows itself: 200 MB for the largest. What goes as a link has none.
    file_limit=200 * 1024 * 1024,
    content={
        "text": Support.FULL,
        # Shown as a picture up to 1 MB, larger ones and other formats as a link.
        "image": Support.PARTIAL,
        # LINE wants the length of a recording and a picture for a video, which nobody has told us: both go as links.
        "audio": Support.PARTIAL,
        "video": Support.PARTIAL,
        # LINE has no message that carries a file.
        "file": Support.PARTIAL,
        "location": Support.FULL,
        "rich": Support.REFUSED,
    },
    capabilities=frozenset({"webhook", "register_webhook", "fetch_media", "file_urls", "names"}),
    timeout=30.0,
    # Documented: 24 hours from the first request. Ours is counted from the first that may have been taken, which is later where an
    # earlier one was turned down; half leaves room for twelve hours of that, and else for clocks and the documentation.
    key_lifetime=12 * 3600.0,
    # Documented: 2,000 requests a second for each endpoint and channel.
    rates=Rates(channel=2000.0),
    setup=(
        "In the LINE Official Account Manager, open Settings, Messaging API, and choose Enable Messaging API.",
        "In the LINE Developers Console, open the channel. Copy the Channel secret from the Basic settings tab.",
        "On the Messaging API tab, issue a Channel access token (long-lived) and copy it.",
        "On the same tab, enter {webhook_url} as Webhook URL, press Verify, and switch on Use webhook and Webhook redelivery.",
        "In the LINE Official Account Manager, Settings, Response settings: switch off Auto-response messages, or they answer too.",
    ),
    docs="https://developers.line.biz/en/reference/messaging-api/",
)


def message(part: Part) -> dict[str, Any]:
    """The message object of a part, with the file's address where it has a file."""
    payload = dict(part.payload)
    if part.media is None:
        return payload
    if payload["type"] == "image" and len(part.url) <= URL_LIMIT:
        return {"type": "image", "originalContentUrl": part.url, "previewImageUrl": part.url}
    return {"type": "text", "text": f"{_cut(part.media.name, LABEL_LIMIT)}\n{part.url}".strip()}


def parts(content: Content) -> Iterator[Part]:
    """The messages that carry one content, in order. Raises Unsupported."""
    match content:
        case Text(body):
            yield from _texts(body)
        case Media():
            rendering.fits(content, SPEC.file_limit)
            shown = content.kind is MediaKind.IMAGE and content.media_type in PREVIEWED
            small = content.size is not None and content.size <= PREVIEW_LIMIT
            yield Part(content.kind.value, {"type": "image" if shown and small else "link"}, content)
            yield from _texts(content.caption)
        case Location():
            yield from _location(content)
        case Rich():
            raise Unsupported("structured content has no counterpart on LINE")


def _texts(body: str) -> Iterator[Part]:
    for piece in split_text(body, SPEC.text_limit, measure=utf16_units):
        yield Part("text", {"type": "text", "text": piece})


def _location(place: Location) -> Iterator[Part]:
    """A place has a title and an address, both required; a label that is too long is cut there and follows as text."""
    latitude, longitude = places.coordinates(place)
    where = f"{latitude:.6f}, {longitude:.6f}"
    title = place.name.strip() or place.address.strip() or where
    address = place.address.strip() or place.name.strip() or where
    shown = {"title": _cut(title, LABEL_LIMIT), "address": _cut(address, LABEL_LIMIT)}
    yield Part("location", {"type": "location", **shown, "latitude": latitude, "longitude": longitude})
    if shown != {"title": title, "address": address}:
        yield from _texts(title if title == address else f"{title}\n{address}")


def _cut(label: str, limit: int) -> str:
    """The label if it fits, else as many of its characters as do, and an ellipsis."""
    if utf16_units(label) <= limit:
        return label
    kept, room = "", limit - 1
    for cluster in graphemes(label):
        room -= utf16_units(cluster)
        if room < 0:
            break
        kept += cluster
    return f"{kept}…"
