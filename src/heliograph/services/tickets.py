"""Close a case and take it up again; the conversation is handed back at the provider on closing."""

from heliograph.domain import events as ev
from heliograph.domain.outcomes import Accepted
from heliograph.ports import rows
from heliograph.ports.provider import Address
from heliograph.ports.store import Changes, Loose
from heliograph.services.context import Context, Missing


async def solve(context: Context, account: str, ticket_id: str, *, actor: str) -> None:
    """Close the case. Replies that still wait go out all the same. Raises Missing."""
    ticket = await _set(context, account, ticket_id, "solved", ev.TicketSolved(), actor=actor)
    if ticket is not None:
        await _hand_back(context, ticket)


async def reopen(context: Context, account: str, ticket_id: str, *, actor: str) -> None:
    """Take the case up again. Raises Missing."""
    await _set(context, account, ticket_id, "open", ev.TicketReopened(), actor=actor)


async def _set(context: Context, account: str, ticket_id: str, state: str, event: ev.Event, *, actor: str) -> rows.Ticket | None:
    ticket = await context.store.ticket(account, ticket_id)
    if ticket is None:
        raise Missing("ticket")
    if ticket.state == state:
        return None
    changes = Changes(account, context.clock.now(), actor)
    changes.puts.append(rows.SetTicketState(account, ticket.id, state, changes.at))
    changes.loose.append(Loose("ticket", ticket.id, event, ticket.channel))
    await context.store.commit(changes)
    return ticket


async def _hand_back(context: Context, ticket: rows.Ticket) -> None:
    """Best effort: a provider that does not answer keeps the ticket solved all the same, and the event says so."""
    conversation = await context.store.conversation(ticket.account, ticket.conversation)
    channel = await context.store.channel(ticket.account, ticket.channel)
    if conversation is None or channel is None or conversation.control != "ours":
        return
    connected = await context.channels.get(channel.account, channel.id)
    if connected is None or "control" not in connected.spec.capabilities:
        return
    if await context.store.open_deliveries(ticket.account, conversation.id):
        # Handing back now would let a bot answer before the replies that still wait.
        return
    result = await connected.provider.release_control(Address(conversation.address))
    changes = Changes(ticket.account, context.clock.now())
    if isinstance(result, Accepted):
        changes.puts.append(rows.SetControl(ticket.account, conversation.id, "other"))
        changes.loose.append(Loose("ticket", ticket.id, ev.ControlReleased(), ticket.channel))
    else:
        changes.loose.append(Loose("ticket", ticket.id, ev.ControlRefused(result.reason, result.code), ticket.channel))
    await context.store.commit(changes)
