"""What Sunshine Conversations can carry, how a comment becomes its messages, and what its refusals mean.

Source for codes and limits: the OpenAPI description of Sunshine Conversations v2, 17.12.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.reasons import Reason
from heliograph.domain.split import split_text, utf16_units
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import (
    Advance,
    Deferred,
    Field,
    Part,
    ProviderSpec,
    Rates,
    Refused,
    SendResult,
    Support,
    Unknown,
    Unsupported,
)
from heliograph.providers import certainty, places, rendering, wire
from heliograph.providers.wire import name, rows, table, text

#: Deadlines in seconds. A message with a file is two calls, and both must end within `spec.timeout`.
MESSAGE_TIMEOUT = 10.0
UPLOAD_TIMEOUT = 20.0

#: Bytes of JSON that the API takes; metadata and author need some of the 100 kB.
BODY_LIMIT = 96_000

#: Item types that a business may send as they are; formResponse is for customers only.
SENDABLE = frozenset({"text", "carousel", "form", "list", "location", "image", "file", "template"})

#: Error codes of the API. Each leaves the message certainly not taken.
CODES: dict[str, Reason] = {
    "app_not_found": Reason.WRONG_IDENTITY,
    "bad_request": Reason.BAD_REQUEST,
    "client_not_found": Reason.BAD_RECIPIENT,
    "conflict": Reason.BAD_REQUEST,
    "conversation_not_found": Reason.CONVERSATION_CLOSED,
    "forbidden": Reason.NOT_PERMITTED,
    "integration_not_found": Reason.WRONG_IDENTITY,
    "locked": Reason.CONVERSATION_CLOSED,
    "not_found": Reason.CONVERSATION_CLOSED,
    "payment_required": Reason.NOT_PERMITTED,
    "request_entity_too_large": Reason.TOO_LARGE,
    "switchboard_integration_not_found": Reason.BAD_REQUEST,
    "switchboard_not_found": Reason.BAD_REQUEST,
    "too_many_switchboard_integrations": Reason.BAD_REQUEST,
    "unauthorized": Reason.BAD_CREDENTIALS,
    "unsupported_media_type": Reason.UNSUPPORTED,
    "user_not_found": Reason.BAD_RECIPIENT,
}

#: By HTTP number, where no known code came. A bare 404 is a wrong address of the API (a missing "/sc"), not the message's fault.
NUMBERS: dict[int, Reason] = {
    400: Reason.BAD_REQUEST,
    401: Reason.BAD_CREDENTIALS,
    402: Reason.NOT_PERMITTED,
    403: Reason.NOT_PERMITTED,
    404: Reason.WRONG_IDENTITY,
    413: Reason.TOO_LARGE,
    415: Reason.UNSUPPORTED,
    423: Reason.CONVERSATION_CLOSED,
}

BASE_URL = "https://api.smooch.io"

SPEC = ProviderSpec(
    name="sunshine",
    title="Sunshine Conversations",
    fields=(
        Field("app_id", "App id"),
        Field("key_id", "Key id", hint="Begins with app_, int_ or act_."),
        Field("key_secret", "Key secret", secret=True),
        Field("webhook_secret", "Webhook secret", secret=True, required=False, hint="While it is changed: both, separated by a space."),
        Field("base_url", "Address of the API", required=False, default=BASE_URL, hint="Or https://{subdomain}.zendesk.com/sc"),
        Field("integration_id", "Custom integration id", required=False, hint="Whose webhook is registered; not needed with an int_ key."),
        Field("switchboard_integration", "Our switchboard integration", required=False, hint="Id or name; takes control before answering."),
        Field("release_to", "Hand conversations back to", required=False, default="next", hint='Id or name, or "next"; "none": to nobody.'),
        Field("display_name", "Name that customers see", required=False),
        Field("settle_seconds", "Seconds until absence is proof", required=False, hint="Lower than 60 for tests and demonstrations only."),
    ),
    dedupe=DedupeClass.LOOKUP,
    advance=Advance.ON_ACCEPTANCE,
    # In UTF-16 units, which is never more than characters: whichever it counts, the message fits.
    text_limit=4096,
    measure=utf16_units,
    file_limit=50 * 1024 * 1024,
    content={
        "text": Support.FULL,
        "image": Support.FULL,
        "audio": Support.PARTIAL,
        "video": Support.PARTIAL,
        "file": Support.FULL,
        "location": Support.FULL,
        "rich": Support.FULL,
    },
    capabilities=frozenset({"find", "history", "fetch_media", "control", "webhook", "register_webhook"}),
    # What was written to the wire is read within the deadline or lost; gateways before the service may hold it for up
    # to half a minute more, and the list must show it. Twice that sum is waited.
    settle=60.0,
    timeout=MESSAGE_TIMEOUT + UPLOAD_TIMEOUT,
    receipts=frozenset({"delivered", "read", "failed"}),
    # It publishes no numbers.
    rates=Rates(),
    setup=(
        "In Admin Center (Apps and integrations, Conversations API) or in the dashboard of Sunshine Conversations, create an API key"
        " for the app and copy its key id and secret.",
        "Copy the app id from the same page.",
        "Create a custom integration and copy its id. Give it one webhook, version v2, with the target {webhook_url} and all events of"
        " conversations, users and the switchboard; copy the webhook's secret.",
        "If a bot answers first: add the custom integration to the switchboard and copy its name there.",
    ),
    docs="https://developer.zendesk.com/api-reference/conversations/",
)


#: Words by which a "bad_request" says that something is too large; the API has no code of its own for it.
TOO_LARGE_WORDS = ("too large", "too long", "exceed", "maximum")


def refusal(response: HttpResponse) -> SendResult | None:
    """What an answer other than a success means; None for a success.

    5xx is ambiguous: the description promises nothing about what has been done by then. So is
    what no description covers (1xx, 3xx, 408).
    """
    number = response.status
    if 200 <= number < 300:
        return None
    error = table(next(iter(rows(table(wire.decode(response.body)).get("errors"))), None))
    code, title = name(error.get("code"), str(number)), text(error.get("title"))
    if number == 429:
        return Deferred(Reason.RATE_LIMITED, certainty.retry_after(response.headers), code, title)
    if number >= 500:
        return Unknown(Reason.PROVIDER_DOWN, code, title)
    if number < 400 or number == 408:
        return Unknown(Reason.NO_ANSWER, code, title)
    if number == 401:
        return Refused(Reason.BAD_CREDENTIALS, code, title)
    reason = CODES.get(code) or NUMBERS.get(number, Reason.OTHER)
    if reason is Reason.BAD_REQUEST and any(word in title.lower() for word in TOO_LARGE_WORDS):
        reason = Reason.TOO_LARGE
    return Refused(reason, code, title)


def parts(content: Content) -> Iterator[Part]:
    """The messages that carry one content, in order. Raises Unsupported."""
    match content:
        case Text(body):
            for piece in split_text(body, SPEC.text_limit, measure=utf16_units):
                yield Part("text", {"type": "text", "text": piece})
        case Media():
            yield from _media(content)
        case Location():
            yield Part("location", _location(content))
        case Rich(kind=kind, content=fields):
            yield Part("rich", _rich(kind, fields))


def _media(media: Media) -> Iterator[Part]:
    rendering.fits(media, SPEC.file_limit)
    payload: dict[str, Any] = {"type": "image" if media.kind is MediaKind.IMAGE else "file"}
    caption = split_text(media.caption, SPEC.text_limit, measure=utf16_units)
    if len(caption) == 1:
        payload["text"] = caption.pop()
    yield Part(media.kind.value, payload, media)
    for piece in caption:
        yield Part("text", {"type": "text", "text": piece})


def _location(place: Location) -> dict[str, Any]:
    latitude, longitude = places.coordinates(place)
    payload: dict[str, Any] = {"type": "location", "coordinates": {"lat": latitude, "long": longitude}}
    names = {key: value for key, value in (("name", place.name), ("address", place.address)) if value}
    return payload | ({"location": names} if names else {})


def _rich(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    if kind not in SENDABLE:
        raise Unsupported(f"content of the kind {name(kind)} cannot be sent")
    payload = {**fields, "type": kind}
    if utf16_units(text(payload.get("text"))) > SPEC.text_limit:
        raise Unsupported("the text of structured content cannot be split, and this one is too long")
    if len(json.dumps(payload).encode()) > BODY_LIMIT:
        raise Unsupported("structured content of this size is not carried")
    return payload
