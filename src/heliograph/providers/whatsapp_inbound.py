"""Translates webhook calls of the WhatsApp Cloud API into facts. Everything here is pure and total.

Source: Meta's webhook reference (messages, statuses, system messages, smb_message_echoes) and pywa's reading of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heliograph.ports.provider import Author, ConversationMoved, Ignored, Inbound, InboundMessage, Receipt, ReceiptLevel
from heliograph.providers import graph, whatsapp_incoming, wire
from heliograph.providers.whatsapp_codes import CODES, OF_THE_CONVERSATION
from heliograph.providers.wire import ident, rows, table, text

LEVELS = {
    "sent": ReceiptLevel.SENT,
    "delivered": ReceiptLevel.DELIVERED,
    "read": ReceiptLevel.READ,
    # A voice message that was listened to.
    "played": ReceiptLevel.READ,
    "failed": ReceiptLevel.FAILED,
}

#: Types of messages that are no content, and of no consequence here.
SERVICE = frozenset({"request_welcome", "ephemeral"})

Row = Mapping[str, Any]


def parse_body(body: bytes, phone: str) -> list[Inbound]:
    """The facts of one webhook call for the number with id `phone`; a call can hold several messages and statuses."""
    call = wire.decode(body)
    if not isinstance(call, dict) or not isinstance(call.get("entry"), list):
        return [Ignored(wire.fingerprint(body), "not_a_call")]
    facts: list[Inbound] = []
    for entry in map(table, call["entry"]):
        for change in map(table, rows(entry.get("changes"))):
            facts += _change(change, phone, f"{wire.fingerprint(body)}:{len(facts)}")
    return facts or [Ignored(wire.fingerprint(body), "empty_call")]


def _change(change: Row, phone: str, fallback_id: str) -> list[Inbound]:
    field, value = wire.name(change.get("field")), table(change.get("value"))
    number = ident(table(value.get("metadata")).get("phone_number_id"))
    if number and number != phone:
        # One app's webhook gets the calls of all its numbers, unless each has its own address.
        return [Ignored(fallback_id, "other_number")]
    facts: list[Inbound] = []
    for rows_of, translate in TRANSLATED.items():
        for index, row in enumerate(rows(value.get(rows_of))):
            own = f"{fallback_id}:{rows_of}:{index}"
            try:
                facts += translate(table(row), value, own)
            except Exception:  # one row that cannot be read must not stop the others
                facts.append(Ignored(own, "untranslatable"))
    if not facts:
        codes = [graph.error_code(table(each)) for each in rows(value.get("errors"))]
        facts.append(Ignored(fallback_id, wire.name(f"error_{codes[0]}", "error") if codes else field))
    return facts


# --- messages -----------------------------------------------------------------------------------------


def _message(message: Row, value: Row, fallback_id: str) -> Iterator[Inbound]:
    wamid, sender = ident(message.get("id")), _person(message.get("from"), message.get("from_user_id"))
    at = moment(message.get("timestamp"))
    contact = _contact(value, sender, message)
    if not wamid:
        yield Ignored(fallback_id, "incomplete_message")
    elif message.get("type") == "system":
        yield from _system(message, wamid, at)
    elif not (sender := sender or _person(contact.get("wa_id"), contact.get("user_id"))):
        yield Ignored(wamid, "incomplete_message")
    else:
        group = ident(message.get("group_id"))
        yield _incoming(message, wamid, f"group:{group}" if group else sender, sender, _name(contact), Author.CONTACT, at)


def _echo(message: Row, _: Row, fallback_id: str) -> Iterator[Inbound]:
    """Somebody on the business side has written, in the WhatsApp Business app."""
    wamid, contact = ident(message.get("id")), _person(message.get("to"), message.get("to_user_id"))
    if not wamid or not contact:
        yield Ignored(wamid or fallback_id, "incomplete_echo")
        return
    yield _incoming(message, wamid, contact, contact, "", Author.BUSINESS, moment(message.get("timestamp")))


def _incoming(message: Row, wamid: str, conversation: str, contact: str, name: str, author: Author, at: int) -> Inbound:
    kind = wire.name(message.get("type"))
    if kind in SERVICE:
        return Ignored(wamid, kind)
    if kind == "revoke":
        return Ignored(wamid, "revoke")
    edited = table(table(message.get("edit")).get("message")) if kind == "edit" else {}
    contents, not_carried = whatsapp_incoming.contents(edited or message)
    if edited:
        not_carried = (*not_carried, "edit")
    if not contents and not_carried == ("reaction",):
        return Ignored(wamid, "reaction_removed")
    return InboundMessage(wamid, conversation, contact, name, wamid, author, contents, at, not_carried)


def _person(number: Any, user: Any) -> str:
    """A contact's address: the number where there is one, else the business-scoped user id, marked as such."""
    digits = ident(number).lstrip("+").replace(" ", "")
    if digits:
        return digits if ":" not in digits else ""
    found = ident(user)
    return f"user:{found}" if found else ""


def _contact(value: Row, sender: str, message: Row) -> Row:
    """The entry of `contacts` that describes the sender."""
    contacts = [table(each) for each in rows(value.get("contacts"))]
    user = ident(message.get("from_user_id"))
    for each in contacts:
        if (sender and _person(each.get("wa_id"), None) == sender) or (user and ident(each.get("user_id")) == user):
            return each
    return contacts[0] if len(contacts) == 1 else {}


def _name(contact: Row) -> str:
    profile = table(contact.get("profile"))
    return text(profile.get("name")) or text(profile.get("username"))


def _system(message: Row, wamid: str, at: int) -> Iterator[Inbound]:
    """A contact has another number, another business-scoped id, or (with a new number) both."""
    system = table(message.get("system"))
    kind = wire.name(system.get("type"))
    old = _person(message.get("from") or system.get("customer"), None)
    new = _person(system.get("wa_id") or system.get("new_wa_id"), None)
    was, now = ident(system.get("previous_user_id")), ident(system.get("user_id"))
    moved = False
    if old and new and old != new:
        moved = True
        yield ConversationMoved(wamid, old, new, at)
    if was and now and was != now:
        moved = True
        yield ConversationMoved(f"{wamid}:user", f"user:{was}", f"user:{now}", at)
    if not moved:
        yield Ignored(wamid, kind)


# --- statuses -----------------------------------------------------------------------------------------


def _receipt(row: Row, _: Row, fallback_id: str) -> Iterator[Inbound]:
    wamid, said = ident(row.get("id")), wire.name(row.get("status"))
    key = text(row.get("biz_opaque_callback_data"))
    level = LEVELS.get(said)
    if level is None or not (wamid or key):
        yield Ignored(fallback_id, "incomplete_receipt" if level else said)
        return
    reason, code, detail = None, "", ""
    if level is ReceiptLevel.FAILED:
        errors = [table(each) for each in rows(row.get("errors"))]
        error = errors[0] if errors else {}
        reason, code, detail = graph.error_reason(error, CODES), graph.error_code(error), graph.error_detail(error)
    # A group's message has a status for each member; that one of them could not get it is not the end of it.
    whom = ident(row.get("recipient_participant_id")) or ident(row.get("recipient_participant_user_id"))
    event_id = ":".join(each for each in (wamid or fallback_id, said, whom) if each)
    at, final = moment(row.get("timestamp")), not (whom and level is ReceiptLevel.FAILED)
    lane = code in OF_THE_CONVERSATION
    yield Receipt(event_id, level, at, wamid, key, reason=reason, code=code, detail=detail, final=final, lane=lane)


def moment(value: Any) -> int:
    """A Unix time as microseconds; 0 where it is none. Seconds, as a string; some have come in milliseconds by mistake."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdecimal() and len(value) <= 15 else None
    number = wire.number(value)
    if number is None or not 0 < number < 1e14:
        return 0
    return int(number) * 1_000_000 if number < 1e11 else int(number) * 1000


#: The rows of a change's value, in the order in which they are read.
TRANSLATED: dict[str, Callable[[Row, Row, str], Iterator[Inbound]]] = {
    "messages": _message,
    "message_echoes": _echo,
    "statuses": _receipt,
}
