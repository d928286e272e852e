"""Post-mortems: drafted from the ledger as soon as an incident is over, written by people, promised, published."""

from collections.abc import Sequence

import msgspec

from heliograph.domain import incident_events as ie, publication_events as pe
from heliograph.domain.decide import Refusal
from heliograph.domain.event import Event
from heliograph.domain.incident import Incident, Phase
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Loose, Store
from heliograph.projections.facts import Affected, Facts, facts
from heliograph.projections.postmortem import SECTIONS, Attempts, Diff, Draft, Postmortem, Version, draft, settings_diff
from heliograph.projections.public.board import Topic, Update
from heliograph.projections.wording.languages import known
from heliograph.services import incidents, releases, status_page
from heliograph.services.context import Context, Invalid, Missing, retrying
from heliograph.services.impact import TRAILING, provider_title, recent_impact
from heliograph.services.watched import Memory, public_incidents

KIND = "postmortem"
MOST = 20_000
#: How far before its onset what happened to releases and shared credentials belongs to the story, microseconds.
BEFORE = 900 * SECOND
PAGE = 1000
#: Between two drafts of the same story, microseconds.
AGAIN = 1 * SECOND


class Kept(msgspec.Struct, frozen=True):
    """A post-mortem with the version of its row; 0 where there is none yet."""

    story: Postmortem
    version: int


async def read(store: Store, incident: str) -> Kept:
    """As kept; blank where nothing is."""
    row = await store.document("", KIND, incident)
    return Kept(msgspec.json.decode(row.data, type=Postmortem), row.version) if row else Kept(Postmortem(incident=incident), 0)


def put(changes: Changes, kept: Kept, story: Postmortem) -> None:
    """Write it as the successor of what was read."""
    changes.puts.append(rows.Document("", KIND, story.incident, kept.version + 1, changes.at, msgspec.json.encode(story).decode()))


def on(incident: str, event: Event) -> Loose:
    """An event on the incident's stream."""
    return Loose("incident", incident, event, account="")


# --- facts ---------------------------------------------------------------------------------------


async def reconcile(context: Context, memory: Memory) -> list[str]:
    """Draft what is over, and draft it again where the ledger has grown. Returns incidents whose promise has just been broken.

    Safe in several processes at once; safe to repeat. Whoever is told that a promise is broken is told once, and pages somebody.
    """
    overdue = []
    for incident in await public_incidents(context, memory):
        if not incident.over:
            continue
        try:
            if context.clock.now() - memory.counted.get(incident.id, 0) >= AGAIN:
                memory.counted[incident.id] = context.clock.now()
                await _refresh(context, incident)
            if await _broken(context, incident.id):
                overdue.append(incident.id)
        except Conflict:
            # Somebody else was quicker; what is still to do is done in the next round.
            continue
    return overdue


async def _refresh(context: Context, incident: Incident) -> None:
    made = await make_draft(context, incident)
    kept = await read(context.store, incident.id)
    if kept.story.draft == made:
        return
    changes = Changes("", context.clock.now())
    put(changes, kept, msgspec.structs.replace(kept.story, draft=made))
    changes.loose.append(on(incident.id, pe.PostmortemDrafted(made.last)))
    await context.store.commit(changes)


async def make_draft(context: Context, incident: Incident) -> Draft:
    """The locked facts of an incident as the ledger has them now."""
    store = context.store
    affected = await recent_impact(context, incident)
    title = await provider_title(context, incident)
    counted: Facts = facts(incident, affected, provider_title=title)
    events = await _stream(store, "incident", incident.id)
    low, high = incident.onset_at - BEFORE, incident.resolved_at or context.clock.now()
    for stream, id in _beside(incident):
        events += [event for event in await _stream(store, stream, id) if low <= event.recorded_at <= high]
    attempts = await _attempts(store, incident, affected)
    return draft(incident, counted, events, attempts=attempts, diff=await _diff(store, incident.release))


def _beside(incident: Incident) -> list[tuple[str, str]]:
    """Streams of the installation, other than its own, that belong to an incident's story: (stream, id)."""
    found = {(subject.kind, subject.id.partition("@")[0]) for subject in incident.subjects if not subject.account}
    if incident.release:
        found.add(("release", incident.release))
    return sorted(place for place in found if place[0] in ("credential", "release"))


async def _stream(store: Store, stream: str, id: str) -> list[rows.EventRead]:
    found: list[rows.EventRead] = []
    while True:
        page = await store.events("", stream=stream, stream_id=id, after=found[-1].seq if found else 0, limit=PAGE)
        found += page
        if len(page) < PAGE:
            return found


async def _attempts(store: Store, incident: Incident, affected: Sequence[Affected]) -> Attempts:
    """Attempts on affected replies that did not get through while it lasted, whatever was said of why."""
    until = (incident.mitigated_at or incident.resolved_at) + TRAILING
    deliveries = {one.delivery for one in affected}
    seqs: list[int] = []
    for account, channel in sorted({(one.account, one.channel) for one in affected if one.channel}):
        found = await store.troubles(account, channel, since=incident.onset_at, until=until)
        seqs += [event.seq for event in found if event.subject in deliveries and event.attempt is not None]
    return Attempts(len(seqs), min(seqs, default=0), max(seqs, default=0))


async def _diff(store: Store, release: str) -> Diff | None:
    """The release at fault beside the last one that had been sending before it; None where either is unknown."""
    if not release:
        return None
    known_ = await releases.releases(store)
    mine = next((kept for kept in known_ if kept.row.id == release), None)
    if mine is None:
        return None
    earlier = [
        kept for kept in known_ if kept.row.id != release and kept.row.admitted_at and kept.row.registered_at <= mine.row.registered_at
    ]
    if not earlier:
        return None
    before = max(earlier, key=lambda kept: kept.row.admitted_at)
    return Diff(
        release=release, code=mine.row.code, previous=before.row.id, previous_code=before.row.code,
        settings=settings_diff(before.settings, mine.settings),
    )  # fmt: skip


async def _broken(context: Context, incident: str) -> bool:
    kept = await read(context.store, incident)
    if kept.story.overdue_told or not kept.story.overdue(context.clock.now()):
        return False
    changes = Changes("", context.clock.now())
    put(changes, kept, msgspec.structs.replace(kept.story, overdue_told=True))
    changes.loose.append(on(incident, pe.PostmortemOverdue(kept.story.promised_at)))
    await context.store.commit(changes)
    context.observe("postmortem_overdue", {"incident": incident})
    return True


# --- prose ---------------------------------------------------------------------------------------


async def write_section(context: Context, incident: str, section: str, text: str, *, locale: str, author: str, actor: str) -> int:
    """A new version of a section in a language; returns its number. The same text again makes none. Raises Invalid, Missing."""
    language = known(locale)
    if section not in SECTIONS or language is None:
        raise Invalid("There is no such section, or no such language.")
    words = text.replace("\r\n", "\n").strip()
    if len(words) > MOST:
        raise Invalid(f"Up to {MOST} characters.")

    async def act() -> int:
        kept = await _of_public(context, incident)
        story = kept.story
        versions = story.sections.get(section, {}).get(language.tag, [])
        if (versions[-1].text if versions else "") == words:
            return len(versions)
        changes = Changes("", context.clock.now(), actor)
        more = [*versions, Version(text=words, author=author, at=changes.at)]
        sections = {**story.sections, section: {**story.sections.get(section, {}), language.tag: more}}
        put(changes, kept, msgspec.structs.replace(story, sections=sections))
        changes.loose.append(on(incident, pe.PostmortemEdited(section, language.tag, len(more))))
        await context.store.commit(changes)
        return len(more)

    return await retrying(act)


async def promise(context: Context, incident: str, due_at: int, *, actor: str) -> None:
    """Tell the public by when it can read the post-mortem. A later promise replaces an earlier one. Raises Invalid, Missing, Refusal."""
    if due_at <= context.clock.now():
        raise Invalid("Promise a time that is still to come.")

    async def act() -> None:
        kept = await _of_public(context, incident)
        if kept.story.published_at:
            raise Refusal("It is published already.")
        changes = Changes("", context.clock.now(), actor)
        put(changes, kept, msgspec.structs.replace(kept.story, promised_at=due_at, overdue_told=False))
        changes.loose.append(on(incident, pe.PostmortemPromised(due_at)))
        await context.store.commit(changes)

    await retrying(act)


async def publish(context: Context, id: str, *, actor: str) -> None:
    """Let everybody read it: the phase moves on, comments close, followers are told. Raises Missing, Refusal."""

    async def act() -> None:
        store = context.store
        kept, page = await _of_public(context, id), await status_page.page_of(store, id)
        story = kept.story
        if story.published_at:
            return
        if story.draft is None:
            raise Refusal("The incident is not over yet.")
        if story.missing:
            raise Refusal(f"Write these sections first: {', '.join(story.missing)}.")
        changes = Changes("", context.clock.now(), actor)
        put(changes, kept, msgspec.structs.replace(story, published_at=changes.at, published_by=actor))
        book = incidents.Book(incidents.Index(), 0)
        await book.take(store, "", id)
        book.add(changes, id, [ie.PhaseChanged(Phase.POSTMORTEM, "operator")])
        counts = {**page.page.facts, "phase": Phase.POSTMORTEM.value}
        told = Update(
            id=f"{id}-postmortem", incident=id, topic=Topic.POSTMORTEM, phase=Phase.POSTMORTEM, at=changes.at, facts=counts
        )  # fmt: skip
        updates = [*page.page.updates, told]
        status_page.put(changes, page, msgspec.structs.replace(page.page, updates=updates, comments_closed=True))
        changes.loose.append(on(id, pe.PostmortemPublished()))
        changes.loose.append(on(id, pe.UpdateWritten(told.id, told.topic)))
        if not page.page.comments_closed:
            changes.loose.append(on(id, pe.CommentsClosed("postmortem")))
        await store.commit(changes)

    await retrying(act)


async def _of_public(context: Context, incident: str) -> Kept:
    if not (await status_page.page_of(context.store, incident)).page.updates:
        raise Missing("public incident")
    return await read(context.store, incident)
