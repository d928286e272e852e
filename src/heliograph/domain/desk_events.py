"""Events of a desk that a channel is mirrored to: on the stream of the channel, or of the ticket that they are about."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class DeskLinked(Event):
    """An admin connected the channel with a desk, or connected it anew. `desk` is the desk's name."""

    kind: ClassVar[str] = "desk_linked"
    sentence: ClassVar[str] = "The channel was connected with the desk “{desk}”."
    desk: str


@dataclass(frozen=True, slots=True)
class DeskStopped(Event):
    """The desk does not let us in: what is new waits here until a person connects it anew."""

    kind: ClassVar[str] = "desk_stopped"
    sentence: ClassVar[str] = "The desk does not accept our token; what is new there waits here."
    code: str


@dataclass(frozen=True, slots=True)
class DeskResumed(Event):
    """It does again."""

    kind: ClassVar[str] = "desk_resumed"
    sentence: ClassVar[str] = "The desk accepts our token again."


@dataclass(frozen=True, slots=True)
class DeskEnded(Event):
    """The connection was switched off or removed in the desk. `by` is the desk's own word."""

    kind: ClassVar[str] = "desk_ended"
    sentence: ClassVar[str] = "The connection was switched off in the desk."
    by: str


@dataclass(frozen=True, slots=True)
class DeskRefused(Event):
    """The desk would not take a comment in, however often it was asked; `code` is its own word. Everything later goes on."""

    kind: ClassVar[str] = "desk_refused"
    sentence: ClassVar[str] = "The desk did not take a comment in ({code}); it can be read here."
    comment: str
    code: str


@dataclass(frozen=True, slots=True)
class DeskReplyAsked(Event):
    """A reply was written in the desk, and is saved here; its files are being fetched."""

    kind: ClassVar[str] = "desk_reply_asked"
    sentence: ClassVar[str] = "A reply was written in the desk; its files are being fetched."
    comment: str


@dataclass(frozen=True, slots=True)
class DeskReplyDropped(Event):
    """A reply from the desk cannot be sent: its file is not there, or the channel cannot carry it. It is kept as an internal note."""

    kind: ClassVar[str] = "desk_reply_dropped"
    sentence: ClassVar[str] = "A reply that was written in the desk could not be sent ({code}); it was kept as an internal note."
    comment: str
    code: str


@dataclass(frozen=True, slots=True)
class DeskTold(Event):
    """The desk was told on its own comment that the reply did not get through, or that a person must decide."""

    kind: ClassVar[str] = "desk_told"
    sentence: ClassVar[str] = "The desk was told what became of the reply."
    comment: str
    why: str


@dataclass(frozen=True, slots=True)
class DeskUntold(Event):
    """The desk would not be told."""

    kind: ClassVar[str] = "desk_untold"
    sentence: ClassVar[str] = "The desk could not be told what became of the reply ({code})."
    comment: str
    code: str


@dataclass(frozen=True, slots=True)
class DeskNoted(Event):
    """A note was left on the ticket in the desk: that replies wait (`over` False), or that they have gone out."""

    kind: ClassVar[str] = "desk_noted"
    sentence: ClassVar[str] = "A note on waiting replies was left in the desk."
    over: bool
