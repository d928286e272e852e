"""Events of detection: which watcher raised its alarm, on what evidence, and which release the evidence speaks against."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class AlarmRaised(Event):
    """A detector's score reached its threshold. `subject`: "installation", or kind and id as in "channel:<id>".

    `account` is whose trouble it is, "" the installation's. `counted` and `failed`: first attempts in the run that raised it.
    `likelihood`: log10 of how much likelier they are if half of all fail than if as usual. `likelihood` and `threshold` are 0 where
    nothing was counted, as with a hold or a silence; `score` is then seconds, or how many subjects stopped together.
    """

    kind: ClassVar[str] = "alarm_raised"
    sentence: ClassVar[str] = "An alarm was raised by the detector “{detector}”: score {score}, threshold {threshold}."
    detector: str
    subject: str
    account: str
    release: str
    #: A member of domain.reasons.Reason, or "".
    reason: str
    score: float
    threshold: float
    counted: int
    failed: int
    likelihood: float
    onset_at: int


@dataclass(frozen=True, slots=True)
class AlarmCleared(Event):
    """What raised the alarm is over."""

    kind: ClassVar[str] = "alarm_cleared"
    sentence: ClassVar[str] = "The alarm of the detector “{detector}” ended after {seconds} seconds."
    detector: str
    subject: str
    account: str
    seconds: int


@dataclass(frozen=True, slots=True)
class AttributionDecided(Event):
    """Whether a release is at fault: its first attempts against another release's in the same minutes.

    `verdict`: "release" (roll it back), "upstream" (never roll back) or "undecided". `chance`: Fisher's exact probability of so uneven
    a split if the releases are alike. `likelihood`: log10 of how much likelier the release's own attempts are if half of all fail than
    if as usual.
    """

    kind: ClassVar[str] = "attribution_decided"
    sentence: ClassVar[str] = (
        "The release was compared with another one in the same minutes: {failed} failed and {succeeded} succeeded, "
        "of the other {other_failed} and {other_succeeded}. Verdict: {verdict}."
    )
    release: str
    other: str
    failed: int
    succeeded: int
    other_failed: int
    other_succeeded: int
    chance: float
    likelihood: float
    verdict: str
