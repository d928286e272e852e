"""Translates Twilio's messaging webhooks into facts. Everything here is pure and total.

Source: Twilio's guides "Twilio's request to your incoming message Webhook URL" and "Outbound Message Status in Status Callbacks".
"""

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Author, ContactBlocked, Ignored, Inbound, InboundMessage, RawRequest, Receipt, ReceiptLevel
from heliograph.providers import wire

#: The query parameter of a status callback's address that carries our id of the delivery.
REPLY = "reply"

#: MessageStatus -> what it claims. "canceled" is said of scheduled messages only, of which we make none.
LEVELS: dict[str, ReceiptLevel] = {
    "accepted": ReceiptLevel.ACCEPTED,
    "scheduled": ReceiptLevel.ACCEPTED,
    "queued": ReceiptLevel.ACCEPTED,
    "sending": ReceiptLevel.ACCEPTED,
    "sent": ReceiptLevel.SENT,
    "delivered": ReceiptLevel.DELIVERED,
    "read": ReceiptLevel.READ,
    "undelivered": ReceiptLevel.FAILED,
    "failed": ReceiptLevel.FAILED,
    "canceled": ReceiptLevel.FAILED,
}

#: What an inbound message's own state may be; it comes in the same parameter.
ARRIVING = frozenset({"", "receiving", "received"})

#: Most files that one message brings: ten by SMS, one by WhatsApp. What claims more is not read further.
MOST_FILES = 20

#: Twilio gives files no names.
ENDINGS: dict[str, str] = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/amr": ".amr",
    "video/mp4": ".mp4",
    "video/3gpp": ".3gp",
    "application/pdf": ".pdf",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
}

Form = Mapping[str, str]


def pairs(body: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of a form, as the bytes that were signed; a value may be empty."""
    found = []
    for each in body.split(b"&"):
        if each:
            name, _, value = each.replace(b"+", b" ").partition(b"=")
            found.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return found


def form(request: RawRequest) -> Form:
    """The parameters of a call, fit to be stored. Bytes that are not UTF-8 become U+FFFD."""
    if request.method == "GET":
        return {wire.text(name): wire.text(value) for name, value in request.query.items()}
    return {_decoded(name): _decoded(value) for name, value in pairs(request.body)}


def _decoded(value: bytes) -> str:
    return wire.text(value.decode("utf-8", "replace"))


def parse(request: RawRequest, codes: Mapping[int, Reason]) -> list[Inbound]:
    """The facts of one call: a message, or news of one of ours. Twilio tells no time, so ours stands in."""
    try:
        given = form(request)
        if not any(given.values()):
            return [Ignored(wire.fingerprint(request.body), "not_a_form")]
        state = given.get("MessageStatus", "")
        if state not in ARRIVING:
            return [_receipt(given, state, request, codes)]
        return _message(given, request)
    except Exception:  # what cannot be read must not fail the call, which Twilio would not repeat
        return [Ignored(wire.fingerprint(request.body), "untranslatable")]


def _receipt(given: Form, state: str, request: RawRequest, codes: Mapping[int, Reason]) -> Inbound:
    sid, level = _sid(given), LEVELS.get(state)
    if not sid:
        return Ignored(wire.fingerprint(request.body), "incomplete_receipt")
    event_id = f"receipt:{sid}:{wire.name(state)}"
    if level is None:
        return Ignored(event_id, f"message_{wire.name(state)}"[:64])
    key = wire.text(request.query.get(REPLY, ""))
    if level is not ReceiptLevel.FAILED:
        return Receipt(event_id, level, request.at, sid, key)
    code = given.get("ErrorCode", "")
    reason = codes.get(int(code), Reason.OTHER) if code.isascii() and code.isdecimal() and len(code) < 10 else Reason.OTHER
    detail = given.get("ChannelStatusMessage", "") or given.get("ErrorMessage", "")
    return Receipt(event_id, level, request.at, sid, key, reason=reason, code=wire.name(code or state), detail=detail)


def _message(given: Form, request: RawRequest) -> list[Inbound]:
    sid, contact = _sid(given), given.get("From", "")
    if not sid or not contact:
        return [Ignored(wire.fingerprint(request.body), "incomplete_message")]
    contents, not_carried = _contents(given)
    facts: list[Inbound] = [
        InboundMessage(
            f"message:{sid}", contact, contact, given.get("ProfileName", ""), sid, Author.CONTACT, contents, request.at, not_carried
        )
    ]
    # Twilio answers STOP and START itself, and from then on refuses, or no longer refuses, what we send (21610).
    choice = given.get("OptOutType", "").upper()
    if choice in ("STOP", "START"):
        facts.append(ContactBlocked(f"optout:{sid}", contact, choice == "STOP", request.at))
    return facts


def _sid(given: Form) -> str:
    return given.get("MessageSid", "") or given.get("SmsMessageSid", "") or given.get("SmsSid", "")


def _contents(given: Form) -> tuple[tuple[Content, ...], tuple[str, ...]]:
    contents: list[Content] = []
    body, button, payload = given.get("Body", ""), given.get("ButtonText", ""), given.get("ButtonPayload", "")
    if payload:
        shown = button or body or payload
        contents.append(Rich("button", shown, {"text": shown, "payload": payload}))
        body = "" if body in (button, payload) else body
    files = list(_files(given, body or button))
    place = _location(given)
    contents.extend(files or ([Text(body or button)] if (body or button).strip() and not payload else []))
    if place is not None:
        contents.append(place)
    not_carried = ("quote",) if given.get("OriginalRepliedMessageSid") else ()
    if not contents:
        not_carried = (wire.name(given.get("MessageType", "")), *not_carried)
    return tuple(contents), not_carried


def _files(given: Form, caption: str) -> Iterator[Media]:
    """The first file carries the text."""
    for number in range(MOST_FILES):
        url = given.get(f"MediaUrl{number}", "")
        if not url:
            return
        yield media(url, given.get(f"MediaContentType{number}", ""), caption if number == 0 else "")


def media(url: str, media_type: str, caption: str = "") -> Media:
    """A file behind an address of Twilio's."""
    given = media_type.partition(";")[0].strip().lower() or "application/octet-stream"
    kind = MediaKind.of(given)
    return Media(kind, f"{kind.value}{ENDINGS.get(given, '')}", given, None, None, url, caption)


def _location(given: Form) -> Location | None:
    try:
        latitude, longitude = wire.number(float(given.get("Latitude", ""))), wire.number(float(given.get("Longitude", "")))
    except ValueError:
        return None
    if latitude is None or longitude is None:
        return None
    return Location(latitude, longitude, given.get("Label", ""), given.get("Address", ""))


def listed(message: Mapping[str, Any], files: list[Media]) -> Inbound:
    """A message as the API lists it: the same fact, with the same id, as the webhook's."""
    sid, contact = wire.ident(message.get("sid")), wire.text(message.get("from"))
    if not sid or not contact:
        return Ignored(wire.fingerprint(repr(sorted(message)).encode()), "incomplete_message")
    body = wire.text(message.get("body"))
    contents: tuple[Content, ...] = (Text(body),) if body.strip() else ()
    if files:
        contents = (media(files[0].remote or "", files[0].media_type, body), *files[1:])
    return InboundMessage(
        f"message:{sid}", contact, contact, "", sid, Author.CONTACT, contents, moment(message), () if contents else ("unknown",)
    )


def moment(message: Mapping[str, Any]) -> int:
    """When a listed message came, in microseconds; 0 where it does not say."""
    said = wire.text(message.get("date_sent") or message.get("date_created"))
    try:
        return max(0, int(parsedate_to_datetime(said).timestamp()) * 1_000_000)
    except (ValueError, TypeError, OverflowError):
        return 0
