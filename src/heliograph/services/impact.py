"""Impact: exactly which replies an incident kept from going out at once, and what became of each."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from heliograph.domain.delivery import OPEN, TAKEN, Delivery
from heliograph.domain.events import HoldStarted
from heliograph.domain.incident import Incident, Subject
from heliograph.domain.incident_rules import FAMILY, Family, family
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Store
from heliograph.projections.affected import BECAME, FOREVER, SETTLED, Span, hold_spans, waited, waited_by
from heliograph.projections.facts import Affected, Facts, facts
from heliograph.services.context import Context
from heliograph.services.troubles import PAGE, hold_events, id_at, users_of

#: Attempts of a release that was fenced may still be under way for this long, microseconds; they are known by their release.
TRAILING = 120 * SECOND
#: A delivery's id may be made this much later than the moment that counts as its queueing, microseconds.
SLACK = 60 * SECOND

#: What was started within this time of its writing went out at once: the one that was tried, or the last before a hold's end. Microseconds.
ORDINARY = 300_000

#: An impact of fewer than this is never kept; a larger one for so many microseconds per reply, twenty times what it costs; see below.
SMALL, WORTH = 200, 600
#: Microseconds after which a kept one is dropped.
FORGOTTEN = 600 * SECOND


class _Kept(NamedTuple):
    version: int
    at: int
    affected: list[Affected]


#: What this process has read lately, by store.
_KEPT: WeakKeyDictionary[Store, dict[tuple[str, str], _Kept]] = WeakKeyDictionary()

Place = tuple[str, str]


async def impact(store: Store, incident: Incident, account: str = "") -> list[Affected]:
    """The affected parts of replies, of one account or of all, in the order in which they were written."""
    places = await _places(store, incident, account)
    spans = await _spans(store, incident, places)
    found: list[Affected] = []
    for owner in sorted({place[0] for place in places}):
        mine = {channel: subjects for (of, channel), subjects in places.items() if of == owner}
        troubled: dict[str, int] = {}
        for channel, subjects in mine.items():
            troubled |= await _troubled(store, incident, (owner, channel), subjects, spans[owner, channel])
        on_hold = {channel: spans[owner, channel] for channel in mine}
        stops = {channel: [s.until for s in subjects if s.kind == "release" and s.until] for channel, subjects in mine.items()}
        if troubled or any(on_hold.values()) or any(stops.values()):
            begins = [min(s.oldest_at or s.since, s.since) for subjects in mine.values() for s in subjects]
            found += await _of_account(store, incident, owner, on_hold, stops, troubled, min([incident.onset_at, *begins]))
    return sorted(found, key=lambda affected: affected.delivery)


async def recent_impact(context: Context, incident: Incident, account: str = "") -> list[Affected]:
    """The same; of a large incident at most so old that all its readers together cost a small share of this process."""
    kept = _KEPT.setdefault(context.store, {})
    now, key = context.clock.now(), (incident.id, account)
    known = kept.get(key)
    if known is not None and known.version == incident.version and now - known.at <= len(known.affected) * WORTH:
        return known.affected
    found = await impact(context.store, incident, account)
    if len(found) >= SMALL:
        kept[key] = _Kept(incident.version, now, found)
        for old in [name for name, one in kept.items() if now - one.at > FORGOTTEN]:
            del kept[old]
    return found


async def facts_of(context: Context, incident: Incident, account: str = "", agent: str = "") -> Facts:
    """The record of an incident for the installation, for an account (its admins) or for one agent."""
    affected = await recent_impact(context, incident, account)
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
    if not incident.account and incident.provider and family(incident.reason) is Family.UPSTREAM:
        # What a provider's outage did on channels that were never put on hold for it is its doing, too.
        for channel in channels:
            if channel.provider == incident.provider:
                places.setdefault((channel.account, channel.id), []).append(_everywhere(incident))
    return places


def _everywhere(incident: Incident) -> Subject:
    return Subject("installation", "", incident.provider, incident.onset_at, incident.mitigated_at, incident.onset_at)


async def _spans(store: Store, incident: Incident, places: dict[Place, list[Subject]]) -> dict[Place, list[Span]]:
    """When each channel was on hold by the incident; holds that were too short to be noticed for themselves belong to it."""
    of_subject: dict[Subject, list[Span]] = {}
    for subject in {subject for subjects in places.values() for subject in subjects}:
        until = subject.until or FOREVER
        if subject.kind in ("channel", "credential"):
            within = Span(min(subject.since, incident.onset_at), until)
            of_subject[subject] = hold_spans(await hold_events(store, subject), within)
        elif subject.kind != "installation":
            # Nobody sent while it lasted; a release that was fenced is over as it begins.
            of_subject[subject] = [Span(subject.since, until)] if subject.since < until else []
    return {place: [span for subject in subjects for span in of_subject.get(subject, [])] for place, subjects in places.items()}


async def _troubled(store: Store, incident: Incident, place: Place, subjects: Iterable[Subject], spans: list[Span]) -> dict[str, int]:
    """Deliveries with an attempt that did not get through by the incident's cause, and when the first one did not.

    Adds to `spans` the holds of a channel that is no subject by itself.
    """
    account, channel = place
    until = incident.mitigated_at or FOREVER
    slack = TRAILING if any(subject.kind == "release" for subject in subjects) else 0
    events = await store.troubles(account, channel, since=incident.onset_at, until=until + slack)
    mine = [event for event in events if any(_by(incident, event, subject, until) for subject in subjects)]
    if any(event.kind == HoldStarted.kind for event in mine):
        holds = await hold_events(store, Subject("channel", account, channel, 0, 0))
        spans += hold_spans(holds, Span(incident.onset_at, until))
    found: dict[str, int] = {}
    for event in mine:
        if event.kind != HoldStarted.kind:
            found.setdefault(event.subject, event.recorded_at)
    return found


def _by(incident: Incident, event: rows.EventRead, subject: Subject, until: int) -> bool:
    if subject.kind == "release":
        return event.release == subject.id
    if event.recorded_at > until or FAMILY.get(event.reason) is not family(incident.reason):
        return False
    return subject.kind in ("channel", "installation") or event.credential == subject.id


async def _of_account(
    store: Store, incident: Incident, account: str, on_hold: dict[str, list[Span]], stops: dict[str, list[int]],
    troubled: dict[str, int], oldest_at: int,
) -> list[Affected]:  # fmt: skip
    ends = [span.end for spans in on_hold.values() for span in spans]
    until = max([incident.mitigated_at or FOREVER, *ends])
    channel = next(iter(on_hold)) if len(on_hold) == 1 else ""
    high = id_at(min(until, FOREVER) + SLACK)
    read = {owed.delivery.id: owed for owed in await store.deliveries_between(account, low=id_at(oldest_at), high=high, channel=channel)}
    lost = []
    earlier = oldest_at
    for id in troubled.keys() - read.keys():
        owed = await _owed(store, account, id)
        if owed is None:
            lost.append(Affected(account, "", id, "", "", "", "lost"))
        else:
            read[id] = owed
            earlier = min(earlier, owed.delivery.queued_at)
    if earlier < oldest_at:
        # What was written before may stand behind one of these.
        more = await store.deliveries_between(account, low=id_at(earlier), high=id_at(oldest_at), channel=channel)
        read |= {owed.delivery.id: owed for owed in more}
    for name, moments in stops.items():
        on_hold[name] = [*on_hold[name], *(Span(moment, _goes_on(moment, read.values())) for moment in moments)]
    lanes: dict[str, list[rows.Owed]] = {}
    for owed in read.values():
        if owed.delivery.channel in on_hold:
            lanes.setdefault(owed.delivery.lane, []).append(owed)
    found = [one for lane in lanes.values() for one in await _of_lane(store, lane, on_hold, troubled)]
    return lost + found


def _goes_on(stopped_at: int, read: Iterable[rows.Owed]) -> int:
    """When another release took over from one that was stopped: whoever may send must first come to know it."""
    moments = []
    for delivery in (owed.delivery for owed in read if owed.delivery.started_at >= stopped_at):
        # What went out at once shows that somebody sent when it was written, however long nobody had written anything.
        at_once = delivery.started_at - delivery.queued_at <= ORDINARY
        moments.append(max(delivery.queued_at, stopped_at) if at_once else delivery.started_at)
    return min(moments, default=FOREVER)


async def _of_lane(store: Store, lane: list[rows.Owed], on_hold: dict[str, list[Span]], troubled: dict[str, int]) -> list[Affected]:
    """The affected ones of a conversation: what stands behind an affected one waits for it."""
    found: list[Affected] = []
    behind: list[Span] = []
    for owed in sorted(lane, key=lambda owed: owed.delivery.seq):
        delivery = owed.delivery
        spans = [*on_hold.get(delivery.channel, []), *behind]
        if delivery.id not in troubled and not (_late(delivery) and await _waited(store, delivery, spans)):
            continue
        found.append(_affected(owed))
        since = troubled.get(delivery.id, delivery.queued_at)
        behind = [Span(min([since, *(span.start for span in behind)]), max([await _left(store, delivery), *(s.end for s in behind)]))]
    return found


def _late(delivery: Delivery) -> bool:
    return delivery.state not in TAKEN or delivery.epoch > 0 or delivery.started_at - delivery.queued_at > ORDINARY


async def _left(store: Store, delivery: Delivery) -> int:
    """When it stood in nobody's way any more."""
    if delivery.state in OPEN:
        return FOREVER
    if delivery.state in TAKEN and not delivery.epoch:
        return delivery.accepted_at
    ends = [event.recorded_at for event in await _story(store, delivery) if event.subject == delivery.id and event.kind in SETTLED]
    return max(ends, default=delivery.accepted_at)


async def _waited(store: Store, delivery: Delivery, spans: Sequence[Span]) -> bool:
    told = waited(delivery, spans) if spans else False
    return waited_by(await _story(store, delivery), delivery.id, spans) if told is None else told


async def _story(store: Store, delivery: Delivery) -> list[rows.EventRead]:
    """All events of its ticket, oldest first."""
    events: list[rows.EventRead] = []
    after = 0
    while True:
        page = await store.events(delivery.account, stream="ticket", stream_id=delivery.ticket, after=after, limit=PAGE)
        events += page
        if len(page) < PAGE:
            return events
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
