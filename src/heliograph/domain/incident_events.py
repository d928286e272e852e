"""Events of an incident: when trouble began, was noticed, told and ended, and what people did about it."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event
from heliograph.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class IncidentOpened(Event):
    """Facts say that something is wrong. `account` is "" where it is the installation's, else whose notice it is."""

    kind: ClassVar[str] = "incident_opened"
    sentence: ClassVar[str] = "An incident was opened."
    account: str
    reason: Reason
    onset_at: int
    detected_at: int
