"""Events of a release: how it proved itself, what it was given, and why it was stopped."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class ReleaseRegistered(Event):
    """A process started with this code and this configuration for the first time."""

    kind: ClassVar[str] = "release_registered"
    sentence: ClassVar[str] = "A release was started for the first time."
    code: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ReleaseAdmitted(Event):
    """It may send from now on. `basis` is a member of domain.gate.Basis."""

    kind: ClassVar[str] = "release_admitted"
    sentence: ClassVar[str] = "The release was admitted; it may send."
    basis: str
    subject: str


@dataclass(frozen=True, slots=True)
class ReleaseForced(Event):
    """A person let it send although it was not proved, on `share` of 100 lanes. `note` is the document with the reason they gave."""

    kind: ClassVar[str] = "release_forced"
    sentence: ClassVar[str] = "Somebody let the release send although it had not proved itself."
    note: str
    share: int = 100


@dataclass(frozen=True, slots=True)
class ReleaseRefused(Event):
    """It certainly must not send. `variable` is the name of the setting that differs from the running release's, "" where unknown."""

    kind: ClassVar[str] = "release_refused"
    sentence: ClassVar[str] = "The release was refused; it has sent nothing."
    basis: str
    subject: str
    reason: str
    variable: str


@dataclass(frozen=True, slots=True)
class ReleaseUndecided(Event):
    """Nobody can tell yet whether the fault is the release's; it is asked again."""

    kind: ClassVar[str] = "release_undecided"
    sentence: ClassVar[str] = "It cannot be told yet whether the release is in order; it sends nothing."
    basis: str
    subject: str
    reason: str
    variable: str


@dataclass(frozen=True, slots=True)
class ShareGiven(Event):
    """It sends on the lanes of buckets `low` to below `high`, of 100."""

    kind: ClassVar[str] = "share_given"
    sentence: ClassVar[str] = "The release may send on a share of the conversations."
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ReleaseFenced(Event):
    """It failed where another one succeeds: it starts nothing more. Counts are of first attempts in the same time."""

    kind: ClassVar[str] = "release_fenced"
    sentence: ClassVar[str] = "The release was stopped; another one sends in its place."
    basis: str
    subject: str
    reason: str
    variable: str
    failed: int = 0
    succeeded: int = 0
    other_failed: int = 0
    other_succeeded: int = 0
    likelihood: float = 0.0


@dataclass(frozen=True, slots=True)
class ReleaseRetired(Event):
    """Another one took over; `successor` is its id."""

    kind: ClassVar[str] = "release_retired"
    sentence: ClassVar[str] = "Another release took over."
    successor: str
