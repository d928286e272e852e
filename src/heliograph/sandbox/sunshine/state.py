"""What the simulated Sunshine Conversations service remembers, and its records as the API shows them."""

from dataclasses import dataclass, field

from heliograph.sandbox.ids import iso
from heliograph.sandbox.outbox import Target
from heliograph.sandbox.wire import Json


@dataclass(slots=True)
class Key:
    """An API key. `kind` is the scope: "account", "app" or "integration"."""

    id: str
    secret: str = field(repr=False)
    kind: str
    app_id: str
    integration_id: str = ""
    display_name: str = ""
    revoked: bool = False

    def to_json(self) -> Json:
        """As the API shows it."""
        return {"id": self.id, "displayName": self.display_name, "secret": self.secret}


@dataclass(slots=True)
class Client:
    """A contact's presence on one channel."""

    id: str
    type: str
    integration_id: str
    external_id: str
    display_name: str = field(repr=False)
    linked_at: int
    last_seen: int
    state: str = "active"

    def to_json(self) -> Json:
        """As the API shows it."""
        return {
            "id": self.id, "type": self.type, "status": self.state, "integrationId": self.integration_id, "externalId": self.external_id,
            "displayName": self.display_name, "lastSeen": iso(self.last_seen), "linkedAt": iso(self.linked_at),
        }  # fmt: skip


@dataclass(slots=True)
class User:
    """A contact."""

    id: str
    external_id: str | None
    profile: Json = field(repr=False)
    metadata: Json = field(repr=False)
    signed_up_at: int
    clients: list[Client] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the contact is called."""
        parts = [str(self.profile.get(n) or "") for n in ("givenName", "surname")]
        return " ".join(p for p in parts if p) or "Visitor"

    def brief(self) -> Json:
        """As events show it."""
        external = {"externalId": self.external_id} if self.external_id else {}
        return {"id": self.id, **external, "authenticated": self.external_id is not None}

    def to_json(self) -> Json:
        """As the API shows it."""
        return {
            **self.brief(), "signedUpAt": iso(self.signed_up_at), "profile": {"locale": "en", **self.profile},
            "metadata": self.metadata, "identities": [],
        }  # fmt: skip


@dataclass(slots=True)
class Message:
    """One message. Its phone state (`arrived`, `read`, `refused`) is the contact's side of it."""

    id: str
    received: int
    author: Json = field(repr=False)
    content: Json = field(repr=False)
    source: Json
    metadata: Json | None = field(repr=False)
    silent: bool = False
    read: bool = False
    refused: bool = False

    @property
    def from_user(self) -> bool:
        """Whether the contact wrote it."""
        return bool(self.author["type"] == "user")

    def to_json(self) -> Json:
        """As the API shows it."""
        metadata = {"metadata": self.metadata} if self.metadata is not None else {}
        return {
            "id": self.id, "received": iso(self.received), "author": self.author, "content": self.content, "source": self.source,
            **metadata,
        }  # fmt: skip


@dataclass(slots=True)
class Conversation:
    """A thread. `active` and `pending` are ids of switchboard integrations."""

    id: str
    type: str
    participants: dict[str, str]
    is_default: bool
    created: int
    updated: int
    metadata: Json | None = field(default=None, repr=False)
    extra: Json = field(default_factory=dict, repr=False)
    business_last_read: int | None = None
    active: str = ""
    pending: str = ""
    messages: list[Message] = field(default_factory=list, repr=False)
    position: dict[str, int] = field(default_factory=dict, repr=False)
    typing_until: int = 0

    def add(self, message: Message) -> None:
        """Append at the end."""
        self.position[message.id] = len(self.messages)
        self.messages.append(message)
        self.updated = message.received

    def keep(self, messages: list[Message]) -> None:
        """Replace all messages."""
        self.messages = messages
        self.position = {m.id: i for i, m in enumerate(messages)}


@dataclass(slots=True)
class SwitchboardIntegration:
    """One party that can own conversations."""

    id: str
    name: str
    integration_id: str
    integration_type: str
    deliver_standby: bool
    next_id: str = ""

    def to_json(self) -> Json:
        """As the API shows it."""
        following = {"nextSwitchboardIntegrationId": self.next_id} if self.next_id else {}
        return {**self.brief(), "deliverStandbyEvents": self.deliver_standby, **following}

    def brief(self) -> Json:
        """As conversations show it."""
        return {
            "id": self.id, "name": self.name, "integrationId": self.integration_id, "integrationType": self.integration_type,
        }  # fmt: skip


@dataclass(slots=True)
class Switchboard:
    """Who may own conversations of an app."""

    id: str
    default_id: str = ""
    enabled: bool = True
    members: dict[str, SwitchboardIntegration] = field(default_factory=dict)

    def to_json(self) -> Json:
        """As the API shows it."""
        default = {"defaultSwitchboardIntegrationId": self.default_id} if self.default_id else {}
        return {"id": self.id, "enabled": self.enabled, **default}


@dataclass(slots=True)
class Webhook:
    """Where events go."""

    id: str
    integration_id: str
    target: str
    triggers: tuple[str, ...]
    secret: str = field(repr=False)
    full_user: bool
    full_source: bool
    calls: Target

    def to_json(self) -> Json:
        """As the API shows it."""
        return {
            "id": self.id, "version": "v2", "target": self.target, "triggers": list(self.triggers), "secret": self.secret,
            "includeFullUser": self.full_user, "includeFullSource": self.full_source,
        }  # fmt: skip


@dataclass(slots=True)
class Integration:
    """A channel or a custom integration of an app."""

    id: str
    type: str
    display_name: str = ""
    webhooks: dict[str, Webhook] = field(default_factory=dict)

    def to_json(self) -> Json:
        """As the API shows it."""
        hooks = {"webhooks": [w.to_json() for w in self.webhooks.values()]} if self.type == "custom" else {}
        return {"id": self.id, "type": self.type, "status": "active", "displayName": self.display_name or None, **hooks}


@dataclass(slots=True)
class Attachment:
    """An uploaded file."""

    name: str
    media_type: str
    data: bytes = field(repr=False)
    url: str


@dataclass(slots=True)
class App:
    """A customer's app."""

    id: str
    name: str
    subdomain: str
    settings: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    by_user: dict[str, list[str]] = field(default_factory=dict)
    integrations: dict[str, Integration] = field(default_factory=dict)
    switchboards: dict[str, Switchboard] = field(default_factory=dict)
    attachments: dict[str, Attachment] = field(default_factory=dict)

    def to_json(self) -> Json:
        """As the API shows it."""
        return {
            "id": self.id, "displayName": self.name, "settings": self.settings, "metadata": self.metadata, "subdomain": self.subdomain,
        }  # fmt: skip

    def user(self, name: str) -> User | None:
        """By id or external id."""
        return self.users.get(name) or self.users.get(self.external.get(name, ""))

    def member(self, id: str) -> SwitchboardIntegration | None:
        """A switchboard integration by id."""
        return next((m for s in self.switchboards.values() for i, m in s.members.items() if i == id), None)

    def conversation_brief(self, conversation: Conversation) -> Json:
        """As events show it."""
        active, pending = self.member(conversation.active), self.member(conversation.pending)
        return {
            "id": conversation.id,
            "type": conversation.type,
            **({"metadata": conversation.metadata} if conversation.metadata else {}),
            **({"activeSwitchboardIntegration": active.brief()} if active else {}),
            **({"pendingSwitchboardIntegration": pending.brief()} if pending else {}),
        }

    def conversation_json(self, conversation: Conversation) -> Json:
        """As the API shows it."""
        last_read = conversation.business_last_read
        return {
            **self.conversation_brief(conversation),
            **conversation.extra,
            "isDefault": conversation.is_default,
            **({"businessLastRead": iso(last_read)} if last_read is not None else {}),
            "lastUpdatedAt": iso(conversation.updated),
            "createdAt": iso(conversation.created),
        }
