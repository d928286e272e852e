"""What is true of a channel that somebody builds themselves, and how a comment becomes the messages that it gets.

Everything here is ours to say, and said to whoever builds one in docs/webhook-channel.md and its JSON schema.
"""

from collections.abc import Iterator
from typing import Any

from heliograph.domain.content import Content, Location, Media, Rich, Text
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.split import characters, split_text
from heliograph.ports.provider import TEXT_AND_FILES, Advance, Field, Part, ProviderSpec, Rates, Support
from heliograph.providers import places, rendering

SPEC = ProviderSpec(
    name="webhook",
    title="Webhook",
    fields=(
        Field("base_url", "Address of your service", hint="Replies are posted there, signed."),
        Field(
            "webhook_secret",
            "Signing secret",
            secret=True,
            hint="whsec_ and at least 24 random bytes in base64; signs both ways. While it is changed: both, separated by a space.",
        ),
    ),
    dedupe=DedupeClass.KEY,
    advance=Advance.ON_ACCEPTANCE,
    text_limit=10_000,
    measure=characters,
    file_limit=200 * 1024 * 1024,
    content={
        **TEXT_AND_FILES,
        "location": Support.FULL,
        # Handed over as it is, with a summary in plain text: what the service makes of it is its affair.
        "rich": Support.PARTIAL,
    },
    capabilities=frozenset({"webhook", "fetch_media", "file_urls", "timed"}),
    timeout=20.0,
    # The service is asked to know an id for 72 hours.
    key_lifetime=48 * 3600.0,
    receipts=frozenset({"delivered", "read", "failed"}),
    rates=Rates(),
    setup=(
        "Build the service as docs/webhook-channel.md says; its example is a start.",
        "Make a secret, for instance: python3 -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\"",
        "Give the secret to the service and to this channel, and enter the service's address.",
        "Have the service post what comes in to {webhook_url}, signed with the same secret.",
    ),
    docs="https://www.standardwebhooks.com/",
)


def message(part: Part) -> dict[str, Any]:
    """The message of a part, with the file's address where it has a file."""
    return dict(part.payload) if part.media is None else {**part.payload, "url": part.url}


def parts(content: Content) -> Iterator[Part]:
    """The messages that carry one content, in order. Raises Unsupported."""
    match content:
        case Text(body):
            yield from _texts(body)
        case Media():
            rendering.fits(content, SPEC.file_limit)
            payload: dict[str, Any] = {"kind": content.kind.value, "name": content.name, "media_type": content.media_type}
            if content.size is not None:
                payload["size"] = content.size
            caption = split_text(content.caption, SPEC.text_limit)
            if len(caption) == 1:
                payload["caption"] = caption.pop()
            yield Part(content.kind.value, payload, content)
            for piece in caption:
                yield Part("text", {"kind": "text", "text": piece})
        case Location():
            yield Part("location", _location(content))
        case Rich(kind, summary, structure):
            yield Part("rich", {"kind": "rich", "rich_kind": kind, "summary": summary, "content": dict(structure)})


def _texts(body: str) -> Iterator[Part]:
    for piece in split_text(body, SPEC.text_limit):
        yield Part("text", {"kind": "text", "text": piece})


def _location(place: Location) -> dict[str, Any]:
    latitude, longitude = places.coordinates(place)
    labels = {"name": place.name, "address": place.address}
    return {"kind": "location", "latitude": latitude, "longitude": longitude, **{k: v for k, v in labels.items() if v}}
