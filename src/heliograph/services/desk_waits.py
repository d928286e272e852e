"""Notes in a desk on tickets whose replies wait: one for each ticket and spell of waiting, and one when it is over."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from heliograph.domain import desk_events as de
from heliograph.domain.delivery import Delivery, State
from heliograph.domain.event import Event
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.desk import Item
from heliograph.ports.store import Changes, Loose
from heliograph.projections.wording import desk as words
from heliograph.services import desk_replies
from heliograph.services.context import Context
from heliograph.services.desk_links import Linked
from heliograph.services.desk_reports import AUTHOR

KIND = "desk_spell"
#: What has waited for so long is noted, microseconds.
PATIENCE = 60 * SECOND
PAGE = 500
#: Deliveries whose author is remembered.
REMEMBERED = 50_000
UNDER_WAY = (State.QUEUED, State.SENDING, State.UNKNOWN)


class Spell(msgspec.Struct, frozen=True):
    """A ticket's spell of waiting; its document's id is the ticket's. `noted` once the desk has the note."""

    channel: str
    since: int
    noted: bool = False


class Note(NamedTuple):
    """A note to be left, with what is to be written down once it is there."""

    item: Item
    ticket: str
    row: rows.Document | rows.DropDocument
    over: bool


class Waits:
    """Of one link in one process."""

    def __init__(self, context: Context, linked: Linked, *, url: str) -> None:
        self._context = context
        self._linked = linked
        #: Where people see how it stands, "" unknown.
        self._link = f"{url}/status" if url else ""
        self._from_desk: dict[str, bool] = {}

    async def due(self) -> list[Note]:
        """Notes to be left now; the same ones again until they are written down by `left`. Raises Unavailable."""
        context, linked = self._context, self._linked
        spells = {
            document.id: (msgspec.json.decode(document.data, type=Spell), document.version)
            for document in await context.store.documents(linked.account, KIND)
        }
        spells = {ticket: kept for ticket, kept in spells.items() if kept[0].channel == linked.channel}
        long, any_wait = await self._waiting(spells=bool(spells))
        notes = [await self._begin(ticket, since) for ticket, since in sorted(long.items()) if ticket not in spells]
        for ticket, (spell, version) in spells.items():
            if not spell.noted:
                notes.append(self._note(ticket, spell, version))
            elif ticket not in any_wait:
                notes.append(await self._end(ticket, spell))
        return notes

    async def left(self, notes: Iterable[Note]) -> None:
        """The desk has these. Raises Unavailable or Conflict."""
        await self._write([(note, de.DeskNoted(over=note.over)) for note in notes])

    async def refused(self, notes: Iterable[tuple[Note, str]]) -> None:
        """The desk will never have these; with its code. Raises Unavailable or Conflict."""
        await self._write([(note, de.DeskUntold(note.item.id, code)) for note, code in notes])

    async def _write(self, notes: Sequence[tuple[Note, Event]]) -> None:
        changes = Changes(self._linked.account, self._context.clock.now())
        for note, event in notes:
            changes.puts.append(note.row)
            changes.loose.append(Loose("ticket", note.ticket, event, self._linked.channel))
        if changes.puts:
            await self._context.store.commit(changes)

    async def _waiting(self, *, spells: bool) -> tuple[dict[str, int], set[str]]:
        """Tickets on which a reply from the desk has waited for long, with since when; and all on which one waits or asks."""
        context, linked = self._context, self._linked
        before = context.clock.now() - PATIENCE
        counted = [each for each in await context.store.waiting_of(linked.account) if each.channel == linked.channel]
        pending = await desk_replies.pending(context, linked)
        if not spells and not pending and not any(each.oldest_at <= before for each in counted):
            return {}, set()
        long: dict[str, int] = {}
        all_of: set[str] = set()
        for each in pending:
            all_of.add(each.request.ticket)
            if each.at <= before:
                long[each.request.ticket] = min(each.at, long.get(each.request.ticket, each.at))
        for state in (*UNDER_WAY, State.ASKING):
            after = ""
            while page := await context.store.deliveries(linked.account, state=state, channel=linked.channel, after=after, limit=PAGE):
                after = page[-1].id
                for delivery in page:
                    if not await self._ours(delivery):
                        continue
                    all_of.add(delivery.ticket)
                    if state is not State.ASKING and delivery.queued_at <= before:
                        long[delivery.ticket] = min(delivery.queued_at, long.get(delivery.ticket, delivery.queued_at))
                # Others have to go on meanwhile.
                await context.clock.sleep(0)
        return long, all_of

    async def _ours(self, delivery: Delivery) -> bool:
        """Whether the reply was written in this desk. A ticket on which there is none is not known there."""
        known = self._from_desk.get(delivery.id)
        if known is None:
            comment = await self._context.store.comment(delivery.account, delivery.comment)
            known = comment is not None and comment.author == self._linked.link.agent
            if len(self._from_desk) >= REMEMBERED:
                self._from_desk.clear()
            self._from_desk[delivery.id] = known
        return known

    async def _begin(self, ticket: str, since: int) -> Note:
        """Written down before the desk hears of it: what it is called there must not change if we are interrupted."""
        spell = Spell(self._linked.channel, since)
        changes = Changes(self._linked.account, self._context.clock.now())
        changes.puts.append(self._row(ticket, spell, 1, changes.at))
        await self._context.store.commit(changes)
        return self._note(ticket, spell, 1)

    def _note(self, ticket: str, spell: Spell, version: int) -> Note:
        now = self._context.clock.now()
        text = words.waiting(self._linked.link.locale, spell.since, self._link)
        noted = msgspec.structs.replace(spell, noted=True)
        return Note(self._item(ticket, spell, text, "", now), ticket, self._row(ticket, noted, version + 1, now), over=False)

    async def _end(self, ticket: str, spell: Spell) -> Note:
        found = await self._context.store.deliveries_of(self._linked.account, ticket)
        mine = [delivery for delivery in found if delivery.queued_at >= spell.since and await self._ours(delivery)]
        all_sent = not any(delivery.state in (State.FAILED, State.CANCELLED) for delivery in mine)
        text = words.wait_over(self._linked.link.locale, all_sent=all_sent)
        item = self._item(ticket, spell, text, "_end", self._context.clock.now())
        return Note(item, ticket, rows.DropDocument(self._linked.account, KIND, ticket), over=True)

    def _item(self, ticket: str, spell: Spell, text: str, suffix: str, at: int) -> Item:
        return Item(f"note_{ticket}_{spell.since}{suffix}", ticket, text, at, AUTHOR, "Heliograph", internal=True)

    def _row(self, ticket: str, spell: Spell, version: int, at: int) -> rows.Document:
        return rows.Document(self._linked.account, KIND, ticket, version, at, msgspec.json.encode(spell).decode())
