"""What is unwell now, as facts of the store say it: holds, alarms of the detectors, releases that were fenced or cannot be proved."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from heliograph.domain import events as ev
from heliograph.domain.delivery import TAKEN
from heliograph.domain.detectors.state import Alarm
from heliograph.domain.gate import SENDING, Release, Stage
from heliograph.domain.health import CHECK, PROBATION, Condition, Health
from heliograph.domain.ids import id_value, make_id
from heliograph.domain.incident import Subject
from heliograph.domain.incident_rules import FAMILY, Family, Trouble, family, spread
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Store
from heliograph.services import detection, releases
from heliograph.services.releases import Kept

#: Later than any time that occurs.
FOREVER = 2**62
#: A release that is not proved after so long, microseconds, is stuck; sooner it is while its proof has come to nothing.
STARTING = 30 * SECOND
#: A release that was fenced longer ago than this, microseconds, is history.
RECENT = 3600 * SECOND
PAGE = 500
#: Alarms that say something which holds do not, and the kind of subject that each is about.
ALARMS = {"fleet": "installation", "release": "release", "channel": "channel", "credential": "credential", "waiting": "idle"}
REASONS = frozenset(Reason)
#: An alarm older than this, microseconds, goes on while there are so many failures in that time.
FRESH, ENOUGH = 60 * SECOND, 3
WAITING = ("queued", "sending", "unknown")


class World(NamedTuple):
    """One look at the installation."""

    troubles: list[Trouble]
    #: Enabled channels.
    channels: list[rows.Channel]
    #: What is on hold or has an alarm, by (account, kind, id).
    unwell: frozenset[tuple[str, str, str]]
    releases: Mapping[str, Kept]
    #: Ids of releases that send, or could, and run.
    sending: frozenset[str]

    @property
    def accounts(self) -> int:
        """How many accounts could be hit."""
        return len({channel.account for channel in self.channels})


async def look(store: Store, *, now: int) -> World:
    """See World. Two questions to the store while nothing is wrong and no release is known."""
    known = {kept.row.id: kept for kept in await releases.releases(store)}
    running = await releases.running(store, now) if known else {}
    sending = frozenset(id for id, kept in known.items() if kept.row.stage in SENDING and id in running)
    holds = await store.unwell()
    alarms = [alarm for alarm in await detection.alarms(store) if alarm.detector in ALARMS]
    fenced = [kept for kept in known.values() if kept.row.stage == Stage.FENCED and kept.row.ended_at > now - RECENT]
    starts = {id: min(process.started_at for process in running[id]) for id in running if id in known and not sending}
    stuck = [id for id, since in starts.items() if known[id].row.basis or now - since > STARTING]
    if not (holds or alarms or fenced or stuck):
        return World([], [], frozenset(), known, sending)
    channels = [channel for channel in await store.all_channels() if channel.enabled]
    waits = await _waits(store) if any(health.condition is Condition.TRIAL for health in holds) else {}
    troubles = []
    for health in holds:
        if health.account or not _unsent(health.subject, known):
            troubles += await _on_hold(store, health, channels, waits)
    for alarm in alarms:
        troubles += await _alarmed(store, alarm, channels, now=now)
    unwell = frozenset((t.subject.account, t.subject.kind, t.subject.id) for t in troubles)
    troubles += [_fenced(kept, channels) for kept in fenced]
    troubles += [_stuck(known[id], starts[id], channels) for id in sorted(stuck)[:1]]
    return World(troubles, channels, unwell, known, sending)


async def _waits(store: Store) -> dict[tuple[str, str], int]:
    """When the oldest that waits on each channel was written."""
    found: dict[tuple[str, str], int] = {}
    for row in await store.waiting():
        if row.state in WAITING:
            place = (row.account, row.channel)
            found[place] = min(found.get(place, row.oldest_at), row.oldest_at)
    return found


async def _on_hold(store: Store, health: Health, channels: list[rows.Channel], waits: Mapping[tuple[str, str], int]) -> list[Trouble]:
    subject = Subject(health.kind, health.account, health.subject, health.held_since, 0)
    users = await users_of(store, channels, subject)
    lasting = health.held_since
    if health.condition is Condition.TRIAL:
        # The probe passes. Where nothing waits, nothing can be tried, and nobody misses anything.
        waiting = [waits[place] for user in users if (place := (user.account, user.id)) in waits]
        if not waiting:
            return []
        lasting = max(lasting, min(waiting))
    if not users:
        return []
    confirmed = health.operation == CHECK and health.condition is Condition.HELD and family(health.reason) is Family.CREDENTIAL
    return [_trouble(subject, health.reason, users, detected_at=health.held_since, confirmed=confirmed)._replace(lasting_since=lasting)]


async def _alarmed(store: Store, alarm: Alarm, channels: list[rows.Channel], *, now: int) -> list[Trouble]:
    subject = Subject(ALARMS[alarm.detector], alarm.account, alarm.id or alarm.kind, alarm.onset_at, 0)
    users = await users_of(store, channels, subject)
    if not users or not (alarm.detector == "waiting" or await _goes_on(store, alarm, users, now=now)):
        return []
    return [_trouble(subject, alarm.reason, users, detected_at=alarm.raised_at, confirmed=True)]


async def _goes_on(store: Store, alarm: Alarm, users: Iterable[rows.Channel], *, now: int) -> bool:
    """Whether what raised an alarm still happens. The sum of a detector falls with successes only, and at night there are none."""
    failures = 0
    for channel in users if now - alarm.raised_at > FRESH else ():
        failures += len(await store.troubles(channel.account, channel.id, since=now - FRESH, until=now))
        if failures >= ENOUGH:
            return True
    return now - alarm.raised_at <= FRESH


def _trouble(subject: Subject, reason: str, users: Iterable[rows.Channel], *, detected_at: int, confirmed: bool) -> Trouble:
    channels = list(users)
    providers = {channel.provider for channel in channels}
    return Trouble(
        subject,
        reason if reason in REASONS else Reason.OTHER.value,
        providers.pop() if len(providers) == 1 else "",
        confirmed,
        detected_at,
        subject.since,
        frozenset((channel.account, channel.id) for channel in channels),
    )


def _fenced(kept: Kept, channels: list[rows.Channel]) -> Trouble:
    """What another release has taken over: it is over as it begins, and what its attempts did is known by its id."""
    row = kept.row
    subject = Subject("release", "", row.id, row.ended_at, row.ended_at)
    trouble = _trouble(subject, row.reason, channels, detected_at=row.ended_at, confirmed=True)
    return trouble._replace(release=row.id, variable=row.variable)


def _stuck(kept: Kept, since: int, channels: list[rows.Channel]) -> Trouble:
    """Nobody may send: a release without a witness that cannot prove itself."""
    row = kept.row
    trouble = _trouble(Subject("release", "", row.id, since, 0), row.reason, channels, detected_at=since, confirmed=False)
    return trouble._replace(release=row.id, variable=row.variable) if row.variable else trouble


async def users_of(store: Store, channels: Iterable[rows.Channel], subject: Subject) -> list[rows.Channel]:
    """The channels among `channels` that a subject is about; a release, as the installation, is about all."""
    match subject.kind:
        case "channel" | "idle":
            return [channel for channel in channels if (channel.account, channel.id) == (subject.account, subject.id)]
        case "credential" if subject.account:
            name = subject.id.partition("@")[0]
            return [channel for channel in channels if (channel.account, channel.credential) == (subject.account, name)]
        case "credential":
            shared = {(channel.account, channel.id) for channel in await store.shared_users(subject.id.partition("@")[0])}
            return [channel for channel in channels if (channel.account, channel.id) in shared]
        case _:
            return list(channels)


async def ended_at(store: Store, subject: Subject, world: World, *, now: int) -> int:
    """Since when a subject of an incident works again; 0 while it does not."""
    known = (subject.account, subject.kind, subject.id) in world.unwell
    if subject.kind in ("installation", "idle"):
        return 0 if known else now
    if subject.kind == "release":
        return 0 if known or not world.sending else now
    health = await store.health(subject.account, subject.kind, subject.id)
    if known:
        again = health is not None and health.held_since > subject.since
        return await _last_end(store, subject) if again else 0
    if health is not None and health.condition is Condition.WELL and health.trial_at - PROBATION >= subject.since:
        return health.trial_at - PROBATION
    return (0 if subject.account else departed_at(subject.id, world.releases)) or now


def departed_at(version: str, known: Mapping[str, Kept]) -> int:
    """When the last release that held a version of a shared credential stopped sending; 0 where one sends with it, or none is known."""
    return max(row.ended_at for row in _holders(version, known)) if _unsent(version, known) else 0


def _unsent(version: str, known: Mapping[str, Kept]) -> bool:
    """Whether nobody sends with a version, while others send: it is that of a release that has ended, or is not proved."""
    holders = _holders(version, known)
    others = any(kept.row.stage in SENDING for kept in known.values())
    return bool(holders) and others and not any(row.stage in SENDING for row in holders)


def _holders(version: str, known: Mapping[str, Kept]) -> list[Release]:
    name, _, fingerprint = version.partition("@")
    return [kept.row for kept in known.values() if kept.credentials.get(name) == fingerprint]


async def fails_elsewhere(
    store: Store, suspects: Iterable[rows.Channel], others: Iterable[rows.Channel], *, onset: int, lead: int, until: int
) -> bool:
    """Whether messages on `others`, of which `suspects` may have failures, fail for a provider's reason: see `spread`.

    Failures count from `lead` before the onset, since who is hit first is chance; successes from the first of both.
    """
    failed: dict[str, int] = {}
    for channel in suspects:
        for event in await store.troubles(channel.account, channel.id, since=onset - lead, until=until):
            if event.kind != ev.HoldStarted.kind and FAMILY.get(event.reason) is Family.UPSTREAM:
                failed.setdefault(event.subject, event.recorded_at)
    if not failed:
        return False
    low, high = id_at(min(onset, *failed.values())), id_at(until)
    succeeded = 0
    for channel in others:
        owed = await store.deliveries_between(channel.account, low=low, high=high, channel=channel.id)
        succeeded += sum(one.delivery.state in TAKEN and one.delivery.id not in failed for one in owed)
        if not spread(len(failed), succeeded):
            return False
    return True


def id_at(at: int) -> str:
    """Below every delivery's id that was made later."""
    return make_id("dlv", id_value(min(at, FOREVER), 0))


async def hold_events(store: Store, subject: Subject) -> list[rows.EventRead]:
    """What is recorded of one channel's or credential version's health, oldest first."""
    found: list[rows.EventRead] = []
    after = 0
    stream_id = subject.id.partition("@")[0]
    while True:
        page = await store.events(subject.account, stream=subject.kind, stream_id=stream_id, after=after, limit=PAGE)
        found += [event for event in page if event.subject == f"{subject.kind}:{subject.id}"]
        if len(page) < PAGE:
            return found
        after = page[-1].seq


async def _last_end(store: Store, subject: Subject) -> int:
    """When the hold that began at `subject.since` ended, where another one has begun since."""
    for event in await hold_events(store, subject):
        if event.kind == ev.HoldEnded.kind and event.recorded_at > subject.since:
            return event.recorded_at
    return 0
