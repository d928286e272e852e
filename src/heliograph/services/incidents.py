"""Incidents: opened, joined, merged, moved on and closed from facts in the store, by any number of processes at once."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from heliograph.domain.event import Event
from heliograph.domain.incident import Incident, Phase, Severity, Subject, blank, evolve
from heliograph.domain.incident_rules import (
    FAMILY,
    Cause,
    Family,
    Patience,
    Trouble,
    advance,
    due,
    group,
    home,
    joined,
    merged,
    opened,
    severity,
    to_merge,
)
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Loose, Store
from heliograph.services import detection, troubles as facts
from heliograph.services.context import Context, Missing, retrying

KIND = "incident"
#: The one document that every opening and closing writes, so that two processes never open the same incident.
INDEX = "incident_index"
USUAL = Patience()
#: Failing attempts before a hold belong to its onset while no more than GAP lies between them, back to LOOKBACK. Microseconds.
GAP, LOOKBACK = 30 * SECOND, 600 * SECOND


class Index(msgspec.Struct):
    """How many incidents there were, and which may still change by themselves, as (account, id)."""

    number: int = 0
    live: list[tuple[str, str]] = msgspec.field(default_factory=list)
    #: Fenced releases that have their incident.
    releases: list[str] = msgspec.field(default_factory=list)


def dump(incident: Incident) -> str:
    """An incident's document."""
    fields = incident._asdict() | {"subjects": [subject._asdict() for subject in incident.subjects]}
    return msgspec.json.encode(fields).decode()


def load(data: str) -> Incident:
    """The incident of a document; fields of a newer version are left out."""
    fields: dict[str, Any] = msgspec.json.decode(data)
    known = {name: fields[name] for name in Incident._fields if name in fields}
    subjects = tuple(Subject(**{name: s[name] for name in Subject._fields if name in s}) for s in known.pop("subjects"))
    known |= {"phase": Phase(known["phase"]), "severity": Severity(known["severity"]), "corrected": tuple(known.get("corrected", ()))}
    return blank("")._replace(**known, subjects=subjects)


# --- reading -------------------------------------------------------------------------------------


async def all_incidents(store: Store) -> list[Incident]:
    """Every incident, the installation's and the accounts', newest first."""
    found = [load(document.data) for document in await store.documents_of_all(KIND)]
    return sorted(found, key=lambda incident: incident.number, reverse=True)


async def incidents_of(store: Store, account: str) -> list[Incident]:
    """An account's own incidents (with "" the installation's), newest first."""
    found = [load(document.data) for document in await store.documents(account, KIND)]
    return sorted(found, key=lambda incident: incident.number, reverse=True)


async def live_incidents(store: Store) -> list[Incident]:
    """Those that are not over, oldest first; as cheap as it gets while nothing is wrong."""
    book = await Book.read(store)
    return [incident for incident in book.incidents.values() if not incident.over]


async def find(store: Store, id: str, account: str = "") -> Incident:
    """By its id, the installation's or that account's own. Raises Missing."""
    for owner in dict.fromkeys(("", account)):
        document = await store.document(owner, KIND, id)
        if document is not None:
            return load(document.data)
    raise Missing("incident")


async def find_anywhere(store: Store, id: str) -> Incident:
    """By its id, whoever's it is: for operators. Raises Missing."""
    for incident in await all_incidents(store):
        if incident.id == id:
            return incident
    raise Missing("incident")


# --- writing -------------------------------------------------------------------------------------


class Book:
    """The live incidents as they were read, and how to write them."""

    def __init__(self, index: Index, version: int) -> None:
        self.index = index
        self._index_version = version
        self.incidents: dict[str, Incident] = {}
        self._versions: dict[str, int] = {}

    @classmethod
    async def read(cls, store: Store) -> "Book":
        """What is live."""
        document = await store.document("", INDEX, INDEX)
        book = cls(Index(), 0) if document is None else cls(msgspec.json.decode(document.data, type=Index), document.version)
        for account, id in book.index.live:
            await book.take(store, account, id)
        return book

    async def take(self, store: Store, account: str, id: str) -> Incident:
        """Read one more. Raises Missing."""
        found = await store.document(account, KIND, id)
        if found is None:
            raise Missing("incident")
        self._versions[id] = found.version
        self.incidents[id] = load(found.data)
        return self.incidents[id]

    def add(self, changes: Changes, id: str, events: Sequence[Event]) -> None:
        """Put events of an incident, and what they make of it, into `changes`."""
        incident = self.incidents.get(id) or blank(id)
        for event in events:
            incident = evolve(incident, event, changes.at)
        version = self._versions.get(id, 0) + 1
        self.incidents[id], self._versions[id] = incident, version
        changes.puts.append(rows.Document(incident.account, KIND, id, version, changes.at, dump(incident)))
        changes.loose += [Loose("incident", id, event, account=incident.account) for event in events]

    def add_index(self, changes: Changes) -> None:
        """Put the index, as it is now, into `changes`."""
        self._index_version += 1
        changes.puts.append(rows.Document("", INDEX, INDEX, self._index_version, changes.at, msgspec.json.encode(self.index).decode()))


async def reconcile(context: Context, patience: Patience = USUAL) -> None:
    """Let incidents follow the facts. Idempotent; several processes may do it at once."""
    await retrying(lambda: _round(context, patience))


async def _round(context: Context, patience: Patience) -> None:
    store, now = context.store, context.clock.now()
    book = await Book.read(store)
    world = await facts.look(store, now=now)
    if not book.incidents and not world.troubles:
        return
    grouped = group(_unhandled(world, book), accounts=world.accounts, together=patience.together)
    for cause in list(grouped):
        wider = await _wider(context, book, cause, grouped[cause], world, patience)
        if wider != cause:
            grouped[wider] = [*grouped.get(wider, []), *grouped.pop(cause)]
    for cause, members in grouped.items():
        await _place(context, book, cause, members, world.channels, patience)
    await _absorb(context, book, grouped)
    for one, into in to_merge(list(book.incidents.values())):
        await _merge(context, book, one, into, "system")
    for incident in list(book.incidents.values()):
        await _advance(context, book, incident, world, patience)


async def _wider(context: Context, book: Book, cause: Cause, members: Sequence[Trouble], world: facts.World, patience: Patience) -> Cause:
    """The installation's cause, where one account's trouble is its provider's: other accounts' messages fail for such a reason, too."""
    now = context.clock.now()
    if not cause.account or cause.family is not Family.UPSTREAM or not any(due(trouble, now=now, patience=patience) for trouble in members):
        return cause
    known = home(cause, members, book.incidents.values())
    if known is not None and not known.account:
        return cause
    others = [c for c in world.channels if c.provider == cause.provider and c.account != cause.account]
    if known is not None:
        # All were looked at as it was opened; what has begun to fail since then is in the detectors' sums.
        failing = await detection.failing(context.store)
        suspects = [c for c in others if (c.account, c.id) in failing]
    else:
        suspects = others
    onset = await _onset(context.store, cause, members, world.channels)
    fails = await facts.fails_elsewhere(context.store, suspects, others, onset=onset, lead=patience.dwell, until=now)
    return cause._replace(account="") if fails else cause


def _unhandled(world: facts.World, book: Book) -> list[Trouble]:
    return [trouble for trouble in world.troubles if trouble.subject.kind != "release" or trouble.subject.id not in book.index.releases]


async def _place(
    context: Context, book: Book, cause: Cause, members: Sequence[Trouble], channels: Sequence[rows.Channel], patience: Patience
) -> None:
    """Give the troubles of one cause to their incident, or open one."""
    now = context.clock.now()
    incident = home(cause, members, book.incidents.values())
    # What goes on already takes in everything at once; what is new, or over, must be more than a short drop.
    goes_on = incident is not None and not incident.mitigated_at and not incident.over
    ready = [trouble for trouble in members if goes_on or due(trouble, now=now, patience=patience)]
    if not ready or (incident is None and not any(trouble.confirmed or not trouble.subject.until for trouble in ready)):
        return
    if incident is None:
        # What is wrong together is told together, also where some of it began a moment ago.
        ready = list(members)
    elif not joined(incident, ready):
        return
    changes = Changes(incident.account if incident else cause.account, now)
    measured = await _measured(context.store, ready)
    if incident is None:
        id = context.new_id("inc")
        book.index.number += 1
        book.index.live.append((cause.account, id))
        first = opened(book.index.number, cause, measured, onset_at=await _onset(context.store, cause, measured, channels))
        book.add(changes, id, [*first, *joined(blank(id), measured)])
        book.add_index(changes)
    else:
        book.add(changes, incident.id, joined(incident, measured))
    handled = [trouble.subject.id for trouble in ready if trouble.subject.kind == "release"]
    if handled:
        book.index.releases = [*book.index.releases, *handled][-200:]
        if incident is not None:
            book.add_index(changes)
    await context.store.commit(changes)


async def _measured(store: Store, members: Iterable[Trouble]) -> list[Trouble]:
    """With what waited longest on each as it began: what was written before that and not sent yet is affected, too."""
    waiting = [row for row in await store.waiting() if row.state in facts.WAITING]
    found = []
    for trouble in members:
        oldest = min((row.oldest_at for row in waiting if (row.account, row.channel) in trouble.channels), default=0)
        found.append(trouble._replace(subject=trouble.subject._replace(oldest_at=oldest)))
    return found


async def _onset(store: Store, cause: Cause, members: Sequence[Trouble], channels: Iterable[rows.Channel]) -> int:
    """When the first attempt failed: those that led to the hold belong to it, with a provider's outage on whichever of its channels."""
    onset = min(trouble.subject.since for trouble in members)
    places = {place for trouble in members for place in trouble.channels}
    if not cause.account and cause.provider and cause.family is Family.UPSTREAM:
        places |= {(channel.account, channel.id) for channel in channels if channel.provider == cause.provider}
    times = []
    for account, channel in places:
        events = await store.troubles(account, channel, since=onset - LOOKBACK, until=onset)
        times += [event.recorded_at for event in events if FAMILY.get(event.reason) is cause.family]
    for at in sorted(times, reverse=True):
        if onset - at > GAP:
            break
        onset = at
    return onset


async def _absorb(context: Context, book: Book, grouped: dict[Cause, list[Trouble]]) -> None:
    """What was an account's own turns out to be a part of something larger."""
    for cause, members in grouped.items():
        into = home(cause, members, book.incidents.values()) if not cause.account else None
        if into is None:
            continue
        subjects = {trouble.subject[:3] for trouble in members}
        for one in list(book.incidents.values()):
            if one.account and not one.over and any(s[:3] in subjects for s in one.subjects if not s.until):
                await _merge(context, book, one, book.incidents[into.id], "system")


async def _merge(context: Context, book: Book, one: Incident, into: Incident, actor: str) -> None:
    changes = Changes(one.account or into.account, context.clock.now(), actor)
    ending, taking = merged(one, into)
    book.add(changes, one.id, ending)
    book.add(changes, into.id, taking)
    book.index.live = [entry for entry in book.index.live if entry[1] != one.id]
    book.add_index(changes)
    await context.store.commit(changes)
    del book.incidents[one.id]


async def _advance(context: Context, book: Book, incident: Incident, world: facts.World, patience: Patience) -> None:
    store, now = context.store, context.clock.now()
    ends = {}
    for subject in incident.subjects:
        at = 0 if subject.until else await facts.ended_at(store, subject, world, now=now)
        if at:
            ends[subject] = at
    waiting = bool(incident.mitigated_at) and not incident.over and await is_waiting(store, incident)
    events = advance(incident, ends=ends, severity=_severity(incident, world), waiting=waiting, now=now, patience=patience)
    gone = incident.over and all(subject.until or subject in ends for subject in incident.subjects)
    if not events and not gone:
        return
    changes = Changes(incident.account, now)
    if events:
        book.add(changes, incident.id, events)
    after = book.incidents[incident.id]
    if after.over and all(subject.until for subject in after.subjects):
        book.index.live = [entry for entry in book.index.live if entry[1] != incident.id]
        book.add_index(changes)
    await store.commit(changes)


def _severity(incident: Incident, world: facts.World) -> Severity:
    mine = {subject[:3] for subject in incident.subjects if not subject.until}
    hit = {channel for trouble in world.troubles if trouble.subject[:3] in mine for channel in trouble.channels}
    if not incident.account:
        return severity(len({account for account, _ in hit}), world.accounts)
    # One account is never a matter of the whole installation.
    found = severity(len(hit), len([channel for channel in world.channels if channel.account == incident.account]))
    return min(found, Severity.MAJOR, key=list(Severity).index)


async def is_waiting(store: Store, incident: Incident) -> bool:
    """Whether anything written before it was over is still on its way on the channels that it is about."""
    channels = await store.all_channels()
    mine = {(c.account, c.id) for subject in incident.subjects for c in await facts.users_of(store, channels, subject)}
    for account in sorted({account for account, _ in mine}):
        for row in await store.waiting_of(account):
            if (account, row.channel) in mine and row.state in facts.WAITING and row.oldest_at <= incident.mitigated_at:
                return True
    return False
