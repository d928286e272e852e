"""Impact: exactly which replies an incident kept from going out at once, and what became of each."""

from collections.abc import Iterable, Sequence

from heliograph.domain.ids import id_value, make_id
from heliograph.domain.incident import Incident, Subject
from heliograph.domain.incident_rules import FAMILY, family
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Store
from heliograph.projections.affected import BECAME, FOREVER, Span, hold_spans, waited, waited_by
from heliograph.projections.facts import Affected, Facts, facts
from heliograph.services.context import Context
from heliograph.services.troubles import PAGE, hold_events, users_of

#: Attempts of a release that was fenced may still be under way for this long, microseconds; they are known by their release.
TRAILING = 120 * SECOND
#: A delivery's id may be made this much later than the moment that counts as its queueing, microseconds.
SLACK = 60 * SECOND

Place = tuple[str, str]


async def impact(store: Store, incident: Incident, account: str = "") -> list[Affected]:
    """The affected parts of replies, of one account or of all, in the order in which they were written."""
    places = await _places(store, incident, account)
    spans = await _spans(store, places)
    found: list[Affected] = []
    for owner in sorted({place[0] for place in places}):
        mine = {channel: subjects for (of, channel), subjects in places.items() if of == owner}
        troubled: set[str] = set()
        for channel, subjects in mine.items():
            troubled |= await _troubled(store, incident, owner, channel, subjects)
        on_hold = {channel: spans[owner, channel] for channel in mine}
        found += await _of_account(store, owner, on_hold, troubled, list(mine.values()))
    return sorted(found, key=lambda affected: affected.delivery)


async def facts_of(context: Context, incident: Incident, account: str = "", agent: str = "") -> Facts:
    """The record of an incident for the installation, for an account (its admins) or for one agent."""
    affected = await impact(context.store, incident, account)
    return facts(incident, affected, provider_title=await provider_title(context, incident), account=account, agent=agent)


async def provider_title(context: Context, incident: Incident) -> str:
    """What people call the provider; "" where several or none are concerned."""
    if not incident.provider:
        return ""
    for channel in await context.store.all_channels():
        if channel.provider == incident.provider:
            connected = await context.channels.known(channel.account, channel.id)
            if connected is not None:
                return connected.spec.title
    return incident.provider


async def _places(store: Store, incident: Incident, account: str) -> dict[Place, list[Subject]]:
    """The channels that the incident is about, as (account, channel), each with the subjects that make it so."""
    only = incident.account or account
    channels = await store.channels(only) if only else await store.all_channels()
    places: dict[Place, list[Subject]] = {}
    for subject in incident.subjects:
        for channel in await users_of(store, channels, subject):
            places.setdefault((channel.account, channel.id), []).append(subject)
    return places


async def _spans(store: Store, places: dict[Place, list[Subject]]) -> dict[Place, list[Span]]:
    """When each channel was on hold by the incident."""
    of_subject: dict[Subject, list[Span]] = {}
    for subject in {subject for subjects in places.values() for subject in subjects}:
        if subject.kind in ("release", "idle"):
            # Nobody sent while it lasted; a release that was fenced is over as it begins.
            lasted = Span(subject.since, subject.until or FOREVER)
            of_subject[subject] = [lasted] if lasted.start < lasted.end else []
        elif subject.kind in ("channel", "credential"):
            of_subject[subject] = hold_spans(await hold_events(store, subject), subject)
    return {place: [span for subject in subjects for span in of_subject.get(subject, [])] for place, subjects in places.items()}


async def _troubled(store: Store, incident: Incident, account: str, channel: str, subjects: Iterable[Subject]) -> set[str]:
    """Deliveries with an attempt that did not get through by the incident's cause."""
    until = incident.mitigated_at or FOREVER
    slack = TRAILING if any(subject.kind == "release" for subject in subjects) else 0
    events = await store.troubles(account, channel, since=incident.onset_at, until=until + slack)
    return {event.subject for event in events if any(_by(incident, event, subject, until) for subject in subjects)}


def _by(incident: Incident, event: rows.EventRead, subject: Subject, until: int) -> bool:
    if subject.kind == "release":
        return event.release == subject.id
    if event.recorded_at > until or FAMILY.get(event.reason) is not family(incident.reason):
        return False
    return subject.kind in ("channel", "installation") or event.credential == subject.id


async def _of_account(
    store: Store, account: str, on_hold: dict[str, list[Span]], troubled: set[str], subjects: Sequence[Iterable[Subject]]
) -> list[Affected]:
    begins = [min(s.oldest_at or s.since, s.since) for each in subjects for s in each if s.kind != "release" or s.until != s.since]
    ends = [span.end for spans in on_hold.values() for span in spans]
    read: dict[str, rows.Owed] = {}
    if begins and ends:
        low, high = _id_at(min(begins)), _id_at(min(max(ends), FOREVER) + SLACK)
        channel = next(iter(on_hold)) if len(on_hold) == 1 else ""
        read = {owed.delivery.id: owed for owed in await store.deliveries_between(account, low=low, high=high, channel=channel)}
    found = []
    for id in sorted(troubled | read.keys()):
        owed = read.get(id) or await _owed(store, account, id)
        if owed is None:
            found.append(Affected(account, "", id, "", "", "", "lost"))
        elif id in troubled or await _waited(store, owed, on_hold.get(owed.delivery.channel, [])):
            found.append(_affected(owed))
    return found


async def _waited(store: Store, owed: rows.Owed, spans: Sequence[Span]) -> bool:
    told = waited(owed.delivery, spans) if spans else False
    if told is not None:
        return told
    delivery = owed.delivery
    events: list[rows.EventRead] = []
    after = 0
    while True:
        page = await store.events(delivery.account, stream="ticket", stream_id=delivery.ticket, after=after, limit=PAGE)
        events += page
        if len(page) < PAGE:
            return waited_by(events, delivery.id, spans)
        after = page[-1].seq


async def _owed(store: Store, account: str, id: str) -> rows.Owed | None:
    delivery = await store.delivery(account, id)
    if delivery is None:
        return None
    comment = await store.comment(account, delivery.comment)
    return rows.Owed(delivery, comment.author if comment is not None else "")


def _affected(owed: rows.Owed) -> Affected:
    d = owed.delivery
    return Affected(
        d.account, d.ticket, d.id, owed.author, d.lane, d.channel, BECAME[d.state], d.comment, d.question, d.queued_at, d.accepted_at
    )


def _id_at(at: int) -> str:
    return make_id("dlv", id_value(min(at, FOREVER), 0))
