"""Translates webhook calls of Messenger and Instagram into facts. Everything here is pure and total.

Source: Meta's reference of webhook events of the Messenger Platform, and of Instagram's notifications. Instagram has the
same events but for these: an echo comes as a `messages` event, what was read is told by message instead of by moment,
nothing tells of delivery, and a message that was taken back comes again with `is_deleted`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heliograph.domain.content import Content
from heliograph.ports.provider import Author, Ignored, Inbound, InboundMessage, Receipt, ReceiptLevel
from heliograph.providers import wire
from heliograph.providers.meta_messaging_content import contents_of, postback_of, reaction_of
from heliograph.providers.wire import ident, name, rows, table, text

#: Stands before our id of a delivery in a message's metadata, so that another program's metadata is not taken for ours.
KEY = "heliograph:"

#: What an event is beside who, to whom and when.
FRAME = frozenset({"sender", "recipient", "timestamp", "prior_message"})


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose webhook it is: what Meta calls the object, the ids of the Page or account, and our app's id, "" if not known."""

    object: str
    ids: frozenset[str]
    app: str


def parse_body(body: bytes, owner: Owner) -> list[Inbound]:
    """The facts of one webhook call. Meta bundles: up to a thousand events, of several Pages."""
    decoded = wire.decode(body)
    facts: list[Inbound] = []
    # Examples of Meta's show the envelope in an array as well.
    for envelope in decoded if isinstance(decoded, list) else [decoded]:
        if not isinstance(envelope, dict) or not isinstance(envelope.get("entry"), list):
            continue
        for entry in map(table, envelope["entry"]):
            facts += _entry(entry, wire.name(envelope.get("object")), owner)
    return facts or [Ignored(wire.fingerprint(body), "not_an_envelope")]


def _entry(entry: Mapping[str, Any], kind: str, owner: Owner) -> Iterator[Inbound]:
    for event, why in _events(entry):
        print_of_it = wire.fingerprint(wire.encode(wire.storable([entry.get("id"), event])))
        if kind != owner.object:
            yield Ignored(print_of_it, "another_object")
        elif ident(entry.get("id")) not in owner.ids:
            # Meta sends the events of every Page that has the app to the app's one address.
            yield Ignored(print_of_it, "another_page")
        elif why:
            yield Ignored(print_of_it, why)
        else:
            try:
                yield from _event(event, print_of_it, owner)
            except Exception:  # one event that cannot be read must not stop the others
                yield Ignored(print_of_it, "untranslatable")


def _events(entry: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """All events of an entry, each with why it is none for us, "" where it is.

    In `standby` are those of conversations that another app answers just now: what a customer writes is for us all the same.
    `changes` holds what happens on the Page itself, and Meta's test button uses it for messages.
    """
    found = False
    for event in map(table, (*rows(entry.get("messaging")), *rows(entry.get("standby")))):
        found = True
        yield event, ""
    for change in map(table, rows(entry.get("changes"))):
        found = True
        if change.get("field") == "messages" and isinstance(change.get("value"), dict):
            yield change["value"], ""
        else:
            yield change, name(change.get("field"))
    if not found:
        yield entry, "empty_entry"


def _event(event: Mapping[str, Any], event_id: str, owner: Owner) -> Iterator[Inbound]:
    contact, at = ident(table(event.get("sender")).get("id")), _micros(event.get("timestamp"))
    if isinstance(event.get("message"), dict):
        yield _message(event, event["message"], event_id, owner)
    elif contact in owner.ids:
        # What the business itself has read, edited or marked with a sign elsewhere.
        yield Ignored(event_id, "self")
    elif isinstance(event.get("delivery"), dict):
        yield from _delivered(event["delivery"], contact, at, event_id)
    elif isinstance(event.get("read"), dict):
        yield _read(event["read"], contact, at, event_id)
    elif isinstance(event.get("message_edit"), dict):
        edit = event["message_edit"]
        id = ident(edit.get("mid"))
        contents, not_carried = contents_of(edit)
        number = ident(edit.get("num_edit")) or str(at)
        yield _said(f"edit:{id}:{number}", contact, id, contents, at, (*not_carried, "edit"), event_id)
    elif isinstance(event.get("postback"), dict):
        postback = event["postback"]
        id = ident(postback.get("mid")) or (f"postback:{contact}:{at}" if contact and at else "")
        contents = postback_of(postback)
        yield _said(f"mid:{id}", contact, id, contents, at, () if contents else ("postback",), event_id)
    elif isinstance(event.get("reaction"), dict):
        yield _reaction(event["reaction"], contact, at, event_id)
    else:
        kinds = [name(key) for key in event if key not in FRAME]
        yield Ignored(event_id, kinds[0] if kinds else "empty_event")


def _said(
    id: str, contact: str, mid: str, contents: tuple[Content, ...], at: int, not_carried: tuple[str, ...], fallback: str
) -> InboundMessage | Ignored:
    if not contact or not mid:
        return Ignored(fallback, "incomplete_message")
    return InboundMessage(id, contact, contact, "", mid, Author.CONTACT, contents, at, not_carried)


def _message(event: Mapping[str, Any], message: Mapping[str, Any], event_id: str, owner: Owner) -> Inbound:
    sender, recipient = ident(table(event.get("sender")).get("id")), ident(table(event.get("recipient")).get("id"))
    # What has no id is told from others by all that it says: better twice than never.
    mid, at = ident(message.get("mid")) or event_id, _micros(event.get("timestamp"))
    if message.get("is_deleted") is True:
        return Ignored(f"deleted:{mid}", "deleted")
    if message.get("is_self") is True:
        # A Page or account that writes to itself has no contact.
        return Ignored(event_id, "self")
    contents, not_carried = contents_of(message)
    if message.get("is_echo") is not True and sender not in owner.ids:
        return _said(f"mid:{mid}", sender, mid, contents, at, not_carried, event_id)
    metadata = text(message.get("metadata"))
    if metadata.startswith(KEY):
        return Receipt(f"echo:{mid}", ReceiptLevel.ACCEPTED, at, mid, metadata.removeprefix(KEY))
    if owner.app and ident(message.get("app_id")) == owner.app:
        return Receipt(f"echo:{mid}", ReceiptLevel.ACCEPTED, at, mid)
    if not recipient:
        return Ignored(event_id, "incomplete_message")
    return InboundMessage(f"mid:{mid}", recipient, recipient, "", mid, Author.BUSINESS, contents, at, not_carried)


def _delivered(delivery: Mapping[str, Any], contact: str, at: int, event_id: str) -> Iterator[Inbound]:
    """By message where `mids` are told, which old clients of Messenger do not, and by moment, which is always told."""
    moment = _micros(delivery.get("watermark"))
    mids = [mid for mid in map(ident, rows(delivery.get("mids"))) if mid]
    for mid in mids:
        yield Receipt(f"delivered:{mid}", ReceiptLevel.DELIVERED, at or moment, mid)
    if contact and moment:
        yield Receipt(
            f"delivered:{contact}:{moment}", ReceiptLevel.DELIVERED, at or moment, conversation=contact, up_to=moment
        )  # fmt: skip
    elif not mids:
        yield Ignored(event_id, "incomplete_delivery")


def _read(read: Mapping[str, Any], contact: str, at: int, event_id: str) -> Inbound:
    """Messenger tells up to which moment was read, Instagram which message."""
    if mid := ident(read.get("mid")):
        return Receipt(f"read:{mid}", ReceiptLevel.READ, at, mid)
    if contact and (moment := _micros(read.get("watermark"))):
        return Receipt(f"read:{contact}:{moment}", ReceiptLevel.READ, at or moment, conversation=contact, up_to=moment)
    return Ignored(event_id, "incomplete_read")


def _reaction(reaction: Mapping[str, Any], contact: str, at: int, event_id: str) -> Inbound:
    """A sign on a message, ours or theirs. That it was taken off again is of no consequence."""
    mid, contents = ident(reaction.get("mid")), reaction_of(reaction)
    if reaction.get("action") == "unreact":
        return Ignored(event_id, "unreact")
    id = f"reaction:{mid}:{contact}:{at}" if mid else ""
    return _said(id, contact, id, contents, at, () if contents else ("reaction",), event_id)


def _micros(value: Any) -> int:
    """Milliseconds since the epoch as microseconds; seconds, and numbers in quotes, are what Meta's test button sends. 0 if none."""
    if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) <= 16:
        value = int(value)
    given = wire.number(value)
    if given is None or not 0 < given < 1e14:
        return 0
    return int(given) * (1_000 if given >= 1e11 else 1_000_000)
