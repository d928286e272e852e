"""Events of the store itself, on the installation's stream."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class StoreMoved(Event):
    """The store is not as it was left: restored, failed over or copied. `why`: "older", "elsewhere" or "stranger".

    `doubted`: replies that waited, and may have been sent where the store went on before.
    """

    kind: ClassVar[str] = "store_moved"
    sentence: ClassVar[str] = "The store was restored or moved ({why}): {doubted} replies may have been sent before that."
    why: str
    doubted: int
