"""What the simulated Zendesk remembers: integrations, their accounts, tickets, comments, people."""

from dataclasses import dataclass, field
from typing import Literal

from heliograph.sandbox.outbox import Target
from heliograph.sandbox.wire import Json

#: What agents call it. "closed" is final: whatever comes afterwards needs a ticket of its own.
TicketState = Literal["new", "open", "pending", "solved", "closed"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was found valid, its addresses absolute."""

    id: str
    name: str
    version: str
    author: str
    push_client_id: str
    channelback_files: bool
    create_followup_tickets: bool
    urls: dict[str, str]


@dataclass(slots=True)
class Integration:
    """One integration service, registered by an app's `channel_integrations` requirement."""

    id: int
    manifest_url: str
    manifest: Manifest | None = None
    #: What is wrong with the manifest, as the person who installs the app is told.
    faults: list[str] = field(default_factory=list)
    events: Target | None = None
    #: What its health check said when it was last looked at.
    health: str = ""


@dataclass(slots=True)
class Instance:
    """An integration account: what an admin added on the channel's page. `metadata` and `state` are the service's own."""

    id: int
    integration: Integration
    push_id: str
    token: str = field(repr=False)
    name: str = ""
    metadata: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    saved: bool = False
    active: bool = False
    #: "error" or "api" after a deactivation, and why.
    deactivated_by: str = ""
    deactivating_error: str = field(default="", repr=False)
    revoked: bool = False
    next_pull: int | None = None
    pulling: bool = False
    #: Comment by external id: what was imported, and what answered channelbacks.
    external: "dict[str, Comment]" = field(default_factory=dict, repr=False)
    #: The latest ticket of a thread.
    threads: dict[str, int] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class User:
    """An agent, or an end user known by the external id of an integration's author."""

    id: int
    name: str = field(repr=False)
    role: Literal["agent", "end-user"]
    created: int
    email: str = field(default="", repr=False)
    external: str = field(default="", repr=False)
    image_url: str = field(default="", repr=False)
    locale: str = ""


@dataclass(slots=True)
class StoredFile:
    """A file of a comment. `data` is None until it was fetched; `problem` says why it could not be."""

    id: int
    name: str = field(repr=False)
    media_type: str
    token: str = field(repr=False)
    data: bytes | None = field(default=None, repr=False)
    source: str = field(default="", repr=False)
    problem: str = ""


#: Of a channelback: on its way, answered, or given up.
ChannelbackState = Literal["sending", "taken", "failed"]


@dataclass(slots=True)
class Channelback:
    """An agent's reply on its way to the integration service."""

    identifier: str
    form: tuple[tuple[str, str], ...] = field(repr=False)
    state: ChannelbackState = "sending"
    attempts: int = 0
    #: Codes and network errors ("none") of every attempt.
    answers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Comment:
    """One entry of a ticket. `errors` is what an agent reads beside it."""

    id: int
    ticket: int
    author: int
    text: str = field(repr=False)
    html: str = field(default="", repr=False)
    public: bool = True
    at: int = 0
    #: When the author wrote it, as the resource says.
    claimed_at: str = ""
    external_id: str = ""
    #: What brought it: "push", "pull", "agent" or "api".
    by: str = "agent"
    files: list[StoredFile] = field(default_factory=list)
    channelback: Channelback | None = None
    errors: list[str] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class Ticket:
    """A case. `instance` is the account that it came through (None: made by an agent)."""

    id: int
    subject: str = field(repr=False)
    requester: int
    state: TicketState
    created: int
    updated: int
    instance: int | None = None
    thread: str = ""
    assignee: int | None = None
    follow_up_of: int | None = None
    allow_channelback: bool = True
    fields: list[Json] = field(default_factory=list, repr=False)
    comments: list[Comment] = field(default_factory=list, repr=False)
    audits: list[Json] = field(default_factory=list, repr=False)
    #: An agent has edited the requester, so that a channelback has no recipient any more.
    requester_edited: bool = False
