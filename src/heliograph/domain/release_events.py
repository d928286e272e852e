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
