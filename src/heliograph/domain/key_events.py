"""Events of the master key, on the stream of credentials. A key is named by a fingerprint of its own."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class KeyRotationBegan(Event):
    """From now on every release must hold this key."""

    kind: ClassVar[str] = "key_rotation_began"
    sentence: ClassVar[str] = "The master key is being exchanged."
    key: str


@dataclass(frozen=True, slots=True)
class KeyRotated(Event):
    """All that opens is sealed with this key; `broken` secrets opened with no key, and stay as they were."""

    kind: ClassVar[str] = "key_rotated"
    sentence: ClassVar[str] = "The master key was exchanged: {resealed} secrets were sealed anew."
    key: str
    resealed: int
    broken: int
