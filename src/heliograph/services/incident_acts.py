"""What an operator does about an incident: take it in hand, write down, put right, merge, and call it over. Each act names its actor."""

from collections.abc import Callable

import msgspec

from heliograph.domain import incident_events as ie
from heliograph.domain.event import Event
from heliograph.domain.incident import CORRECTABLE, Incident, corrected
from heliograph.domain.incident_rules import merged
from heliograph.ports import rows
from heliograph.ports.store import Changes, Store
from heliograph.services.context import Context, Invalid, retrying
from heliograph.services.incidents import Book, find_anywhere

NOTE = "incident_note"
#: Characters of a note.
LONGEST = 4_000


class Note(msgspec.Struct):
    """What an operator wrote down about an incident. The text can be erased; the event that there was a note stays."""

    incident: str
    actor: str
    at: int
    text: str


async def acknowledge(context: Context, id: str, *, actor: str) -> Incident:
    """An operator has it in hand. Raises Missing."""
    return await _act(context, id, actor, lambda incident: [] if incident.acknowledged_at else [ie.IncidentAcknowledged()])


async def annotate(context: Context, id: str, text: str, *, actor: str) -> str:
    """Write a note; returns its id. Raises Missing, Invalid for an empty or too long one."""
    if not text.strip() or len(text) > LONGEST:
        raise Invalid(f"A note has between 1 and {LONGEST} characters.")

    async def act() -> str:
        book, incident = await _open(context.store, id)
        note = context.new_id("nte")
        changes = Changes(incident.account, context.clock.now(), actor)
        data = msgspec.json.encode(Note(id, actor, changes.at, text)).decode()
        changes.puts.append(rows.Document(incident.account, NOTE, note, 1, changes.at, data))
        book.add(changes, id, [ie.IncidentAnnotated(note)])
        await context.store.commit(changes)
        return note

    return await retrying(act)


async def notes(store: Store, incident: Incident) -> dict[str, Note]:
    """The notes of an incident by id, in the order in which they were written."""
    found = {document.id: msgspec.json.decode(document.data, type=Note) for document in await store.documents(incident.account, NOTE)}
    return {id: note for id, note in found.items() if note.incident == incident.id}


async def correct(context: Context, id: str, name: str, new: str, *, actor: str) -> Incident:
    """Put a field right; facts leave it alone from then on. Times are microseconds. Raises Missing, Invalid."""

    def decide(incident: Incident) -> list[Event]:
        if name not in CORRECTABLE:
            raise Invalid(f"What can be corrected is: {', '.join(CORRECTABLE)}.")
        try:
            fixed = getattr(corrected(incident, name, new), name)
        except ValueError as wrong:
            raise Invalid(f"{name} cannot have this value.") from wrong
        # One in another unit is in a year that no page can be written for, the public one included.
        if isinstance(fixed, int) and not 0 <= fixed <= context.clock.now():
            raise Invalid(f"{name} is a time that has passed, in microseconds.")
        old = str(getattr(incident, name))
        return [] if old == new else [ie.IncidentCorrected(name, old, new)]

    return await _act(context, id, actor, decide)


async def merge(context: Context, id: str, into: str, *, actor: str) -> Incident:
    """Make an incident a part of another one, which is returned. Raises Missing, Invalid."""

    async def act() -> Incident:
        book, one = await _open(context.store, id)
        other = await find_anywhere(context.store, into)
        if into not in book.incidents:
            await book.take(context.store, other.account, into)
        try:
            ending, taking = merged(one, book.incidents[into])
        except ValueError as wrong:
            raise Invalid(str(wrong)) from wrong
        changes = Changes(one.account or other.account, context.clock.now(), actor)
        book.add(changes, id, ending)
        book.add(changes, into, taking)
        book.index.live = [entry for entry in book.index.live if entry[1] != id]
        book.add_index(changes)
        await context.store.commit(changes)
        return book.incidents[into]

    return await retrying(act)


async def resolve(context: Context, id: str, *, actor: str) -> Incident:
    """Call it over. What is still unwell stays a part of it and opens no other one. Raises Missing, Invalid."""

    def decide(incident: Incident) -> list[Event]:
        if incident.merged_into:
            raise Invalid("This incident was merged into another one.")
        return [] if incident.over else [ie.IncidentResolved("operator")]

    return await _act(context, id, actor, decide)


async def told(context: Context, id: str, *, agents: int, accounts: int) -> Incident:
    """Affected agents were told in the product. Raises Missing."""
    return await _act(context, id, "system", lambda _: [ie.NoticeTold(agents, accounts)] if agents else [])


async def published(context: Context, id: str, *, actor: str) -> Incident:
    """Its post-mortem is out. Raises Missing, Invalid where it is not over."""

    def decide(incident: Incident) -> list[Event]:
        if not incident.resolved_at or incident.merged_into:
            raise Invalid("A post-mortem is published when the incident is over.")
        return [] if incident.phase == "postmortem" else [ie.PhaseChanged("postmortem", "operator")]

    return await _act(context, id, actor, decide)


async def _open(store: Store, id: str) -> tuple[Book, Incident]:
    book = await Book.read(store)
    incident = book.incidents.get(id)
    if incident is None:
        found = await find_anywhere(store, id)
        incident = await book.take(store, found.account, id)
    return book, incident


async def _act(context: Context, id: str, actor: str, decide: Callable[[Incident], list[Event]]) -> Incident:
    async def act() -> Incident:
        book, incident = await _open(context.store, id)
        events = decide(incident)
        if events:
            changes = Changes(incident.account, context.clock.now(), actor)
            book.add(changes, id, events)
            await context.store.commit(changes)
        return book.incidents[id]

    return await retrying(act)
