"""What is true of Twilio as data, and how a comment becomes messages of its API."""

from collections.abc import Iterator

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.split import split_text, utf16_units
from heliograph.ports.provider import TEXT_AND_FILES, Advance, Field, Part, ProviderSpec, Rates, Support, Unsupported
from heliograph.providers import places, rendering

#: Kinds of files beside which Twilio shows a text; WhatsApp shows none beside a recording or a document.
CAPTIONED = frozenset({MediaKind.IMAGE, MediaKind.VIDEO})

BASE_URL = "https://api.twilio.com"

SPEC = ProviderSpec(
    name="twilio",
    title="Twilio",
    fields=(
        Field("account_sid", "Account SID", hint="In the console, under Account Info: begins with AC."),
        Field("auth_token", "Auth Token", secret=True, hint="Below the Account SID. It signs webhooks, too."),
        Field(
            "sender",
            "Phone number, WhatsApp sender or Messaging Service SID",
            hint="+15550100, whatsapp:+15550100, or a SID that begins with MG.",
        ),
        Field(
            "webhook_secret",
            "Auth Token for webhooks",
            secret=True,
            required=False,
            hint="Empty: the Auth Token above. While it is changed: both, separated by a space.",
        ),
        Field("base_url", "Address of the API", required=False, default=BASE_URL),
    ),
    dedupe=DedupeClass.ECHO,
    advance=Advance.ON_ACCEPTANCE,
    # "1,600 characters" (21617). In UTF-16 units every message fits, whichever way an emoji counts.
    text_limit=1600,
    measure=utf16_units,
    # WhatsApp's. An MMS takes 5 MB, and carriers less; then Twilio says so.
    file_limit=16 * 1024 * 1024,
    content={**TEXT_AND_FILES, "location": Support.PARTIAL, "rich": Support.REFUSED},
    capabilities=frozenset({"webhook", "history", "fetch_media", "file_urls"}),
    timeout=30.0,
    receipts=frozenset({"delivered", "read", "failed"}),
    # What a sender may send a second depends on its kind and country; Twilio queues what is more.
    rates=Rates(),
    setup=(
        "In the Twilio Console, open Account Info and copy the Account SID and the Auth Token.",
        "For SMS, open Phone Numbers, Manage, Active numbers, and choose the number. For WhatsApp, open Messaging, Senders, WhatsApp "
        "senders. For a Messaging Service, open Messaging, Services, and then Integration.",
        "Where a message comes in, choose Webhook and HTTP POST, and enter {webhook_url}#rc=5&rp=all. What follows the # makes Twilio "
        "repeat a call that failed.",
        "Enter the same address as the fallback, also with HTTP POST.",
        "Receipts need no setting: each message names the address for its own.",
    ),
    docs="https://www.twilio.com/docs/messaging/api/message-resource",
    # Anything else that is no TwiML is logged as error 12300 on the customer's side.
    webhook_answer=("text/xml", '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'),
)


def parts(content: Content) -> Iterator[Part]:
    """The messages that carry one content, in order. Raises Unsupported."""
    match content:
        case Text(body):
            yield from _text(body)
        case Media():
            yield from _media(content)
        case Location():
            yield from _text(places.in_words(content))
        case Rich():
            raise Unsupported("structured content has no counterpart on Twilio")


def _text(body: str) -> Iterator[Part]:
    for piece in split_text(body, SPEC.text_limit, measure=utf16_units):
        yield Part("text", {"Body": piece})


def _media(media: Media) -> Iterator[Part]:
    rendering.fits(media, SPEC.file_limit)
    fits = media.kind in CAPTIONED and 0 < utf16_units(media.caption) <= SPEC.text_limit and bool(media.caption.strip())
    yield Part(media.kind.value, {"Body": media.caption} if fits else {}, media)
    if not fits:
        yield from _text(media.caption)
