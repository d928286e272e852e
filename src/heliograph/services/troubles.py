"""What is unwell now, as facts of the store say it: holds of channels and credential versions, and releases that were fenced."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from heliograph.domain.events import HoldStarted
from heliograph.domain.gate import SENDING, Stage
from heliograph.domain.health import CHECK, PROBATION, Condition, Health
from heliograph.domain.incident import Subject
from heliograph.domain.incident_rules import Family, Trouble, family
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Store

#: Later than any time that occurs.
FOREVER = 2**62
#: A release that was fenced longer ago than this, microseconds, is history.
RECENT = 3600 * SECOND
PAGE = 500


class ReleaseSeen(msgspec.Struct):
    """What of a release's document is of interest here; see domain.gate.Release."""

    id: str
    stage: str = ""
    subject: str = ""
    reason: str = ""
    variable: str = ""
    ended_at: int = 0


class World(NamedTuple):
    """One look at the installation."""

    troubles: list[Trouble]
    #: Enabled channels.
    channels: list[rows.Channel]
    #: Held and tried things, by (account, kind, id).
    held: frozenset[tuple[str, str, str]]
    releases: Mapping[str, ReleaseSeen]

    @property
    def accounts(self) -> int:
        """How many accounts could be hit."""
        return len({channel.account for channel in self.channels})


async def held(store: Store) -> list[Health]:
    """Everything that is on hold, of all accounts and of the installation."""
    return await store.due_probes(FOREVER)


async def look(store: Store, holds: Iterable[Health], *, now: int) -> World:
    """See World."""
    channels = [channel for channel in await store.all_channels() if channel.enabled]
    releases = await _releases(store)
    troubles = []
    unwell = set()
    for health in holds:
        users = await users_of(store, channels, Subject(health.kind, health.account, health.subject, 0, 0))
        if not users or await _departed_at(store, health, releases):
            continue
        unwell.add((health.account, health.kind, health.subject))
        subject = Subject(health.kind, health.account, health.subject, health.held_since, 0)
        confirmed = health.operation == CHECK and family(health.reason) is Family.CREDENTIAL
        troubles.append(
            Trouble(subject, health.reason, users[0].provider, confirmed, health.held_since, frozenset((c.account, c.id) for c in users))
        )
    troubles += [_fenced(release, channels) for release in releases.values() if _news(release, now)]
    return World(troubles, channels, frozenset(unwell), releases)


async def users_of(store: Store, channels: Iterable[rows.Channel], subject: Subject) -> list[rows.Channel]:
    """The channels among `channels` that a subject is about; a release is about all."""
    if subject.kind == "release":
        return list(channels)
    if subject.kind == "channel":
        return [channel for channel in channels if (channel.account, channel.id) == (subject.account, subject.id)]
    name = subject.id.partition("@")[0]
    if subject.account:
        return [channel for channel in channels if (channel.account, channel.credential) == (subject.account, name)]
    shared = {(channel.account, channel.id) for channel in await store.shared_users(name)}
    return [channel for channel in channels if (channel.account, channel.id) in shared]


async def ended_at(store: Store, subject: Subject, world: World, *, now: int) -> int:
    """Since when a subject of an incident works again; 0 while it does not."""
    if subject.kind == "release":
        release = world.releases.get(subject.id)
        return release.ended_at or now if release is not None and release.stage not in SENDING else 0
    if (subject.account, subject.kind, subject.id) in world.held:
        health = await store.health(subject.account, subject.kind, subject.id)
        again = health is not None and health.held_since > subject.since
        return await _last_end(store, subject) if again else 0
    health = await store.health(subject.account, subject.kind, subject.id)
    if health is None or health.condition is Condition.WELL:
        return max(health.trial_at - PROBATION, subject.since) if health is not None and health.trial_at else now
    users = await users_of(store, world.channels, subject)
    return await _departed_at(store, health, world.releases) or (0 if users else now)


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
        if event.kind == "hold_ended" and event.recorded_at > subject.since:
            return event.recorded_at
    return 0


async def _departed_at(store: Store, health: Health, releases: Mapping[str, ReleaseSeen]) -> int:
    """When the release that found a shared credential version bad stopped sending: nobody uses that version any more."""
    if health.account or not releases:
        return 0
    subject = Subject(health.kind, health.account, health.subject, 0, 0)
    starts = [event for event in await hold_events(store, subject) if event.kind == HoldStarted.kind]
    release = releases.get(starts[-1].release) if starts else None
    sends = any(other.stage == Stage.ADMITTED for other in releases.values())
    return release.ended_at if release is not None and sends and release.stage not in SENDING else 0


async def _releases(store: Store) -> dict[str, ReleaseSeen]:
    documents = await store.documents("", "release")
    return {document.id: msgspec.json.decode(document.data, type=ReleaseSeen) for document in documents}


def _news(release: ReleaseSeen, now: int) -> bool:
    return release.stage == Stage.FENCED and release.ended_at > now - RECENT


def _fenced(release: ReleaseSeen, channels: Iterable[rows.Channel]) -> Trouble:
    known = release.reason if release.reason in set(Reason) else Reason.OTHER.value
    providers = {channel.provider for channel in channels}
    return Trouble(
        subject=Subject("release", "", release.id, release.ended_at, release.ended_at),
        reason=known,
        provider=providers.pop() if len(providers) == 1 else "",
        confirmed=True,
        detected_at=release.ended_at,
        channels=frozenset(),
        release=release.id,
        variable=release.variable,
    )
