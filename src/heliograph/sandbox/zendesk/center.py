"""What every part of the simulated Zendesk works with: its records, its clock, the calls it makes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from heliograph.sandbox.errands import Answer
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.ids import iso
from heliograph.sandbox.outbox import RetryPolicy, Target
from heliograph.sandbox.service import Hub
from heliograph.sandbox.wire import SECOND, Json, Response, answer
from heliograph.sandbox.zendesk.state import Comment, Instance, Integration, StoredFile, Ticket, User

SERVICE = "zendesk"
#: Nothing is documented about repeated event callbacks; a few tries, then the events are gone. [M]
EVENT_RETRIES = RetryPolicy((5.0, 30.0, 120.0), frozenset({400, 401, 403, 404, 410}), 20.0)
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class Settings:
    """What a test may want otherwise. Times in seconds; those marked [M] are not documented."""

    pull_every: float = 120.0
    #: The answer to a pull must come within about a minute.
    pull_timeout: float = 60.0
    channelback_timeout: float = 60.0  # [M]
    #: Waits before a channelback is made again after a network error; then it is given up. [M]
    channelback_waits: tuple[float, ...] = (5.0, 20.0, 60.0)
    #: Events of so much time go out in one call. [M]
    events_every: float = 2.0
    file_timeout: float = 30.0  # [M]
    file_waits: tuple[float, ...] = (5.0, 30.0)  # [M]
    file_limit: int = 50 * 1_048_576  # [M]
    manifest_timeout: float = 30.0  # [M]


class Problem(Exception):
    """An error answer."""

    def __init__(self, code: int, error: str, description: str = "", details: list[str] | None = None) -> None:
        super().__init__(error)
        body: Json = {"error": error, "description": description}
        self.response = answer(code, {**body, "details": details} if details else body)


class Center:
    """Records and services shared by all parts."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self.now = hub.now
        self.ids = hub.ids
        self.faults = hub.faults
        self.outbox = hub.outbox
        self.tally = hub.tally
        self.changed = hub.changed
        self.settings = settings
        self.subdomain = "sandbox"
        #: Where this Zendesk is reached from outside; whoever listens says so. Until then it is whatever host a request came to.
        self.base = ""
        self.api_token = hub.ids.token(40)
        self.errands = hub.errands
        self.integrations: dict[int, Integration] = {}
        self.instances: dict[int, Instance] = {}
        self.users: dict[int, User] = {}
        self.identities: dict[tuple[int, str], User] = {}
        self.tickets: dict[int, Ticket] = {}
        self.comments: dict[int, Comment] = {}
        self.files: dict[str, StoredFile] = {}
        #: return_url's secret: which account it saves.
        self.returns: dict[str, int] = {}
        #: Body and ticket of what was made under an Idempotency-Key.
        self.idempotent: dict[str, tuple[bytes, int]] = {}
        self._last_id = 0
        #: Comments brought by pushes and pulls, repeats refused as already imported, and notes among the comments.
        self.imported = self.repeats = self.notes = 0
        #: Repeated channelbacks that got another external_id than the first.
        self.contradictions = 0
        for name in ("Alex Agent", "Bea Agent"):
            self.new_user(name, "agent", email=f"{name.split()[0].lower()}@{self.subdomain}.example")

    def new_id(self) -> int:
        """A number that nothing else has."""
        self._last_id += 1
        return 100_000 + self._last_id

    def new_user(self, name: str, role: Literal["agent", "end-user"], *, email: str = "", external: str = "") -> User:
        """A person."""
        user = User(self.new_id(), name, role, self.now(), email, external)
        self.users[user.id] = user
        return user

    @property
    def agents(self) -> list[User]:
        """Who works here."""
        return [user for user in self.users.values() if user.role == "agent"]

    def iso(self, at: int | None = None) -> str:
        """A time as the API writes it."""
        return iso(self.now() if at is None else at)[:-5] + "Z"

    def store(self, name: str, media_type: str, data: bytes | None, source: str = "") -> StoredFile:
        """Keep a file, or a place for one that is still to be fetched."""
        file = StoredFile(self.new_id(), name, media_type, self.ids.token(32), data, source)
        self.files[file.token] = file
        return file

    def file_url(self, file: StoredFile) -> str:
        """Where a file is, for those who hold the push token of an account."""
        return f"{self.base}/attachments/token/{file.token}/?name={quote(file.name)}"

    # --- faults ------------------------------------------------------------------------------

    def struck(self, operation: str, mode: Mode) -> Fault | None:
        """A fault of something that is not a request to us; only one that names this very operation counts."""
        named = [f for f in self.faults.active(SERVICE) if f.operation == operation and f.mode is mode]
        if not named:
            return None
        strike = self.faults.strike(SERVICE, operation, operation, "")
        return strike.before or strike.after

    # --- what goes out -----------------------------------------------------------------------

    def post_form(
        self, kind: str, url: str, form: tuple[tuple[str, str], ...], done: Callable[[Answer | None], None], *, timeout: float,
        after: float = 0.0,
    ) -> None:  # fmt: skip
        """Have a form posted to the integration service."""
        self.errands.put(SERVICE, kind, "POST", url, done=done, body=urlencode(form).encode(), headers=FORM, timeout=timeout, after=after)

    def target(self, integration: Integration) -> Target | None:
        """Where the events of an integration go, if it wants any."""
        url = integration.manifest.urls.get("event_callback_url") if integration.manifest else None
        if not url:
            return None

        def pack(events: list[Json]) -> tuple[dict[str, str], bytes]:
            return {"content-type": "application/json"}, json.dumps({"events": events}, ensure_ascii=False).encode()

        return Target(f"zendesk-events-{integration.id}", SERVICE, url, EVENT_RETRIES, lambda: 100, pack, lambda event: None)

    def emit(self, integration: Integration, kind: str, data: Json, error: str = "") -> None:
        """Tell an integration something, together with whatever else happens in the same moments."""
        if integration.manifest is None or integration.events is None:
            return
        event: Json = {
            "type_id": kind, "timestamp": self.iso(), "subdomain": self.subdomain, "integration_name": integration.manifest.name,
            "integration_id": integration.manifest.id, "data": data, **({"error": error} if error else {}),
        }  # fmt: skip
        every = int(self.settings.events_every * SECOND)
        wait = every - self.now() % every if every else 0
        self.outbox.put(integration.events, kind, event, wait / SECOND)

    def not_found(self) -> Response:
        """As the API says it."""
        return Problem(404, "RecordNotFound", "Not found").response
