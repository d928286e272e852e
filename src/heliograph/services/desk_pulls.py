"""Answers a desk that asks what is new: all of it where it lets nobody in, else the same items that are handed over."""

from collections.abc import Mapping
from typing import Any

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.desk import Desk, Item, Wanted
from heliograph.ports.store import Changes
from heliograph.services import desk_cursor
from heliograph.services.context import Context, Missing, retrying
from heliograph.services.desk_items import FileLater, item_of
from heliograph.services.desk_links import REMOVED, Linked
from heliograph.services.desk_reports import KIND as TOLD, Report, as_note, report_of, told_row
from heliograph.services.desk_waits import Waits

#: Events that are read for one answer: the desk waits for it.
PAGE = 500
#: Microseconds after which no other item is begun: the desk waits for a minute, and files are fetched meanwhile.
BUDGET = 20 * SECOND
#: Notes of one answer: the desk keeps their names until it asks again.
NOTES = 40


class State(msgspec.Struct):
    """What the desk keeps between two questions: that it shows it again proves that the answer with it has arrived."""

    seq: int = 0
    #: Ids of notes on waiting replies that were in that answer.
    notes: list[str] = []


async def offer(context: Context, desk: Desk, linked: Linked, wanted: Wanted, *, url: str) -> Mapping[str, Any]:
    """What the desk does not have. What was handed over is never older than what it has asked for.

    Raises Missing for a link that was removed, Unavailable or Conflict.
    """
    if linked.link.standing == REMOVED:
        raise Missing("link")
    reached, _ = await desk_cursor.reached(context.store, linked.account, linked.channel)
    state = _state(wanted.state)
    notes = [] if linked.link.pushed else await _notes(context, linked, state, url=url)
    seq = max(state.seq, reached)
    items: list[Item] = []
    reports: dict[str, Report] = {}
    begun = context.clock.now()
    for event in await context.store.account_events(linked.account, after=seq, limit=PAGE):
        if len(items) + len(reports) + len(notes) >= desk.batch or context.clock.now() - begun > BUDGET:
            break
        item = await _item(context, linked, event)
        items += [item] if item is not None else []
        if not linked.link.pushed and (report := await report_of(context, linked, event, url=url, again=True)) is not None:
            reports[report.comment] = report
        seq = event.seq
    items += [as_note(linked, report, begun) for report in reports.values()]
    await _tell(context, linked, list(reports.values()))
    return desk.offer([*items, *notes], msgspec.json.encode(State(seq, [note.id for note in notes])).decode())


async def _item(context: Context, linked: Linked, event: rows.EventRead) -> Item | None:
    try:
        return await item_of(context, linked, event)
    except FileLater:
        # Everything behind it would wait; its name is in the text.
        return await item_of(context, linked, event, files=False)


async def _notes(context: Context, linked: Linked, state: State, *, url: str) -> list[Item]:
    """Notes on waiting replies that the desk does not have; those that it has are written down as left."""
    waits = Waits(context, linked, url=url)
    there = set(state.notes)
    await waits.left([note for note in await waits.due() if note.item.id in there])
    return [note.item for note in await waits.due() if note.item.id not in there][:NOTES]


async def _tell(context: Context, linked: Linked, reports: list[Report]) -> None:
    """Write down what is being told, so that it is known later that a reply was told about."""

    async def act() -> None:
        changes = Changes(linked.account, context.clock.now())
        for report in reports:
            document = await context.store.document(linked.account, TOLD, report.comment)
            changes.puts.append(told_row(linked.account, report._replace(version=document.version if document else 0), changes.at))
        if changes.puts:
            await context.store.commit(changes)

    await retrying(act)


def _state(state: str) -> State:
    """Where the desk says it is; somebody else's state, or none, is the beginning."""
    try:
        kept = msgspec.json.decode(state, type=State) if state else State()
    except (msgspec.DecodeError, RecursionError):
        return State()
    return State(kept.seq if 0 <= kept.seq < 2**62 else 0, kept.notes[:NOTES])
