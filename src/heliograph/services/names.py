"""Contacts whose provider brings no names with their messages are asked for at the provider, beside the way in."""

from typing import cast

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import Names, PollFailed
from heliograph.services.context import Context
from heliograph.services.follow_up import Followed, FollowUp, Found
from heliograph.services.sealed import Sealed

#: One document for each ticket that a contact without a name has begun, by the ticket's id.
KIND = "unnamed"
#: Microseconds: for how long one who asks is given before another one does, and until it is given up.
TAKEN, GIVEN_UP = 120 * SECOND, 86_400 * SECOND


class Unnamed(Followed, kw_only=True):
    """Whose name is sought: `handle` is the contact's id at the provider."""

    contact: str
    handle: str

    def __repr__(self) -> str:
        return f"Unnamed({self.channel}, {self.contact})"


async def sought(context: Context, channel: rows.Channel, contact: str) -> bool:
    """Whether the contact, new or known, has no name and the provider can be asked for it. Raises Unavailable."""
    known = await context.store.contact(channel.account, contact)
    if known is not None and known.name:
        return False
    connected = await context.channels.get(channel.account, channel.id)
    return connected is not None and "names" in connected.spec.capabilities


def noted(account: str, ticket: str, *, channel: str, contact: str, handle: str, now: int) -> rows.Document:
    """To be committed with the new ticket: from then on the provider is asked until it answers."""
    return NAMES.noted(account, ticket, Unnamed(channel, now, now, contact=contact, handle=handle))


async def _ask(context: Context, account: str, ticket: str, unnamed: Unnamed) -> Found:
    """Give the contact its name. Where none is to be had in the end, nobody is told: the page says "unknown" as it did."""
    name = await _name(context, account, unnamed)
    return Found(name is not None, [rows.NameContact(account, unnamed.contact, unnamed.channel, unnamed.handle, name)] if name else [])


async def _name(context: Context, account: str, unnamed: Unnamed) -> str | None:
    """What the provider calls the contact, "" where it knows no name or none is sought any more; None where it did not answer."""
    handle = await context.store.handle(account, unnamed.channel, unnamed.handle)
    if handle is None or handle.contact != unnamed.contact:
        return ""
    connected = await context.channels.get(account, unnamed.channel)
    if connected is None or isinstance(connected.provider, Sealed):
        return None
    if "names" not in connected.spec.capabilities:
        return ""
    try:
        return await cast("Names", connected.provider).name_of(unnamed.handle)
    except PollFailed:
        return None
    except Exception as bug:
        # What one contact's profile does to a provider must not end the round of all others.
        context.observe("provider_bug", {"provider": connected.spec.name, "error": type(bug).__name__})
        return None


NAMES = FollowUp(KIND, Unnamed, TAKEN, GIVEN_UP, _ask)
