"""Keeps what the public was told about each incident: updates as the ledger reaches phases, counts as they change, words of operators."""

from collections.abc import Iterable

import msgspec

from heliograph.domain import incident_events as ie, publication_events as pe
from heliograph.domain.events import Event
from heliograph.domain.incident import Incident, Phase
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Loose, Store
from heliograph.projections.facts import Facts
from heliograph.projections.postmortem import Postmortem, Remedy
from heliograph.projections.public.board import Board, Case, Remark, Topic, Update, facts_of as kept_facts, public_facts
from heliograph.projections.wording.languages import LANGUAGES, known
from heliograph.services.context import Context, Invalid, Missing, retrying
from heliograph.services.impact import facts_of
from heliograph.services.outlets import Outlets
from heliograph.services.watched import Memory, public_incidents

KIND = "announcement"
REMARK = "status_comment"
#: What moves the public page on; anything else is between the lines.
TELLING = frozenset({
    ie.IncidentAnnounced.kind, ie.PhaseChanged.kind, ie.IncidentMitigated.kind, ie.IncidentRelapsed.kind, ie.IncidentResolved.kind,
})  # fmt: skip
COUNT = 1 * SECOND
#: Longer texts are no update.
MOST = 4000


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The public page of one incident, as kept. `updates` oldest first; `upto` is the last event that was looked at."""

    incident: str
    facts: dict[str, str | int] = {}
    updates: list[Update] = []
    upto: int = 0
    comments_closed: bool = False
    #: By update: fingerprints of the chat and social targets that have it.
    announced: dict[str, list[str]] = {}
    #: By target that did not take something: how often in a row, and when to try again.
    waits: dict[str, tuple[int, int]] = {}


class Kept(msgspec.Struct, frozen=True):
    """A page with the version of its row; 0 where there is none yet."""

    page: Page
    version: int


async def page_of(store: Store, incident: str) -> Kept:
    """The page of an incident, blank where nothing was told yet."""
    row = await store.document("", KIND, incident)
    return Kept(msgspec.json.decode(row.data, type=Page), row.version) if row else Kept(Page(incident=incident), 0)


def put(changes: Changes, kept: Kept, page: Page) -> None:
    """Write a page as the successor of what was read."""
    changes.puts.append(rows.Document("", KIND, page.incident, kept.version + 1, changes.at, msgspec.json.encode(page).decode()))


async def reconcile(context: Context, memory: Memory) -> None:
    """Bring the public pages up to the ledger. Safe in several processes at once; safe to repeat."""
    for incident in await public_incidents(context, memory):
        try:
            await _follow(context, incident, memory)
        except Conflict:
            # Somebody else was quicker and has written the same.
            continue


async def _follow(context: Context, incident: Incident, memory: Memory) -> None:
    kept = await page_of(context.store, incident.id)
    page, now = kept.page, context.clock.now()
    events = await context.store.events("", stream="incident", stream_id=incident.id, after=page.upto, limit=1000)
    # To count what is affected is work: it is done at once where there is something to tell, and else once a second.
    if now - memory.counted.get(incident.id, 0) < COUNT and not any(event.kind in TELLING for event in events):
        return
    memory.counted[incident.id] = now
    facts = public_facts(await facts_of(context, incident))
    fresh = _updates(incident, page, events, facts)
    counts: dict[str, str | int] = dict(facts._asdict())
    if not fresh and counts == page.facts:
        return
    changes = Changes("", now)
    upto = max((event.seq for event in events), default=page.upto)
    put(changes, kept, msgspec.structs.replace(page, facts=counts, updates=[*page.updates, *fresh], upto=upto))
    changes.loose += [_on(incident.id, pe.UpdateWritten(update.id, update.topic)) for update in fresh]
    await context.store.commit(changes)


def _updates(incident: Incident, page: Page, events: Iterable[rows.EventRead], facts: Facts) -> list[Update]:
    """What is new to tell: one update for each phase that was reached, from the announcement on."""
    fresh: list[Update] = []
    begun = bool(page.updates)
    latest = next((update.phase for update in reversed(page.updates) if update.topic is not Topic.NOTE), "")
    reached: list[tuple[rows.EventRead, str]] = []
    phase = latest or Phase.INVESTIGATING.value
    for event in events:
        phase = _phase_after(event, phase)
        begun = begun or event.kind == ie.IncidentAnnounced.kind
        if begun and event.kind in TELLING and phase != (reached[-1][1] if reached else latest):
            reached.append((event, phase))
    for event, name in reached:
        if name == Phase.POSTMORTEM:
            # Its publication is told by an update of its own.
            continue
        counts: dict[str, str | int] = {**facts._asdict(), **_as_of(incident, event.recorded_at, name)}
        update = Update(
            id=f"{incident.id}-{event.seq}", incident=incident.id, topic=Topic.PHASE, phase=name, at=event.recorded_at, seq=event.seq,
            facts=counts,
        )  # fmt: skip
        fresh.append(update)
    return fresh


def _as_of(incident: Incident, at: int, phase: str) -> dict[str, str | int]:
    """What was known at an update's moment, where several are caught up with at once."""
    later: dict[str, str | int] = {"phase": phase}
    working = phase in (Phase.MONITORING, Phase.RESOLVED)
    later["mitigated_at"] = incident.mitigated_at if working else 0
    later["resolved_at"] = incident.resolved_at if phase == Phase.RESOLVED else 0
    later["noticed_at"] = incident.noticed_at if incident.noticed_at <= at else 0
    return later


def _phase_after(event: rows.EventRead, phase: str) -> str:
    match event.kind:
        case ie.PhaseChanged.kind:
            return str(msgspec.json.decode(event.data)["phase"])
        case ie.IncidentMitigated.kind:
            return Phase.MONITORING
        case ie.IncidentRelapsed.kind:
            return Phase.IDENTIFIED
        case ie.IncidentResolved.kind:
            return Phase.RESOLVED
        case _:
            return phase


def _on(incident: str, event: Event) -> Loose:
    return Loose("incident", incident, event, account="")


async def write_note(context: Context, incident: str, text: str, *, locale: str, actor: str) -> str:
    """An update in somebody's own words; other languages show it marked until it is translated. Returns its id. Raises Invalid, Missing."""
    language = _language(locale)
    words = _words(text)
    id = context.new_id("upd")

    async def act() -> str:
        kept = await _public(context, incident)
        page, at = kept.page, context.clock.now()
        latest = page.updates[-1]
        update = Update(
            id=id, incident=incident, topic=Topic.NOTE, phase=latest.phase, at=at, facts=page.facts, text=words, locale=language
        )
        await _add(context, kept, update, actor=actor)
        return id

    return await retrying(act)


async def add_update(context: Context, incident: str, update: Update, *, actor: str) -> None:
    """Tell something that another service has to tell, once: an update whose id is there already is not told again."""

    async def act() -> None:
        kept = await page_of(context.store, incident)
        if all(one.id != update.id for one in kept.page.updates):
            await _add(context, kept, update, actor=actor)

    await retrying(act)


async def _add(context: Context, kept: Kept, update: Update, *, actor: str) -> None:
    changes = Changes("", context.clock.now(), actor)
    put(changes, kept, msgspec.structs.replace(kept.page, updates=[*kept.page.updates, update]))
    changes.loose.append(_on(update.incident, pe.UpdateWritten(update.id, update.topic)))
    await context.store.commit(changes)


async def translate_note(context: Context, incident: str, update: str, text: str, *, locale: str, actor: str) -> None:
    """Put what somebody typed into another language. Raises Invalid, Missing."""
    language, words = _language(locale), _words(text)

    async def act() -> None:
        kept = await _public(context, incident)
        found = next((one for one in kept.page.updates if one.id == update and one.text), None)
        if found is None:
            raise Missing("update")
        new = msgspec.structs.replace(found, translations={**found.translations, language: words})
        changes = Changes("", context.clock.now(), actor)
        put(changes, kept, msgspec.structs.replace(kept.page, updates=[new if one is found else one for one in kept.page.updates]))
        changes.loose.append(_on(incident, pe.UpdateTranslated(update, language)))
        await context.store.commit(changes)

    await retrying(act)


async def close_comments(context: Context, incident: str, *, why: str, actor: str) -> None:
    """Nobody can comment any more; doing it again changes nothing. `why`: "operator" or "postmortem"."""

    async def act() -> None:
        kept = await page_of(context.store, incident)
        if kept.page.comments_closed:
            return
        changes = Changes("", context.clock.now(), actor)
        put(changes, kept, msgspec.structs.replace(kept.page, comments_closed=True))
        changes.loose.append(_on(incident, pe.CommentsClosed(why)))
        await context.store.commit(changes)

    await retrying(act)


async def _public(context: Context, incident: str) -> Kept:
    kept = await page_of(context.store, incident)
    if not kept.page.updates:
        raise Missing("public incident")
    return kept


def _language(locale: str) -> str:
    language = known(locale)
    if language is None:
        raise Invalid(f"There is no such language here. There are: {', '.join(each.tag for each in LANGUAGES)}.")
    return language.tag


def _words(text: str) -> str:
    words = text.strip()
    if not words or len(words) > MOST:
        raise Invalid(f"Write something, up to {MOST} characters.")
    return words


async def load_board(context: Context, outlets: Outlets, incidents: Iterable[Incident], *, hidden: bool = False) -> Board:
    """The public status page as it is now. With `hidden`, hidden remarks too: for operators."""
    store = context.store
    used = {channel.provider for channel in await store.all_channels() if channel.enabled}
    shown = {provider: title for provider, title in outlets.titles.items() if provider in used} or dict(outlets.titles)
    pages = {row.id: msgspec.json.decode(row.data, type=Page) for row in await store.documents("", KIND)}
    remarks = [msgspec.json.decode(row.data, type=Remark) for row in await store.documents("", REMARK)]
    stories = {row.id: msgspec.json.decode(row.data, type=Postmortem) for row in await store.documents("", "postmortem")}
    remedies = [msgspec.json.decode(row.data, type=Remedy) for row in await store.documents("", "remedy")]
    cases = []
    for incident in incidents:
        page = pages.get(incident.id)
        if not incident.public or page is None or not page.updates:
            continue
        story = stories.get(incident.id)
        told = story is not None and bool(story.published_at)
        said = [remark for remark in remarks if remark.incident == incident.id and (hidden or not remark.hidden)]
        cases.append(
            Case(
                incident=incident,
                facts=kept_facts(page.facts),
                updates=tuple(sorted(page.updates, key=lambda update: (update.at, update.seq), reverse=True)),
                remarks=tuple(sorted(said, key=lambda remark: (remark.at, remark.id))),
                comments_closed=page.comments_closed,
                providers=(incident.provider,) if incident.provider in shown else tuple(shown),
                postmortem=story if told else None,
                promised_at=story.promised_at if story is not None and not told else 0,
                remedies=tuple(remedy for remedy in remedies if remedy.incident == incident.id) if told else (),
            )
        )
    cases.sort(key=lambda case: case.incident.number, reverse=True)
    since = (await store.installation()).created_at
    return Board(context.clock.now(), outlets.name, outlets.url, since, shown, tuple(cases), outlets.mails)
