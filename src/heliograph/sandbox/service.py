"""What every simulated service offers the sandbox: an API under faults, and the contact's side of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from heliograph.sandbox.errands import Errands
from heliograph.sandbox.faults import Faults
from heliograph.sandbox.ids import Ids
from heliograph.sandbox.journal import Journal
from heliograph.sandbox.outbox import Outbox
from heliograph.sandbox.tally import Tally
from heliograph.sandbox.wire import Json, Now, Outcome, Request, Response, Upload

#: Something that the contact of a conversation does: (conversation, what the control API was sent, the request with its files).
#: Raises LookupError, ValueError.
Act = Callable[[str, Json, Request], Any]

#: A phone shows the end of a long conversation only.
LATEST = 200


@dataclass(slots=True)
class Settings:
    """What a test may want otherwise. Times in seconds."""

    message_limit: int = 30_000
    body_limit: int = 100_000
    #: Events in one webhook call, at most.
    batch: int = 1
    #: From acceptance to the events that the channel, and the contact's device, have it; None: they never confirm.
    channel_after: float | None = 0.05
    user_after: float | None = 0.4


@dataclass(frozen=True, slots=True)
class Hub:
    """What all services of one sandbox share."""

    now: Now
    ids: Ids
    faults: Faults
    journal: Journal
    outbox: Outbox
    errands: Errands
    tally: Tally
    settings: Settings
    changed: Callable[[], None] = field(repr=False)


class Service(Protocol):
    """One simulated service."""

    @property
    def name(self) -> str:
        """In addresses, faults and counts."""
        ...

    @property
    def title(self) -> str:
        """As a person calls it, on the tabs of the phone."""
        ...

    def owns(self, path: str) -> bool:
        """Whether a request with this path is for this service."""
        ...

    def handle(self, request: Request) -> Outcome:
        """Decide about one request."""
        ...

    def phones(self) -> list[Json]:
        """The conversations whose contact somebody could be: {"service", "conversation", "name"}."""
        ...

    def phone(self, conversation: str) -> Json:
        """One conversation as its contact sees it. Raises LookupError."""
        ...

    @property
    def acts(self) -> Mapping[str, Act]:
        """What a contact can do."""
        ...

    def revoke(self, key: str, *, revoked: bool) -> bool:
        """Switch a key off or on again; False where there is no such key here."""
        ...

    def file(self, id: str) -> Response:
        """A file that the phone shows. Raises LookupError."""
        ...


# --- reading what the control API was sent ----------------------------------------------------


def text(body: Json, name: str) -> str:
    """A string that is not empty. Raises ValueError."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a string that is not empty")
    return value


def number(body: Json, name: str) -> float:
    """A number. Raises ValueError."""
    value = body.get(name)
    if isinstance(value, str):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")
    return float(value)


def flag(body: Json, name: str) -> bool:
    """True unless it is false. Raises ValueError."""
    value = body.get(name, True)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value


def upload(request: Request) -> Upload:
    """The first file. Raises ValueError."""
    if not request.files:
        raise ValueError("send the file as multipart/form-data")
    return request.files[0]
