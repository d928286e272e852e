"""The story of an incident afterwards: facts that are locked and cite the ledger, beside prose that people write and that is versioned."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from heliograph.domain import incident_events as ie, publication_events as pe
from heliograph.domain.events import EVENTS
from heliograph.domain.incident import Incident
from heliograph.ports.rows import EventRead
from heliograph.projections.facts import Facts


class RemedyState(StrEnum):
    """How far a remedy is."""

    PLANNED = "planned"
    #: It has an owner and a date.
    SCHEDULED = "scheduled"
    COMPLETED = "completed"


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """What is done so that it does not happen again. `title` is typed, in `locale`; `due_at` is 0 for no date yet."""

    id: str
    incident: str
    title: str
    locale: str = "en"
    translations: dict[str, str] = {}
    owner: str = ""
    due_at: int = 0
    state: RemedyState = RemedyState.PLANNED
    completed_at: int = 0

    def words(self, locale: str) -> tuple[str, bool]:
        """The title, and whether it is in that language."""
        if locale == self.locale:
            return self.title, True
        found = self.translations.get(locale, "")
        return (found, True) if found else (self.title, False)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A section as somebody left it."""

    text: str
    author: str
    at: int


class Moment(msgspec.Struct, frozen=True):
    """When something was reached. `seq`: the event that says so; 0 where the time is older than its event. `at` 0: not yet."""

    name: str
    at: int
    seq: int = 0


class Line(msgspec.Struct, frozen=True):
    """An event of the ledger on the timeline: its kind, and the values that its sentence is filled from."""

    at: int
    seq: int
    kind: str
    values: dict[str, str | int | float]


class Setting(msgspec.Struct, frozen=True):
    """A setting that differs between two releases, by keyed fingerprints; "" where one of them has none."""

    name: str
    before: str
    after: str


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """The release at fault beside the one before it. Versions of code are as they were given; values of settings never appear."""

    release: str
    code: str
    previous: str
    previous_code: str
    settings: list[Setting]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The locked facts. Regenerated whenever the ledger grows; `first` and `last` are the events that they rest on."""

    facts: dict[str, str | int]
    moments: list[Moment]
    lines: list[Line]
    #: Attempts on affected replies, while it lasted, that did not get through.
    attempts: int
    first: int
    last: int
    diff: Diff | None = None
    #: How many channels, credentials and releases were its subjects.
    subjects: dict[str, int] = {}


#: What people write. The first is shown on top; "cause" must be written before publishing.
SECTIONS = ("summary", "cause", "resolution", "well", "badly", "luck", "lessons")
NEEDED = ("summary", "cause")


class Postmortem(msgspec.Struct, frozen=True, kw_only=True):
    """As kept. `sections`: versions, oldest first, by section and language. Times are microseconds, 0 for not."""

    incident: str
    draft: Draft | None = None
    sections: dict[str, dict[str, list[Version]]] = {}
    promised_at: int = 0
    overdue_told: bool = False
    published_at: int = 0
    published_by: str = ""

    def written(self, section: str, locale: str) -> Version | None:
        """The latest version in that language."""
        versions = self.sections.get(section, {}).get(locale, [])
        return versions[-1] if versions and versions[-1].text else None

    def prose(self, section: str, locale: str) -> tuple[Version | None, str]:
        """The latest version to show to a reader of that language, and the language that it is in: English or any, if need be."""
        for candidate in (locale, "en", *self.sections.get(section, {})):
            found = self.written(section, candidate)
            if found is not None:
                return found, candidate
        return None, locale

    @property
    def missing(self) -> list[str]:
        """Needed sections that nobody has written."""
        return [section for section in NEEDED if self.prose(section, "en")[0] is None]

    def overdue(self, now: int) -> bool:
        """Whether it was promised for a time that has passed."""
        return bool(self.promised_at) and not self.published_at and now > self.promised_at


class Interval(NamedTuple):
    """A figure with what it means: from `since` to `until`, names of moments. `micros` is None while it is not over."""

    name: str
    since: str
    until: str
    micros: int | None


#: Each interval is printed with its definition beside it; all count from the onset.
INTERVALS = (("ttd", "onset", "detected"), ("ttn", "onset", "noticed"), ("ttm", "onset", "mitigated"), ("ttr", "onset", "resolved"))


def intervals(draft: Draft) -> list[Interval]:
    """Time to detect, to notify, to mitigate, to resolve."""
    at = {moment.name: moment.at for moment in draft.moments}
    return [
        Interval(name, since, until, max(0, at[until] - at[since]) if at.get(since) and at.get(until) else None)
        for name, since, until in INTERVALS
    ]


#: Which event says which moment; onset and detection are told by the event that opened it.
_SAYS = {
    "onset": (ie.IncidentOpened.kind,),
    "detected": (ie.IncidentOpened.kind,),
    "declared": (ie.IncidentOpened.kind,),
    "noticed": (ie.NoticeTold.kind,),
    "announced": (ie.IncidentAnnounced.kind,),
    "mitigated": (ie.IncidentMitigated.kind, ie.IncidentResolved.kind),
    "resolved": (ie.IncidentResolved.kind,),
}
#: What the public does not read: ids of accounts' channels, and what operators do among themselves.
_INTERNAL = frozenset({
    ie.IncidentJoined.kind, ie.SubjectRecovered.kind, ie.IncidentAcknowledged.kind, ie.IncidentAnnotated.kind,
    ie.IncidentCorrected.kind, ie.IncidentMerged.kind,
})  # fmt: skip
#: What is written after the story, about the story.
_AFTERWARDS = frozenset(kind for kind, cls in EVENTS.items() if cls.__module__ == pe.__name__)


class Attempts(NamedTuple):
    """Attempts on affected replies that did not get through while it lasted, and the events that say so (0 and 0: none)."""

    number: int
    first: int
    last: int


def draft(incident: Incident, facts: Facts, events: Sequence[EventRead], *, attempts: Attempts, diff: Diff | None = None) -> Draft:
    """The facts as the ledger has them now. `events`: the incident's own, and what happened to its release and shared credentials."""
    own = [event for event in events if event.stream == "incident"]
    moments = [Moment(name, _at(incident, name), _said(own, kinds, first=name != "resolved")) for name, kinds in _SAYS.items()]
    shown = sorted((e for e in events if e.kind not in _INTERNAL and e.kind not in _AFTERWARDS and e.kind in EVENTS), key=lambda e: e.seq)
    seqs = [*(event.seq for event in events if event.kind not in _AFTERWARDS), *(seq for seq in attempts[1:] if seq)]
    kinds = Counter(kind for kind, _, _ in {(s.kind, s.account, s.id) for s in incident.subjects})
    return Draft(
        facts=dict(facts._asdict()),
        moments=moments,
        lines=[Line(event.recorded_at, event.seq, event.kind, _values(event)) for event in shown],
        attempts=attempts.number,
        first=min(seqs, default=0),
        last=max(seqs, default=0),
        diff=diff,
        subjects=dict(sorted(kinds.items())),
    )


def _at(incident: Incident, name: str) -> int:
    return int(getattr(incident, f"{name}_at"))


def _said(events: Sequence[EventRead], kinds: Sequence[str], *, first: bool) -> int:
    found = [event.seq for event in events if event.kind in kinds]
    return (found[0] if first else found[-1]) if found else 0


def _values(event: EventRead) -> dict[str, str | int | float]:
    data: dict[str, object] = msgspec.json.decode(event.data)
    return {name: value for name, value in data.items() if isinstance(value, str | int | float) and not isinstance(value, bool)}


def settings_diff(before: Mapping[str, str], after: Mapping[str, str]) -> list[Setting]:
    """Which settings differ, by their fingerprints."""
    names = sorted(set(before) | set(after))
    return [Setting(name, before.get(name, ""), after.get(name, "")) for name in names if before.get(name) != after.get(name)]
