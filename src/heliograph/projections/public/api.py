"""The status page as JSON in the shape that existing status clients read, with a few keys of ours beside it.

Only the values that those clients know occur: indicators none, minor, major, critical; component states operational,
degraded_performance, partial_outage, major_outage; incident states investigating, identified, monitoring, resolved, postmortem.
"""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from heliograph.domain.incident import Phase, Severity
from heliograph.domain.retry import SECOND
from heliograph.projections.public import letters
from heliograph.projections.public.board import Board, Case, Topic, Update
from heliograph.projections.public.uptime import exact_percent, uptimes
from heliograph.projections.wording import public
from heliograph.projections.wording.languages import EN, LANGUAGES

Indicator = Literal["none", "minor", "major", "critical"]
State = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]
#: What the world's status pages call it.
DESCRIPTIONS: dict[Indicator, str] = {
    "none": "All Systems Operational",
    "minor": "Partially Degraded Service",
    "major": "Partial System Outage",
    "critical": "Major Service Outage",
}
STATES: dict[Severity | None, State] = {
    None: "operational",
    Severity.MINOR: "degraded_performance",
    Severity.MAJOR: "partial_outage",
    Severity.CRITICAL: "major_outage",
}
#: The list of incidents ends after so many.
LIST = 50


class PageShape(msgspec.Struct):
    """Which page this is."""

    id: str
    name: str
    url: str
    time_zone: str
    updated_at: str


class StatusShape(msgspec.Struct):
    """How it is, in a word."""

    indicator: Indicator
    description: str


class ComponentShape(msgspec.Struct, kw_only=True):
    """A provider. `uptime_90d` is ours: the percentage as text, null where nothing is known yet."""

    id: str
    name: str
    status: State
    created_at: str
    updated_at: str
    position: int
    description: str | None
    showcase: bool
    start_date: str | None
    group_id: str | None
    page_id: str
    group: bool
    only_show_if_degraded: bool
    uptime_90d: str | None


class AffectedShape(msgspec.Struct):
    """What an update did to a component."""

    code: str
    name: str
    old_status: State
    new_status: State


class BodyShape(msgspec.Struct):
    """An update in another language. `untranslated`: nobody has put what was typed into it yet."""

    body: str
    untranslated: bool


class UpdateShape(msgspec.Struct, kw_only=True):
    """An update. `translations` is ours."""

    id: str
    status: str
    body: str
    incident_id: str
    created_at: str
    updated_at: str
    display_at: str
    affected_components: list[AffectedShape] | None
    deliver_notifications: bool
    custom_tweet: str | None
    tweet_id: str | None
    translations: dict[str, BodyShape]


class NameShape(msgspec.Struct):
    """An incident in another language."""

    name: str
    body: str


class ResendShape(msgspec.Struct):
    """What became of the affected replies, ours."""

    waiting: int
    sent_late: int
    asked: int
    failed: int
    dropped: int
    lost: int


class IncidentShape(msgspec.Struct, kw_only=True):
    """An incident. `translations`, `affected_count` (replies), `resend` and `postmortem_url` are ours."""

    id: str
    name: str
    status: str
    created_at: str
    updated_at: str
    monitoring_at: str | None
    resolved_at: str | None
    impact: Indicator
    shortlink: str
    started_at: str
    page_id: str
    incident_updates: list[UpdateShape]
    components: list[ComponentShape]
    translations: dict[str, NameShape]
    affected_count: int
    resend: ResendShape
    postmortem_url: str | None
    postmortem_published_at: str | None


class Status(msgspec.Struct):
    """status.json."""

    page: PageShape
    status: StatusShape


class Components(msgspec.Struct):
    """components.json."""

    page: PageShape
    components: list[ComponentShape]


class Incidents(msgspec.Struct):
    """incidents.json and incidents/unresolved.json."""

    page: PageShape
    incidents: list[IncidentShape]


class Maintenances(msgspec.Struct):
    """scheduled-maintenances and its parts: always empty, since a release goes out without one."""

    page: PageShape
    scheduled_maintenances: list[IncidentShape]


class Summary(msgspec.Struct):
    """summary.json."""

    page: PageShape
    status: StatusShape
    components: list[ComponentShape]
    incidents: list[IncidentShape]
    scheduled_maintenances: list[IncidentShape]


PAGE_ID = "heliograph"
FILES = (
    "summary.json", "status.json", "components.json", "incidents.json", "incidents/unresolved.json",
    "scheduled-maintenances.json", "scheduled-maintenances/active.json", "scheduled-maintenances/upcoming.json",
)  # fmt: skip


def answer(board: Board, file: str) -> msgspec.Struct | None:
    """One of FILES, or None for a name that is none."""
    page = PageShape(PAGE_ID, board.name, f"{board.url}/status", "Etc/UTC", iso(board.changed_at))
    status = _status(board)
    match file:
        case "summary.json":
            return Summary(page, status, components(board), [_incident(board, case) for case in board.current], [])
        case "status.json":
            return Status(page, status)
        case "components.json":
            return Components(page, components(board))
        case "incidents.json":
            return Incidents(page, [_incident(board, case) for case in board.cases[:LIST]])
        case "incidents/unresolved.json":
            return Incidents(page, [_incident(board, case) for case in board.current])
        case "scheduled-maintenances.json" | "scheduled-maintenances/active.json" | "scheduled-maintenances/upcoming.json":
            return Maintenances(page, [])
        case _:
            return None


def iso(at: int) -> str:
    """As these clients read times."""
    return f"{datetime.fromtimestamp(at / SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{at % SECOND // 1000:03d}Z"


def _status(board: Board) -> StatusShape:
    found = board.gravity()
    indicator: Indicator = "none" if found is None else found.value
    return StatusShape(indicator, DESCRIPTIONS[indicator])


def components(board: Board, only: tuple[str, ...] | None = None) -> list[ComponentShape]:
    """The providers, all or some."""
    shares = {uptime.provider: uptime.share for uptime in uptimes(board)}
    made = []
    for position, (name, title) in enumerate(board.providers.items(), 1):
        if only is not None and name not in only:
            continue
        changed = max((case.changed_at for case in board.cases if name in case.providers), default=board.since)
        share = shares[name]
        made.append(
            ComponentShape(
                id=name, name=title, status=STATES[board.gravity(name)], created_at=iso(board.since), updated_at=iso(changed),
                position=position, description=None, showcase=True, start_date=iso(board.since)[:10], group_id=None, page_id=PAGE_ID,
                group=False, only_show_if_degraded=False, uptime_90d=None if share is None else exact_percent(share),
            )
        )  # fmt: skip
    return made


def _incident(board: Board, case: Case) -> IncidentShape:
    incident, facts = case.incident, case.facts
    updates = [_update(board, case, number) for number in range(len(case.updates))]
    link = f"{board.url}/status/incidents/{incident.id}"
    others = [language for language in LANGUAGES if language is not EN]
    story = case.postmortem
    return IncidentShape(
        id=incident.id, name=public.title(facts, EN.tag).heading, status=incident.phase.value,
        created_at=iso(incident.declared_at), updated_at=iso(case.changed_at),
        monitoring_at=iso(incident.mitigated_at) if incident.mitigated_at else None,
        resolved_at=iso(incident.resolved_at) if not case.open and incident.resolved_at else None,
        impact=incident.severity.value, shortlink=link, started_at=iso(incident.onset_at), page_id=PAGE_ID,
        incident_updates=updates, components=components(board, case.providers),
        translations={
            language.tag: NameShape(public.title(facts, language.tag).heading, body_of(case.updates[0], language.tag))
            for language in others
        },
        affected_count=facts.replies,
        resend=ResendShape(facts.waiting, facts.sent_late, facts.asked, facts.failed, facts.dropped, facts.lost),
        postmortem_url=f"{link}/postmortem" if story else None,
        postmortem_published_at=iso(story.published_at) if story else None,
    )  # fmt: skip


def _update(board: Board, case: Case, number: int) -> UpdateShape:
    update = case.updates[number]
    at = iso(update.at)
    translations = {}
    for language in LANGUAGES:
        if language.tag != EN.tag:
            _, translated = update.words(language.tag)
            translations[language.tag] = BodyShape(body_of(update, language.tag), bool(update.text) and not translated)
    return UpdateShape(
        id=update.id, status=update.phase, body=body_of(update, EN.tag), incident_id=update.incident, created_at=at, updated_at=at,
        display_at=at, affected_components=_affected(board, case, number), deliver_notifications=True, custom_tweet=None, tweet_id=None,
        translations=translations,
    )  # fmt: skip


def body_of(update: Update, language: str) -> str:
    """An update's words as plain text."""
    return "\n\n".join(letters.paragraphs(update, language))


def _affected(board: Board, case: Case, number: int) -> list[AffectedShape] | None:
    """What the update did to the components: null for what changes no phase."""
    update = case.updates[number]
    if update.topic is not Topic.PHASE:
        return None
    earlier = next((one for one in case.updates[number + 1 :] if one.topic is Topic.PHASE), None)
    before, after = _state_at(case, earlier), _state_at(case, update)
    return [AffectedShape(name, board.providers[name], before, after) for name in case.providers if name in board.providers]


def _state_at(case: Case, update: Update | None) -> State:
    if update is None or update.phase not in (Phase.INVESTIGATING, Phase.IDENTIFIED):
        return "operational"
    severity = str(update.facts.get("severity", case.incident.severity.value))
    return STATES[Severity(severity)]
