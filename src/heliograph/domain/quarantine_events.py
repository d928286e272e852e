"""Events of webhook calls that could not be verified and were kept: counts only, on the stream of their channel."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class CallsQuarantined(Event):
    """Calls did not carry the secret that this release knows, and the fault may be ours: they are kept from here on."""

    kind: ClassVar[str] = "calls_quarantined"
    sentence: ClassVar[str] = "Webhook calls could not be verified; they are kept until the right secret is known."


@dataclass(frozen=True, slots=True)
class CallsReleased(Event):
    """Kept calls were verified after all: `calls` of them, with `items` that nobody had taken in yet."""

    kind: ClassVar[str] = "calls_released"
    sentence: ClassVar[str] = "{calls} kept webhook calls were verified and taken in, {items} of their items for the first time."
    calls: int
    items: int


@dataclass(frozen=True, slots=True)
class CallsDropped(Event):
    """Kept calls were never verified in their time: forged, or made with a secret that nobody here knows."""

    kind: ClassVar[str] = "calls_dropped"
    sentence: ClassVar[str] = "{calls} kept webhook calls were never verified and are gone."
    calls: int
