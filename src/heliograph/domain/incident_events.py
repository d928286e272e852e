"""Events of an incident: when trouble began, was noticed, told and ended, and what people did about it."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event
from heliograph.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class IncidentOpened(Event):
    """Facts say that something is wrong. `account` is "" where it is the installation's, else whose notice it is."""

    kind: ClassVar[str] = "incident_opened"
    sentence: ClassVar[str] = "Incident {number} was opened."
    account: str
    reason: Reason
    onset_at: int
    detected_at: int
    number: int = 0
    provider: str = ""


@dataclass(frozen=True, slots=True)
class IncidentJoined(Event):
    """Something belongs to it. `subject_kind`: "channel", "credential" or "release". `oldest_at`: what waited longest then, 0 nothing."""

    kind: ClassVar[str] = "incident_joined"
    sentence: ClassVar[str] = "It includes the {subject_kind} {subject}."
    subject_kind: str
    subject_account: str
    subject: str
    since: int
    oldest_at: int = 0


@dataclass(frozen=True, slots=True)
class SubjectRecovered(Event):
    """Something that belongs to it works again since `ended_at`."""

    kind: ClassVar[str] = "subject_recovered"
    sentence: ClassVar[str] = "The {subject_kind} {subject} works again."
    subject_kind: str
    subject_account: str
    subject: str
    ended_at: int


@dataclass(frozen=True, slots=True)
class CauseFound(Event):
    """Why it happens. `release` and `variable`: the release at fault and its setting, "" where it is not a release."""

    kind: ClassVar[str] = "cause_found"
    sentence: ClassVar[str] = "The cause is known: {reason}."
    reason: Reason
    release: str = ""
    variable: str = ""


@dataclass(frozen=True, slots=True)
class PhaseChanged(Event):
    """`phase` is one of domain.incident.Phase; `by`: "facts" or "operator"."""

    kind: ClassVar[str] = "phase_changed"
    sentence: ClassVar[str] = "It is {phase} now."
    phase: str
    by: str = "facts"


@dataclass(frozen=True, slots=True)
class SeverityChanged(Event):
    """More accounts are hit than before. It never falls by itself."""

    kind: ClassVar[str] = "severity_changed"
    sentence: ClassVar[str] = "Its severity is {severity} now."
    severity: str


@dataclass(frozen=True, slots=True)
class IncidentAnnounced(Event):
    """It has lasted long enough to be told in public."""

    kind: ClassVar[str] = "incident_announced"
    sentence: ClassVar[str] = "It was announced."


@dataclass(frozen=True, slots=True)
class IncidentMerged(Event):
    """It turned out to be a part of another incident, `into`, which has its subjects now."""

    kind: ClassVar[str] = "incident_merged"
    sentence: ClassVar[str] = "It was found to be part of another incident."
    into: str


@dataclass(frozen=True, slots=True)
class IncidentAcknowledged(Event):
    """An operator has it in hand."""

    kind: ClassVar[str] = "incident_acknowledged"
    sentence: ClassVar[str] = "An operator took it in hand."


@dataclass(frozen=True, slots=True)
class IncidentAnnotated(Event):
    """An operator wrote something down; the text is in the document `note`."""

    kind: ClassVar[str] = "incident_annotated"
    sentence: ClassVar[str] = "An operator added a note."
    note: str


@dataclass(frozen=True, slots=True)
class IncidentCorrected(Event):
    """An operator put right what facts or people had said before. `name` is a field of domain.incident.Incident."""

    kind: ClassVar[str] = "incident_corrected"
    sentence: ClassVar[str] = "An operator corrected {name}: {old} became {new}."
    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NoticeTold(Event):
    """Affected people were told, in the product. Counts of this round."""

    kind: ClassVar[str] = "notice_told"
    sentence: ClassVar[str] = "{agents} affected agents were told."
    agents: int
    accounts: int


@dataclass(frozen=True, slots=True)
class IncidentMitigated(Event):
    """Everything that belongs to it works again since `mitigated_at`; what waited goes out."""

    kind: ClassVar[str] = "incident_mitigated"
    sentence: ClassVar[str] = "Sending works again; what waited goes out."
    mitigated_at: int


@dataclass(frozen=True, slots=True)
class IncidentRelapsed(Event):
    """It was over and is there again."""

    kind: ClassVar[str] = "incident_relapsed"
    sentence: ClassVar[str] = "The trouble is back."


@dataclass(frozen=True, slots=True)
class IncidentResolved(Event):
    """Every affected reply has gone out or asks a person, and it has been quiet. `by`: "facts" or "operator"."""

    kind: ClassVar[str] = "incident_resolved"
    sentence: ClassVar[str] = "It is over."
    by: str = "facts"
