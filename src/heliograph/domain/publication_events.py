"""Events of what the public was told about an incident: updates, comments, the post-mortem and its remedies."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class UpdateWritten(Event):
    """The public page has something new. `topic`: "phase", "note", "postmortem" or "remedy"; its words are in a document."""

    kind: ClassVar[str] = "update_written"
    sentence: ClassVar[str] = "The public page was updated ({topic})."
    update: str
    topic: str


@dataclass(frozen=True, slots=True)
class UpdateTranslated(Event):
    """What somebody typed was put into another language by somebody."""

    kind: ClassVar[str] = "update_translated"
    sentence: ClassVar[str] = "An update was translated ({locale})."
    update: str
    locale: str


@dataclass(frozen=True, slots=True)
class CommentsClosed(Event):
    """Nobody can comment on the public page of the incident any more. `why`: "operator" or "postmortem"."""

    kind: ClassVar[str] = "comments_closed"
    sentence: ClassVar[str] = "The public page was closed for comments."
    why: str


@dataclass(frozen=True, slots=True)
class TicketLogged(Event):
    """Somebody signed in asked us for help with the incident; the words are in a document."""

    kind: ClassVar[str] = "ticket_logged"
    sentence: ClassVar[str] = "Somebody asked for help with this incident."
    request: str


@dataclass(frozen=True, slots=True)
class PostmortemDrafted(Event):
    """The facts of the story were put together from the ledger, up to and including event `upto`."""

    kind: ClassVar[str] = "postmortem_drafted"
    sentence: ClassVar[str] = "The post-mortem was drafted from the ledger."
    upto: int


@dataclass(frozen=True, slots=True)
class PostmortemEdited(Event):
    """Somebody wrote a version of a section."""

    kind: ClassVar[str] = "postmortem_edited"
    sentence: ClassVar[str] = "A section of the post-mortem was written ({section}, version {number})."
    section: str
    locale: str
    number: int


@dataclass(frozen=True, slots=True)
class PostmortemPromised(Event):
    """The public was told by when it can read the post-mortem."""

    kind: ClassVar[str] = "postmortem_promised"
    sentence: ClassVar[str] = "The post-mortem was promised for a date."
    due_at: int


@dataclass(frozen=True, slots=True)
class PostmortemOverdue(Event):
    """The promised date has passed and nothing is published."""

    kind: ClassVar[str] = "postmortem_overdue"
    sentence: ClassVar[str] = "The promised post-mortem is overdue."
    due_at: int


@dataclass(frozen=True, slots=True)
class PostmortemPublished(Event):
    """Everybody can read it."""

    kind: ClassVar[str] = "postmortem_published"
    sentence: ClassVar[str] = "The post-mortem was published."


@dataclass(frozen=True, slots=True)
class RemedySet(Event):
    """A remediation item was written or moved on. `state`: "scheduled", "planned" or "completed"."""

    kind: ClassVar[str] = "remedy_set"
    sentence: ClassVar[str] = "A remedy is {state}."
    remedy: str
    state: str
    due_at: int
