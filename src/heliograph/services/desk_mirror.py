"""Mirrors one channel to its desk, step by step: fetches files of replies, hands over what is new, and tells what became of replies."""

from collections.abc import Sequence
from typing import NamedTuple

from heliograph.domain import desk_events as de
from heliograph.domain.events import Event
from heliograph.domain.retry import SECOND, backoff
from heliograph.ports import rows
from heliograph.ports.desk import Desk, Door, Fault, Item, Taken, Took, Trouble
from heliograph.ports.store import Changes, Loose
from heliograph.services import desk_cursor, desk_links, desk_replies
from heliograph.services.context import Context
from heliograph.services.desk_items import FileLater, item_of
from heliograph.services.desk_links import Linked
from heliograph.services.desk_replies import Pending
from heliograph.services.desk_reports import Report, report_of, told_row
from heliograph.services.desk_waits import Note, Waits

#: Events that are read at once.
PAGE = 500
#: How often a desk may fail on one item, or a provider on its file, before everything else goes on without.
TRIES = 5
COST = 10


class Pauses(NamedTuple):
    """How long between rounds, in seconds; tests have less patience."""

    #: While nothing is new.
    idle: float = 2.0
    #: Until a token that was not accepted is tried again.
    stopped: float = 30.0
    #: First and longest pause after trouble, doubling between them.
    shortest: float = 1.0
    longest: float = 60.0
    #: Waiting replies are looked for so often; of many, as seldom as keeps the cost below a tenth.
    waits: float = 2.0


class _Page(NamedTuple):
    """What one stretch of the ledger means for the desk."""

    items: dict[str, Item]
    reports: list[Report]
    upto: int
    more: bool


class Mirror:
    """One link in one process, while it is that process's turn. `url`: where people reach us, "" unknown."""

    def __init__(self, context: Context, desk: Desk, linked: Linked, *, url: str, pauses: Pauses) -> None:
        self._context = context
        self._pauses = pauses
        self._desk = desk
        self._linked = linked
        self._url = url
        self._waits = Waits(context, linked, url=url)
        self._waits_at = 0
        self._silent = 0
        #: Of the page at hand: what the desk has, how often it failed on what, and what it will never have.
        self._page: _Page | None = None
        self._done: set[str] = set()
        self._failed: dict[str, int] = {}
        self._given_up: dict[str, str] = {}
        #: How often it failed on which note.
        self._failed_notes: dict[str, int] = {}
        #: By comment: what was told of it, and is not written down yet.
        self._said: dict[str, Event] = {}
        self._more = False
        #: Of replies whose files are fetched: how often in vain, and when again.
        self._fetching: dict[str, tuple[int, int]] = {}

    async def files(self, linked: Linked) -> float:
        """One round of fetching what replies wait for, beside the other rounds: a slow file keeps nothing else. As `round` otherwise."""
        door = await self._door(linked) if linked.link.pushed and not linked.link.stopped_at else None
        trouble = await self._fetch(door, linked)
        if trouble is not None:
            return await self._troubled(trouble)
        return self._pauses.idle if door is not None or not linked.link.pushed else self._pauses.stopped

    async def round(self, linked: Linked) -> float:
        """One round on the link as it is now; returns the seconds until the next. Raises Unavailable or Conflict."""
        if linked.link != self._linked.link:
            self._changed(linked)
        self._linked = linked
        door = await self._door(linked)
        if door is None or not linked.link.pushed:
            return self._pauses.longest
        if linked.link.stopped_at:
            # The probe: it costs the desk nothing and brings nothing in.
            trouble = await self._desk.check(door)
            if trouble is not None:
                return self._pause(trouble)
            await desk_links.resumed(self._context, linked)
        return await self._steps(door)

    async def _door(self, linked: Linked) -> Door | None:
        if linked.link.standing == desk_links.REMOVED:
            return None
        door = await desk_links.open_door(self._context, linked)
        if door is None:
            self._context.observe("desk_sealed", {"channel": linked.channel})
        return door

    def _changed(self, linked: Linked) -> None:
        """Connected anew, or switched off or on."""
        self._waits = Waits(self._context, linked, url=self._url)
        self._silent = 0
        if (linked.link.base, linked.link.instance) != (self._linked.link.base, self._linked.link.instance):
            # What was found out about the page at hand was found out from another desk.
            self._page = None

    async def _steps(self, door: Door) -> float:
        if self._linked.link.standing != desk_links.ACTIVE:
            return self._pauses.idle
        trouble = await self._hand_over(door)
        if trouble is None:
            trouble = await self._notes(door)
        if trouble is not None:
            return await self._troubled(trouble)
        self._silent = 0
        return 0.0 if self._more else self._pauses.idle

    async def _troubled(self, trouble: Trouble) -> float:
        fields = {"channel": self._linked.channel, "reason": trouble.fault.value, "code": trouble.code}
        self._context.observe("desk_trouble", fields)
        if trouble.fault is Fault.CREDENTIALS:
            await desk_links.stopped(self._context, self._linked, trouble.code)
        return self._pause(trouble)

    def _pause(self, trouble: Trouble) -> float:
        if trouble.fault is Fault.CREDENTIALS:
            return self._pauses.stopped
        self._silent += 1
        return max(trouble.wait, self._back_off(self._silent - 1) / SECOND)

    def _back_off(self, failures: int) -> int:
        return backoff(failures, self._context.rng.jitter(), base=self._pauses.shortest, cap=self._pauses.longest)

    # --- files of replies -------------------------------------------------------------------------

    async def _fetch(self, door: Door | None, linked: Linked) -> Trouble | None:
        """The oldest of each ticket; those behind it wait for it. Without a door there are those that wait no longer."""
        now, blocked = self._context.clock.now(), set[str]()
        waiting = await desk_replies.pending(self._context, linked)
        self._fetching = {each.comment: self._fetching[each.comment] for each in waiting if each.comment in self._fetching}
        for each in waiting:
            if each.request.ticket in blocked:
                continue
            if self._fetching.get(each.comment, (0, 0))[1] > now:
                blocked.add(each.request.ticket)
                continue
            trouble = await desk_replies.finish(self._context, self._desk, linked, door, each)
            if trouble is None:
                self._fetching.pop(each.comment, None)
                continue
            blocked.add(each.request.ticket)
            if door is None:
                continue
            if trouble.fault is Fault.CREDENTIALS:
                refused = await self._desk.check(door)
                if refused is not None:
                    return refused
            await self._again(each, trouble, now)
        return None

    async def _again(self, waiting: Pending, trouble: Trouble, now: int) -> None:
        tries = self._fetching.get(waiting.comment, (0, 0))[0] + 1
        if trouble.fault is Fault.CREDENTIALS and tries >= TRIES:
            # The token is good, and still this file is not for us.
            await desk_replies.drop(self._context, self._linked, waiting, "file_gone")
            return
        self._fetching[waiting.comment] = (tries, now + max(int(trouble.wait * SECOND), self._back_off(tries - 1)))

    # --- what is new ------------------------------------------------------------------------------

    async def _hand_over(self, door: Door) -> Trouble | None:
        """Read on, hand over and tell; the place is written down once the desk has it all."""
        seq, version = await desk_cursor.reached(self._context.store, self._linked.account, self._linked.channel)
        if self._page is None:
            try:
                self._page = await self._read(seq)
            except FileLater:
                self._context.observe("desk_trouble", {"channel": self._linked.channel, "reason": "file", "code": "provider"})
                return Trouble(Fault.DOWN, "file")
            self._done, self._failed, self._given_up, self._said = set(), {}, {}, {}
        page = self._page
        trouble = await self._push(door, [item for id, item in page.items.items() if id not in self._done and id not in self._given_up])
        if trouble is not None:
            return trouble
        if len(self._done) + len(self._given_up) < len(page.items):
            return Trouble(Fault.DOWN, "items")
        changes = Changes(self._linked.account, self._context.clock.now())
        trouble = await self._tell(door, page.reports, changes)
        if trouble is not None:
            return trouble
        for id, code in self._given_up.items():
            changes.loose.append(Loose("ticket", page.items[id].thread, de.DeskRefused(id, code), self._linked.channel))
        if page.upto > seq:
            changes.puts.append(desk_cursor.row(self._linked.account, self._linked.channel, page.upto, changes.at, version + 1))
            await self._context.failpoint("desk_mirror:before_commit")
            await self._context.store.commit(changes)
            await self._context.failpoint("desk_mirror:after_commit")
        self._page, self._more = None, page.more
        return None

    async def _read(self, seq: int) -> _Page:
        events = await self._context.store.account_events(self._linked.account, after=seq, limit=PAGE)
        items: dict[str, Item] = {}
        reports: dict[str, Report] = {}
        upto = seq
        for event in events:
            if len(items) >= self._desk.batch:
                break
            item = await self._item(event)
            if item is not None:
                items[item.id] = item
            report = await report_of(self._context, self._linked, event, url=self._url)
            if report is not None:
                # Of one comment the last word counts.
                reports[report.comment] = report
            upto = event.seq
        return _Page(items, list(reports.values()), upto, upto < (events[-1].seq if events else 0) or len(events) == PAGE)

    async def _item(self, event: rows.EventRead) -> Item | None:
        key = f"file {event.seq}"
        tries = self._failed.get(key, 0)
        try:
            return await item_of(self._context, self._linked, event, files=tries < TRIES)
        except FileLater:
            self._failed[key] = tries + 1
            raise

    async def _push(self, door: Door, items: Sequence[Item]) -> Trouble | None:
        """Each ends in done, in given up, or is tried again in the next round."""
        if not items:
            return None
        taken = await self._desk.push(door, items, request=self._request())
        await self._context.failpoint("desk_mirror:pushed")
        if isinstance(taken, Trouble) and taken.fault is Fault.REFUSED:
            taken = await self._one_by_one(door, items)
        if isinstance(taken, Trouble):
            return taken
        for each in taken:
            if each.took is Took.DONE:
                self._done.add(each.id)
            elif _gave_up(each, self._failed):
                self._given_up[each.id] = each.code
        pushed = sum(each.took is Took.DONE for each in taken)
        self._context.observe("desk_pushed", {"channel": self._linked.channel, "items": pushed, "failed": len(taken) - pushed})
        return None

    async def _one_by_one(self, door: Door, items: Sequence[Item]) -> list[Taken] | Trouble:
        """It calls the whole request wrong: either one item is, or the connection is no more."""
        trouble = await self._desk.check(door)
        if trouble is not None:
            return Trouble(Fault.CREDENTIALS, trouble.code) if trouble.fault is Fault.REFUSED else trouble
        found: list[Taken] = []
        for item in items:
            taken = await self._desk.push(door, [item], request=self._request())
            if not isinstance(taken, Trouble):
                found += taken
            elif taken.fault is Fault.REFUSED:
                found.append(Taken(item.id, Took.FAILED, taken.code))
            else:
                return taken
        return found

    def _request(self) -> str:
        return self._context.new_id("req")

    # --- what became of replies ---------------------------------------------------------------------

    async def _tell(self, door: Door, reports: Sequence[Report], changes: Changes) -> Trouble | None:
        """Adds to `changes` what was told, or could not be. What was told before trouble came is not told again."""
        for report in reports:
            if report.comment not in self._said:
                trouble = await self._tell_one(door, report)
                if trouble is not None and trouble.fault is not Fault.REFUSED:
                    return trouble
                told = de.DeskTold(report.comment, report.why)
                self._said[report.comment] = told if trouble is None else de.DeskUntold(report.comment, trouble.code)
            changes.puts.append(told_row(self._linked.account, report, changes.at))
            changes.loose.append(Loose("ticket", report.ticket, self._said[report.comment], self._linked.channel))
        return None

    async def _tell_one(self, door: Door, report: Report) -> Trouble | None:
        if report.note is None:
            return await self._desk.report(door, report.comment, report.words, request=self._request())
        taken = await self._desk.push(door, [report.note], request=self._request())
        if isinstance(taken, Trouble):
            return taken
        return None if taken[0].took is Took.DONE else Trouble(Fault.REFUSED, taken[0].code)

    # --- replies that wait ------------------------------------------------------------------------

    async def _notes(self, door: Door) -> Trouble | None:
        started = self._context.clock.now()
        if started < self._waits_at:
            return None
        notes = await self._waits.due()
        for start in range(0, len(notes), self._desk.batch):
            trouble = await self._leave(door, notes[start : start + self._desk.batch])
            if trouble is not None:
                return trouble
        ended = self._context.clock.now()
        self._waits_at = ended + max(int(self._pauses.waits * SECOND), COST * (ended - started))
        return None

    async def _leave(self, door: Door, notes: Sequence[Note]) -> Trouble | None:
        items = [note.item for note in notes]
        taken = await self._desk.push(door, items, request=self._request())
        if isinstance(taken, Trouble) and taken.fault is Fault.REFUSED:
            taken = await self._one_by_one(door, items)
        if isinstance(taken, Trouble):
            return taken
        await self._context.failpoint("desk_mirror:noted")
        done = {each.id for each in taken if each.took is Took.DONE}
        refused = {each.id: each.code for each in taken if _gave_up(each, self._failed_notes)}
        await self._waits.left([note for note in notes if note.item.id in done])
        await self._waits.refused([(note, refused[note.item.id]) for note in notes if note.item.id in refused])
        self._failed_notes = {id: failures for id, failures in self._failed_notes.items() if id not in done and id not in refused}
        return None


def _gave_up(taken: Taken, failures: dict[str, int]) -> bool:
    """Whether it is tried no more; counts in `failures`, by item."""
    if taken.took is not Took.FAILED:
        return False
    failures[taken.id] = failures.get(taken.id, 0) + 1
    return failures[taken.id] >= TRIES
