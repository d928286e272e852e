"""What every event is: an immutable fact of ids, codes and numbers, never text, names or handles."""

from typing import ClassVar


class Event:
    """Base of all kinds. A kind is never renamed or reused; payloads only ever gain fields."""

    __slots__ = ()
    kind: ClassVar[str]
    #: Raised when the payload's meaning changes; older versions are then upcast on reading.
    version: ClassVar[int] = 1
    #: What the Events tab says; translated by this string, filled from the fields.
    sentence: ClassVar[str]
