"""Contacts whose provider brings no names with their messages are asked for at the provider, beside the way in."""

import asyncio
from collections.abc import Sequence
from typing import cast

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import Names, PollFailed
from heliograph.ports.store import Changes, Conflict, Unavailable
from heliograph.services.context import Context
from heliograph.services.sealed import Sealed

#: One document for each ticket that a contact without a name has begun, by the ticket's id.
KIND = "unnamed"
#: Microseconds: for how long one who asks is given before another one does, between tries that fail, and until it is given up.
TAKEN, FIRST, LONGEST, GIVEN_UP = 120 * SECOND, 5 * SECOND, 3600 * SECOND, 86_400 * SECOND
#: Contacts of an account that are asked for one after the other, and accounts that are served at once.
ROUND, AT_ONCE = 20, 8


class Unnamed(msgspec.Struct):
    """Whose name is sought: `handle` is the contact's id at the provider. Times in microseconds."""

    channel: str
    contact: str
    handle: str
    since: int
    ready_at: int
    tries: int = 0

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
    return _document(account, ticket, 1, Unnamed(channel, contact, handle, now, now), now)


async def step(context: Context) -> None:
    """Ask for what is due, accounts beside each other. Several processes may run it: whoever notes first that it asks does."""
    now = context.clock.now()
    due: dict[str, list[tuple[rows.Document, Unnamed]]] = {}
    for document in await context.store.documents_of_all(KIND):
        unnamed = msgspec.json.decode(document.data, type=Unnamed)
        if unnamed.ready_at <= now:
            due.setdefault(document.account, []).append((document, unnamed))
    room = asyncio.Semaphore(AT_ONCE)

    async def served(found: Sequence[tuple[rows.Document, Unnamed]]) -> None:
        async with room:
            await _ask_all(context, sorted(found, key=lambda each: each[1].ready_at)[:ROUND])

    async with asyncio.TaskGroup() as tasks:
        for found in due.values():
            tasks.create_task(served(found))


async def _ask_all(context: Context, due: Sequence[tuple[rows.Document, Unnamed]]) -> None:
    """The first of an account, until one fails: where nobody answers, no other account waits for long."""
    try:
        for document, unnamed in due:
            if not await _ask(context, document, unnamed):
                return
    except (Unavailable, Conflict) as passing:
        context.observe("round_failed", {"error": type(passing).__name__})


async def _ask(context: Context, document: rows.Document, unnamed: Unnamed) -> bool:
    """Ask for one; False where that failed."""
    now, account, ticket = context.clock.now(), document.account, document.id
    taken = msgspec.structs.replace(unnamed, ready_at=now + TAKEN, tries=unnamed.tries + 1)
    try:
        await context.store.commit(Changes(account, now, puts=[_document(account, ticket, document.version + 1, taken, now)]))
    except Conflict:
        return True
    name = await _name(context, account, unnamed)
    after = context.clock.now()
    changes = Changes(account, after)
    if name is None and after - unnamed.since <= GIVEN_UP:
        later = after + min(FIRST * 2 ** min(unnamed.tries, 20), LONGEST)
        again = msgspec.structs.replace(taken, ready_at=later)
        changes.puts.append(_document(account, ticket, document.version + 2, again, after))
    else:
        changes.puts += [rows.NameContact(account, unnamed.contact, unnamed.channel, unnamed.handle, name)] if name else []
        changes.puts.append(rows.DropDocument(account, KIND, ticket))
    await context.store.commit(changes)
    context.observe("name_asked", {"channel": unnamed.channel, "named": int(bool(name)), "tries": taken.tries})
    return name is not None


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


def _document(account: str, ticket: str, version: int, unnamed: Unnamed, now: int) -> rows.Document:
    return rows.Document(account, KIND, ticket, version, now, msgspec.json.encode(unnamed).decode())
