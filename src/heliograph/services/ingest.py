"""Take in what a provider says: messages, receipts and changes around a conversation, each once."""

from collections.abc import Sequence
from functools import partial
from typing import assert_never

from heliograph.domain import events as ev
from heliograph.domain.delivery import State
from heliograph.domain.outcomes import DedupeClass
from heliograph.ports import rows
from heliograph.ports.provider import (
    Author,
    ContactBlocked,
    ControlChanged,
    ConversationMoved,
    ConversationRemoved,
    Ignored,
    Inbound,
    InboundMessage,
    Receipt,
)
from heliograph.ports.store import Changes, Duplicate, Loose, Unavailable
from heliograph.services import inbound_files, names
from heliograph.services.context import Context, retrying
from heliograph.services.parts import dump_contents
from heliograph.services.receipts import take_receipt
from heliograph.services.relocate import relocate
from heliograph.services.together import AT_ONCE, Together

#: What leaves a trace.
Taken = InboundMessage | Receipt | ConversationMoved | ConversationRemoved | ControlChanged | ContactBlocked


async def ingest(context: Context, channel: rows.Channel, inbound: Sequence[Inbound]) -> int:
    """Commit all items, in order and many at once; repeated ones change nothing. Returns how many were new.

    Returning means that all are durable: only then may a webhook be answered 2xx. Raises Unavailable.
    """
    new = 0
    for first in range(0, len(inbound), AT_ONCE):
        items = inbound[first : first + AT_ONCE]
        for item, taken in zip(items, await _take(context, channel, items), strict=True):
            new += taken
            context.observe("inbound_taken", {"channel": channel.id, "kind": type(item).__name__, "new": int(taken)})
    return new


async def _take(context: Context, channel: rows.Channel, items: Sequence[Inbound]) -> list[bool]:
    """Which of them were new."""
    taken: list[bool] = []
    if len(items) > 1:
        try:
            await _take_together(context, channel, items, taken)
        except Unavailable:
            # What was written may not be durable, and yet it would seem to be when looked up.
            raise
        except Exception as failed:
            # It is one item's fault, or somebody else was quicker: those before it are taken, whatever becomes of it.
            context.observe("inbound_apart", {"channel": channel.id, "error": type(failed).__name__})
    for item in items[len(taken) :]:
        taken += await retrying(partial(_take_one, context, channel, item))
    return taken


async def _take_one(context: Context, channel: rows.Channel, item: Inbound) -> list[bool]:
    taken: list[bool] = []
    try:
        await _take_together(context, channel, [item], taken)
    except Duplicate:
        return [False]
    return taken


async def _take_together(context: Context, channel: rows.Channel, items: Sequence[Inbound], taken: list[bool]) -> None:
    """Adds to `taken` for each item, once it is written, whether it was new. Raises what Store.commit raises."""
    together, decided = Together(context, channel), list[bool]()
    for item in items:
        if together.must_be_written(item):
            await together.write()
            taken += decided
            together, decided = Together(context, channel), []
        if isinstance(item, Ignored) or await together.seen(item.event_id):
            decided.append(False)
            continue
        try:
            together.add(item, await _decide(context, channel, item, together))
        except Unavailable:
            # The provider will repeat it; what came before need not wait for that.
            await together.write()
            raise
        decided.append(True)
    await together.write()
    taken += decided


async def _decide(context: Context, channel: rows.Channel, item: Taken, together: Together) -> Changes:
    """What is to be written for the item."""
    changes = Changes(channel.account, context.clock.now(), "contact")
    changes.puts.append(rows.Seen(channel.account, channel.id, item.event_id, changes.at))
    match item:
        case InboundMessage():
            await _message(context, channel, item, changes, together)
        case Receipt():
            await take_receipt(context, channel, item, changes)
        case ConversationMoved():
            await _moved(context, channel, item, changes)
        case ConversationRemoved(_, address, _):
            await _removed(channel, address, changes, together)
        case ControlChanged():
            await _control(channel, item, changes, together)
        case ContactBlocked(_, handle, blocked, _):
            changes.puts.append(rows.BlockHandle(channel.account, channel.id, handle, int(blocked)))
        case _:
            assert_never(item)
    return changes


async def _message(context: Context, channel: rows.Channel, item: InboundMessage, changes: Changes, together: Together) -> None:
    conversation = await together.conversation(item.conversation)
    if item.author is Author.BUSINESS and conversation is not None and await _is_our_own(context, channel, conversation, item.message_id):
        return
    begins = conversation is None or conversation.removed == 1
    if conversation is None or conversation.removed == 1:
        conversation = await _begin(context, channel, item, changes, together)
    ticket = await _ticket(context, conversation, changes, together)
    together.keep_conversation(conversation._replace(ticket=ticket))
    if begins and item.contact and not item.contact_name and await names.sought(context, channel, conversation.contact):
        changes.puts.append(names.noted(
            channel.account, ticket, channel=channel.id, contact=conversation.contact, handle=item.contact, now=changes.at
        ))  # fmt: skip
    comment = context.new_id("cmt")
    by_contact = item.author is Author.CONTACT
    changes.actor = "contact" if by_contact else "business"
    changes.puts += [
        rows.Comment(
            channel.account, comment, ticket, "contact" if by_contact else "business", conversation.contact if by_contact else "",
            1, item.message_id, item.occurred_at, changes.at,
        ),
        rows.Body(channel.account, comment, dump_contents(item.contents)),
        rows.TouchTicket(channel.account, ticket, changes.at),
        rows.HeardFrom(channel.account, conversation.id, ticket, item.occurred_at if by_contact else 0),
    ]  # fmt: skip
    if inbound_files.to_fetch(item.contents):
        changes.puts.append(inbound_files.noted(channel.account, comment, channel=channel.id, ticket=ticket, now=changes.at))
    received = ev.MessageReceived(item.author.value, comment, item.message_id)
    changes.loose.append(Loose("ticket", ticket, received, channel.id, item.occurred_at))
    changes.loose += [Loose("ticket", ticket, ev.PartNotCarried(kind, comment), channel.id) for kind in item.not_carried]


async def _is_our_own(context: Context, channel: rows.Channel, conversation: rows.Conversation, message_id: str) -> bool:
    """Whether it is the echo of a reply of ours that came back without our id, as some providers send them. Raises Unavailable."""
    if await context.store.delivery_by_provider_id(channel.account, channel.id, message_id) is not None:
        return True
    connected = await context.channels.get(channel.account, channel.id)
    if connected is None or connected.spec.dedupe is not DedupeClass.ECHO:
        return False
    if any(each.state is State.SENDING for each in await context.store.open_deliveries(channel.account, conversation.id)):
        # The answer to the call will tell whether it is this one: the provider repeats what is not taken.
        raise Unavailable
    return False


async def _begin(context: Context, channel: rows.Channel, item: InboundMessage, changes: Changes, together: Together) -> rows.Conversation:
    account = channel.account
    contact = await together.contact(item.contact) if item.contact else ""
    if not contact:
        contact = context.new_id("con")
        changes.puts.append(rows.Contact(account, contact, item.contact_name, changes.at))
        if item.contact:
            changes.puts.append(rows.Handle(account, channel.id, item.contact, contact, 0))
            together.keep_contact(item.contact, contact)
    conversation = rows.Conversation(
        account, context.new_id("cnv"), channel.id, item.conversation, contact, "", "", item.occurred_at, 0, changes.at
    )
    changes.puts.append(conversation)
    return conversation


async def _ticket(context: Context, conversation: rows.Conversation, changes: Changes, together: Together) -> str:
    account = conversation.account
    if together.is_open(conversation.ticket):
        return conversation.ticket
    if conversation.ticket:
        ticket = await context.store.ticket(account, conversation.ticket)
        if ticket is not None:
            if ticket.state != "open":
                changes.puts.append(rows.SetTicketState(account, ticket.id, "open", changes.at))
                changes.loose.append(Loose("ticket", ticket.id, ev.TicketReopened(), conversation.channel))
            together.keep_open(ticket.id)
            return ticket.id
    id = context.new_id("tkt")
    together.keep_open(id)
    at = changes.at
    changes.puts.append(rows.Ticket(account, id, 0, conversation.id, conversation.channel, conversation.contact, "open", at, at))
    changes.loose.append(Loose("ticket", id, ev.TicketOpened(), conversation.channel))
    return id


async def _moved(context: Context, channel: rows.Channel, item: ConversationMoved, changes: Changes) -> None:
    old = await relocate(context.store, changes, channel.id, item.old, item.new)
    if old is not None and old.ticket:
        changes.loose.append(Loose("ticket", old.ticket, ev.ConversationReplaced(old.id), channel.id, item.occurred_at))


async def _removed(channel: rows.Channel, address: str, changes: Changes, together: Together) -> None:
    conversation = await together.conversation(address)
    if conversation is None or conversation.removed:
        return
    together.keep_conversation(conversation._replace(removed=1))
    changes.puts.append(rows.RemoveConversation(channel.account, conversation.id))
    if conversation.ticket:
        changes.loose.append(Loose("ticket", conversation.ticket, ev.ConversationLost(), channel.id))


async def _control(channel: rows.Channel, item: ControlChanged, changes: Changes, together: Together) -> None:
    conversation = await together.conversation(item.conversation)
    if conversation is None:
        return
    control = "ours" if item.ours else "other"
    if conversation.control == control:
        return
    together.keep_conversation(conversation._replace(control=control))
    changes.puts.append(rows.SetControl(channel.account, conversation.id, control))
    if conversation.ticket:
        changes.loose.append(Loose("ticket", conversation.ticket, ev.ControlObserved(item.ours), channel.id, item.occurred_at))
