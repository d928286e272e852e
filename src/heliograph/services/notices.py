"""Notices: each affected agent, and the admins of each affected account, told once about their own replies and kept up to date."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from heliograph.domain import incident_events as ie
from heliograph.domain.incident import Incident, Severity
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.projections.facts import GRAVEST, Affected, Facts, facts
from heliograph.services import incidents
from heliograph.services.context import Context, Missing, retrying
from heliograph.services.impact import provider_title, recent_impact

KIND, SEEN = "notice", "seen"
#: Reader of the account's own notice, which is its admins'.
ADMINS = "~admins"
#: Tickets that a notice names; the account's list has them all.
NAMED = 50
#: An incident is looked at again after this many times what looking cost, so that a large one leaves the store to the replies.
COST = 10
#: One that is over only waits for people's decisions. Microseconds.
CALM = 2 * SECOND


class TicketLine(msgspec.Struct, frozen=True):
    """One ticket of a notice, and how many of its replies are in which way affected."""

    ticket: str
    number: int
    became: dict[str, int]


class Notice(msgspec.Struct, frozen=True):
    """What one reader is told about one incident. `reader`: an agent's id, or ADMINS."""

    incident: str
    reader: str
    facts: dict[str, Any]
    tickets: list[TicketLine]
    told_at: int

    @property
    def counted(self) -> Facts:
        """The fact record that every rendering is made from."""
        return Facts(**{name: self.facts[name] for name in Facts._fields})

    @property
    def open(self) -> bool:
        """Something of the reader's still waits or asks."""
        return not self.counted.settled


class Seen(msgspec.Struct, frozen=True):
    """What one agent did with a notice. Times are microseconds, 0 for not yet; `severity` is that of the notice that was dismissed."""

    seen_at: int = 0
    dismissed_at: int = 0
    severity: str = ""


class Shown(msgspec.Struct, frozen=True):
    """A notice as one agent has it before them."""

    notice: Notice
    seen: Seen

    @property
    def banner(self) -> bool:
        """Whether it stands at the top of the page: open, and not dismissed since it became so grave."""
        if not self.notice.open:
            return False
        order = list(Severity)
        return not self.seen.dismissed_at or order.index(Severity(self.notice.counted.severity)) > order.index(Severity(self.seen.severity))


class Notices:
    """Lets the notices follow the incidents. One per process; several processes may do the same at once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        #: By incident: not before this moment.
        self._next: dict[str, int] = {}

    async def reconcile(self) -> None:
        """One round. Idempotent. Raises Unavailable."""
        store = self._context.store
        kept: dict[str, set[str]] = {}
        for document in await store.documents_of_all(KIND):
            kept.setdefault(told_whom(document.id)[0], set()).add(document.account)
        live = {incident.id: incident for incident in await incidents.live_incidents(store)}
        for id in kept.keys() - live.keys():
            # An incident of one account lies with that account.
            await self._round(await incidents.find(store, id, min(kept[id])), kept[id])
        for id, incident in live.items():
            await self._round(incident, kept.get(id, set()))
        self._next = {id: at for id, at in self._next.items() if id in live or id in kept}

    async def _round(self, incident: Incident, accounts: set[str]) -> None:
        started = self._context.clock.now()
        if started < self._next.get(incident.id, 0):
            return
        affected = [] if incident.merged_into else await recent_impact(self._context, incident)
        by_account: dict[str, list[Affected]] = {account: [] for account in accounts}
        for one in affected:
            if not incident.over or one.account in accounts:
                by_account.setdefault(one.account, []).append(one)
        title = await provider_title(self._context, incident)
        told = [await retrying(_Account(self._context, incident, account, mine, title).follow) for account, mine in by_account.items()]
        agents = sum(told)
        if agents or (by_account and not incident.noticed_at and not incident.over):
            await self._tell(incident, agents, len([number for number in told if number]))
        ended = self._context.clock.now()
        self._next[incident.id] = ended + max(COST * (ended - started), CALM if incident.over else 0)

    async def _tell(self, incident: Incident, agents: int, accounts: int) -> None:
        """Note on the incident that people were told; after a crash at that very moment the next round does."""
        documents = [d for d in await self._context.store.documents_of_all(KIND) if told_whom(d.id)[0] == incident.id]
        readers = [d for d in documents if told_whom(d.id)[1] != ADMINS]
        event = ie.NoticeTold(agents or len(readers), accounts or len({d.account for d in readers}))
        if not event.agents:
            return

        async def act() -> None:
            book = await incidents.Book.read(self._context.store)
            if incident.id not in book.incidents:
                return
            changes = Changes(incident.account, self._context.clock.now())
            book.add(changes, incident.id, [event])
            await self._context.store.commit(changes)

        await retrying(act)


class _Account:
    """The notices of one incident in one account."""

    def __init__(self, context: Context, incident: Incident, account: str, affected: list[Affected], title: str) -> None:
        self._context = context
        self._incident = incident
        self._account = account
        self._of: dict[str, list[Affected]] = {ADMINS: affected} if affected else {}
        for one in affected:
            if one.agent:
                self._of.setdefault(one.agent, []).append(one)
        self._title = title

    async def follow(self) -> int:
        """Write what is new; returns how many agents are told for the first time. Raises Conflict."""
        store, now = self._context.store, self._context.clock.now()
        before = {d.id: d for d in await store.documents(self._account, KIND) if told_whom(d.id)[0] == self._incident.id}
        numbers = await self._numbers(before)
        changes = Changes(self._account, now)
        told = 0
        for reader in sorted(self._of):
            # Thousands of readers must not keep the replies of others from going out.
            await self._context.clock.sleep(0)
            kept = before.pop(_id(self._incident.id, reader), None)
            notice = self._notice(reader, numbers, kept, now)
            if kept is not None and self._incident.over and not notice.open:
                self._drop(changes, reader)
            elif kept is None or decode(kept) != notice:
                told += kept is None and reader != ADMINS
                data = msgspec.json.encode(notice).decode()
                version = kept.version + 1 if kept else 1
                changes.puts.append(rows.Document(self._account, KIND, _id(self._incident.id, reader), version, now, data))
        for id in before:
            self._drop(changes, told_whom(id)[1])
        if changes.puts:
            await store.commit(changes)
        return told

    def _notice(self, reader: str, numbers: Mapping[str, int], kept: rows.Document | None, now: int) -> Notice:
        agent = "" if reader == ADMINS else reader
        mine = self._of[reader]
        counted = facts(self._incident, mine, provider_title=self._title, account=self._account, agent=agent)
        told_at = decode(kept).told_at if kept else now
        # When people were told is itself a part of the record, which would change with each telling.
        return Notice(self._incident.id, reader, counted._replace(noticed_at=0)._asdict(), lines(mine, numbers)[:NAMED], told_at)

    async def _numbers(self, before: Mapping[str, rows.Document]) -> dict[str, int]:
        """What people call the tickets. Those that a notice has named are not asked for again."""
        known = {line.ticket: line.number for document in before.values() for line in decode(document).tickets}
        named: set[str] = set()
        for mine in self._of.values():
            named |= set(list(dict.fromkeys(one.ticket for one in mine))[:NAMED])
        for id in named - known.keys():
            ticket = await self._context.store.ticket(self._account, id) if id else None
            known[id] = ticket.number if ticket else 0
        return known

    def _drop(self, changes: Changes, reader: str) -> None:
        # What people did with it goes with it.
        changes.puts += [rows.DropDocument(self._account, kind, _id(self._incident.id, reader)) for kind in (KIND, SEEN)]


def lines(affected: Iterable[Affected], numbers: Mapping[str, int]) -> list[TicketLine]:
    """Tickets with their affected replies, in the order in which those were written. A reply of several parts counts once."""
    replies: dict[str, dict[str, str]] = {}
    for one in affected:
        of = replies.setdefault(one.ticket, {})
        key = one.comment or one.delivery
        of[key] = min(of.get(key, one.became), one.became, key=GRAVEST.index)
    found = []
    for ticket, of in replies.items():
        became = list(of.values())
        found.append(TicketLine(ticket, numbers.get(ticket, 0), {name: became.count(name) for name in GRAVEST if name in became}))
    return found


async def shown_to(context: Context, account: str, agent: str, *, admin: bool, whole: bool = False) -> list[Shown]:
    """The notices of one agent, gravest first; an admin who is not affected, or wants the `whole`, gets the account's own."""
    found: dict[str, Notice] = {}
    for document in await context.store.documents(account, KIND):
        incident, reader = told_whom(document.id)
        known = found.get(incident)
        wanted = ADMINS if admin and whole else agent
        if reader == wanted or (known is None and (reader == agent or (admin and reader == ADMINS))):
            found[incident] = decode(document)
    seen = {d.id: msgspec.json.decode(d.data, type=Seen) for d in await context.store.documents(account, SEEN)} if found else {}
    shown = [Shown(notice, seen.get(_id(incident, agent), Seen())) for incident, notice in found.items()]
    order = list(Severity)
    return sorted(shown, key=lambda one: (-order.index(Severity(one.notice.counted.severity)), one.notice.counted.number))


async def saw(context: Context, account: str, agent: str, incident: str) -> None:
    """An agent has a notice before them for the first time. Raises Unavailable."""
    await _note(context, account, agent, incident, dismissed="")


async def dismiss(context: Context, account: str, agent: str, incident: str, *, admin: bool) -> None:
    """An agent does not want it at the top of the page. It comes back if it becomes graver. Raises Missing."""
    for reader in (agent, ADMINS) if admin else (agent,):
        document = await context.store.document(account, KIND, _id(incident, reader))
        if document is not None:
            await _note(context, account, agent, incident, dismissed=decode(document).counted.severity)
            return
    raise Missing("notice")


async def _note(context: Context, account: str, agent: str, incident: str, *, dismissed: str) -> None:
    async def act() -> None:
        id, now = _id(incident, agent), context.clock.now()
        document = await context.store.document(account, SEEN, id)
        before = msgspec.json.decode(document.data, type=Seen) if document else Seen()
        after = Seen(before.seen_at or now, now if dismissed else before.dismissed_at, dismissed or before.severity)
        if after != before:
            changes = Changes(account, now, f"agent:{agent}")
            data = msgspec.json.encode(after).decode()
            changes.puts.append(rows.Document(account, SEEN, id, document.version + 1 if document else 1, now, data))
            await context.store.commit(changes)

    await retrying(act)


def _id(incident: str, reader: str) -> str:
    return f"{incident}.{reader}"


def told_whom(id: str) -> tuple[str, str]:
    """Incident and reader of a notice, by its document's id."""
    incident, _, reader = id.partition(".")
    return incident, reader


def decode(document: rows.Document) -> Notice:
    """The notice of a document."""
    return msgspec.json.decode(document.data, type=Notice)
