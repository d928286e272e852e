"""An incident: a period of unwellness, as the fold of its events."""

from enum import StrEnum
from typing import NamedTuple

from heliograph.domain import incident_events as ie
from heliograph.domain.event import Event
from heliograph.domain.reasons import Reason


class Phase(StrEnum):
    """How far it is, for the public and for agents."""

    INVESTIGATING = "investigating"
    #: The cause is known.
    IDENTIFIED = "identified"
    #: Everything works again and what waited goes out.
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    #: Its post-mortem is published.
    POSTMORTEM = "postmortem"


class Severity(StrEnum):
    """By the share of accounts that are hit; in the order of gravity."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Subject(NamedTuple):
    """What was unwell, once. The same thing unwell twice stands there twice. Times are microseconds."""

    #: "channel", "credential" or "release".
    kind: str
    #: "" for what belongs to the installation: a shared credential, a release.
    account: str
    #: Id of a channel, `credential@fingerprint`, or id of a release.
    id: str
    since: int
    #: 0 while it lasts.
    until: int
    #: When the reply was written that waited longest as it began; 0 where nothing waited.
    oldest_at: int = 0


class Incident(NamedTuple):
    """What everybody reads. Times are microseconds UTC, 0 for not yet."""

    id: str
    number: int
    #: "" is the installation's and may be public; else that account's own notice, never public.
    account: str
    phase: Phase
    severity: Severity
    #: A Reason.
    reason: str
    #: Name of the provider, "" where it concerns several or none.
    provider: str
    #: The release at fault, "" where none is.
    release: str
    #: Name of the setting at fault, "" unknown.
    variable: str
    onset_at: int
    detected_at: int
    declared_at: int
    #: First notice to an affected agent.
    noticed_at: int
    mitigated_at: int
    resolved_at: int
    acknowledged_at: int
    merged_into: str
    subjects: tuple[Subject, ...]
    version: int
    #: When it was told in public, or would be were it public: short drops never are.
    announced_at: int = 0
    #: Fields that an operator has put right: facts leave them alone from then on.
    corrected: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Nothing changes any more by itself."""
        return bool(self.merged_into) or self.phase in (Phase.RESOLVED, Phase.POSTMORTEM)

    @property
    def public(self) -> bool:
        """Whether the public page may tell it."""
        return not self.account and not self.merged_into and self.announced_at > 0


def blank(id: str) -> Incident:
    """Before its first event."""
    return Incident(id, 0, "", Phase.INVESTIGATING, Severity.MINOR, Reason.OTHER, "", "", "", 0, 0, 0, 0, 0, 0, 0, "", (), 0)


def fold(id: str, events: list[tuple[Event, int]]) -> Incident:
    """The incident that its events, each with when it was recorded, have made."""
    incident = blank(id)
    for event, at in events:
        incident = evolve(incident, event, at)
    return incident


def evolve(incident: Incident, event: Event, at: int) -> Incident:
    """What a recorded event makes of it. Total. `at` is when it was recorded."""
    row = incident._replace(version=incident.version + 1)
    match event:
        case ie.IncidentOpened(account, reason, onset_at, detected_at, number, provider):
            return row._replace(
                account=account,
                reason=str(reason),
                onset_at=onset_at,
                detected_at=detected_at,
                declared_at=at,
                number=number,
                provider=provider,
            )
        case ie.IncidentJoined(kind, account, subject, since, oldest_at):
            return row._replace(
                subjects=(*row.subjects, Subject(kind, account, subject, since, 0, oldest_at)),
                onset_at=row.onset_at if "onset_at" in row.corrected else min(row.onset_at or since, since),
            )
        case ie.SubjectRecovered(kind, account, subject, ended_at):
            return row._replace(subjects=tuple(_ended(s, kind, account, subject, ended_at) for s in row.subjects))
        case ie.CauseFound(reason, release, variable):
            return row._replace(
                reason=row.reason if "reason" in row.corrected else str(reason),
                release=row.release if "release" in row.corrected else release or row.release,
                variable=row.variable if "variable" in row.corrected else variable or row.variable,
            )
        case ie.SeverityChanged(severity):
            return row._replace(severity=Severity(severity))
        case ie.IncidentCorrected(name, _, new):
            return corrected(row, name, new)
        case _:
            return _moved(row, event, at)


def _moved(row: Incident, event: Event, at: int) -> Incident:
    match event:
        case ie.PhaseChanged(phase):
            return row._replace(phase=Phase(phase))
        case ie.IncidentMitigated(mitigated_at):
            at = row.mitigated_at if "mitigated_at" in row.corrected else mitigated_at
            return row._replace(mitigated_at=at, phase=Phase.MONITORING)
        case ie.IncidentRelapsed():
            return row._replace(mitigated_at=0, phase=Phase.IDENTIFIED)
        case ie.IncidentResolved():
            return row._replace(resolved_at=at, phase=Phase.RESOLVED, mitigated_at=row.mitigated_at or at)
        case _:
            return _marked(row, event, at)


def _marked(row: Incident, event: Event, at: int) -> Incident:
    match event:
        case ie.IncidentAnnounced():
            return row._replace(announced_at=row.announced_at or at)
        case ie.IncidentMerged(into):
            return row._replace(merged_into=into)
        case ie.IncidentAcknowledged():
            return row._replace(acknowledged_at=row.acknowledged_at or at)
        case ie.NoticeTold(agents):
            return row._replace(noticed_at=row.noticed_at or at) if agents else row
        case _:
            return row


def _ended(subject: Subject, kind: str, account: str, id: str, at: int) -> Subject:
    return subject._replace(until=at) if subject[:3] == (kind, account, id) and not subject.until else subject


#: What an operator may correct, and how its text is read.
CORRECTABLE = {
    "onset_at": int,
    "detected_at": int,
    "mitigated_at": int,
    "severity": Severity,
    "reason": Reason,
    "release": str,
    "variable": str,
}


def corrected(incident: Incident, name: str, new: str) -> Incident:
    """With one field put right. Raises ValueError for a value that it cannot have, KeyError for a field that is not corrected."""
    return incident._replace(**{name: CORRECTABLE[name](new)}, corrected=tuple(sorted({*incident.corrected, name})))
