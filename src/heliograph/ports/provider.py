"""The contract of a provider: it translates and never decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

from heliograph.domain.content import Content, Media, Rich
from heliograph.domain.outcomes import (
    Absent as Absent,
    Accepted as Accepted,
    CheckResult as CheckResult,
    DedupeClass as DedupeClass,
    Deferred as Deferred,
    FindResult as FindResult,
    Found as Found,
    Inconclusive as Inconclusive,
    Invalid as Invalid,
    ReceiptLevel as ReceiptLevel,
    Refused as Refused,
    SendResult as SendResult,
    Unknown as Unknown,
    Valid as Valid,
)
from heliograph.domain.reasons import Reason
from heliograph.domain.split import Measure
from heliograph.ports.runtime import Clock


class Advance(StrEnum):
    """When the lane may go on to the next message of a conversation."""

    ON_ACCEPTANCE = "on_acceptance"
    AFTER_PAUSE = "after_pause"


class Support(StrEnum):
    """How a kind of outbound content is carried."""

    FULL = "full"
    PARTIAL = "partial"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Field:
    """One configuration field of a channel, in the provider's own words."""

    name: str
    label: str
    secret: bool = False
    required: bool = True
    hint: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages per second that a provider takes before it says 429; None where it publishes no number.

    They are where pacing starts; what the provider answers moves the pace.
    """

    channel: float | None = None
    conversation: float | None = None
    #: Messages of one conversation that may come at once before its pace counts; what was sent ahead is waited for afterwards.
    burst: int = 1
    #: All channels of one app at the provider together; `app_field` is the configuration field that names the app.
    app: float | None = None
    app_field: str = ""


#: What most providers carry as it is; a spec that begins with it says what else is true of the provider.
TEXT_AND_FILES: Mapping[str, Support] = {kind: Support.FULL for kind in ("text", "image", "audio", "video", "file")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """What is true of a provider, as data. What has a default is what a provider may simply not have."""

    name: str
    title: str
    fields: tuple[Field, ...]
    dedupe: DedupeClass
    advance: Advance
    #: Longest text of one message, as `measure` counts it.
    text_limit: int
    #: The unit in which the provider counts text (domain.split).
    measure: Measure
    #: Largest file in bytes.
    file_limit: int
    #: Content kind ("text", "image", "audio", "video", "file", "location", "rich", "template") -> support. Missing means refused.
    content: Mapping[str, Support]
    #: Optional methods implemented: "poll", "find", "history", "fetch_media", "control", "webhook", "register_webhook",
    #: "challenge", "templates", "timed", "names". And "file_urls": it takes files by address (`Part.url`), not by their bytes.
    capabilities: frozenset[str]
    #: Seconds after a send before absence in a look-up counts as proof (class LOOKUP).
    settle: float = 0.0
    #: Seconds one call may take: the hard deadline.
    timeout: float
    #: Seconds a contact's last message keeps the reply window open; None where there is none.
    reply_window: float | None = None
    #: Seconds a provider key lives (class KEY).
    key_lifetime: float | None = None
    #: Seconds to pause between two messages of one lane (Advance.AFTER_PAUSE).
    pause: float = 0.0
    #: Receipts the provider sends: subset of {"delivered", "read", "failed"}.
    receipts: frozenset[str] = frozenset()
    rates: Rates
    #: What an admin does at the provider, step by step, in the provider's own words. `{webhook_url}` stands for the channel's address.
    setup: tuple[str, ...]
    docs: str
    #: Media type and body with which a webhook call that was taken is answered: some report an error where they get another one.
    webhook_answer: tuple[str, str] = ("text/plain", "")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes on the provider's side. Ids are opaque outside the provider."""

    conversation: str
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One provider message: what exactly one send call carries.

    `payload` is JSON in the provider's shape, without address and key. `media` names a file of
    our store that goes with it; the caller fills `data` with its bytes, or `url`, just before sending.
    """

    kind: str
    payload: Mapping[str, Any] = field(repr=False)
    media: Media | None = None
    data: bytes | None = field(default=None, repr=False)
    #: Where the provider can fetch the file (capability "file_urls"): whoever knows the address may read it, so it is in no log.
    url: str = field(default="", repr=False)


class Unsupported(ValueError):
    """`render` refuses content that the provider cannot carry. The message says what and why."""


# --- inbound ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawRequest:
    """An HTTP request as it came in. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    #: The whole address as the provider has called it, query included: some sign it.
    url: str = field(default="", repr=False)
    #: When it came in, microseconds: some signatures are good for minutes only.
    at: int = 0


class BadSignature(Exception):
    """The request does not prove that it comes from the provider."""


class Author(StrEnum):
    """Who wrote an inbound message."""

    CONTACT = "contact"
    #: Somebody on the business side, but not through us (the provider's own inbox, a bot).
    BUSINESS = "business"


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message that somebody else wrote. `not_carried` names content kinds that could not be represented."""

    event_id: str
    conversation: str
    contact: str
    contact_name: str = field(repr=False)
    message_id: str
    author: Author
    contents: tuple[Content, ...] = field(repr=False)
    #: Microseconds since the epoch, by the provider's clock.
    occurred_at: int
    not_carried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider says later about a message of ours, matched by `provider_id` or by our `key`.

    An echo of our own message is a receipt of level ACCEPTED that carries both.
    `conversation` with `up_to` (microseconds) instead of an id means everything before it. `lane`: a failure speaks of the
    message's conversation alone, see Deferred.
    """

    event_id: str
    level: ReceiptLevel
    occurred_at: int
    provider_id: str = ""
    key: str = ""
    conversation: str = ""
    up_to: int | None = None
    reason: Reason | None = None
    code: str = ""
    detail: str = field(default="", repr=False)
    final: bool = True
    lane: bool = False


@dataclass(frozen=True, slots=True)
class ConversationMoved:
    """The provider replaced a conversation's id (merge, upgrade); queued replies follow it."""

    event_id: str
    old: str
    new: str
    occurred_at: int


@dataclass(frozen=True, slots=True)
class ConversationRemoved:
    """The conversation is gone; its queued replies have no target."""

    event_id: str
    conversation: str
    occurred_at: int


@dataclass(frozen=True, slots=True)
class ControlChanged:
    """Who owns the conversation on the provider's side has changed."""

    event_id: str
    conversation: str
    ours: bool
    owner: str
    occurred_at: int


@dataclass(frozen=True, slots=True)
class ContactBlocked:
    """The contact has unsubscribed from us (`blocked`) or subscribed again."""

    event_id: str
    contact: str
    blocked: bool
    occurred_at: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood and of no consequence, or not understood: `why` is a short code, never content."""

    event_id: str
    why: str


Inbound = InboundMessage | Receipt | ConversationMoved | ConversationRemoved | ControlChanged | ContactBlocked | Ignored


class Provider(Protocol):
    """One kind of messaging service, configured for one channel.

    Built as `ProviderClass(config, http)`, `config` by the names of `spec.fields`, and `webhook_url`: the public address of the
    channel's webhook, "" where this installation has none. The field that proves webhooks is called `webhook_secret` in every
    provider, whatever the provider calls it; while it is changed it holds both values, separated by a space.
    No retry, no sleep, no database, no clock. `repr` never shows a secret.
    """

    spec: ClassVar[ProviderSpec]

    def __init__(self, config: Mapping[str, str], http: Any) -> None: ...

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split and format one comment into provider messages, in order. Raises Unsupported."""
        ...

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Hand one part over; exactly one call that the contact could notice. `key` is our id of the delivery."""
        ...

    async def check(self) -> CheckResult:
        """Prove credentials and identity without spending a message."""
        ...

    def verify(self, request: RawRequest) -> None:
        """Prove that a webhook call comes from the provider. Raises BadSignature."""
        ...

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call. Pure and total: never raises, yields Ignored for what it does not know."""
        ...


class Challenges(Protocol):
    """Capability "challenge": before it sends anything, the provider asks the address to prove itself."""

    def challenge(self, request: RawRequest) -> bytes | None:
        """The body to answer with, as plain text; None where the request (GET or POST) is no such question.

        Called before `verify`. Raises BadSignature where the question proves itself and does so wrongly.
        """
        ...


@runtime_checkable
class Timed(Protocol):
    """Capability "timed": its requests say when they were made, because whoever gets them judges their age."""

    def keep_time(self, clock: Clock) -> None:
        """Called once, before anything is sent. The time goes into requests and decides nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """A message that the provider has approved beforehand, for use outside the reply window."""

    name: str
    language: str
    #: The provider's own word for what it is for.
    category: str
    #: What the contact will read, with `{{label}}` where a value goes.
    text: str = field(repr=False)
    #: Labels of the values, in order.
    values: tuple[str, ...] = ()


class HasTemplates(Protocol):
    """Capability "templates"."""

    async def templates(self) -> list[Template]:
        """All approved templates that can be sent with text values only. Raises PollFailed."""
        ...

    def fill(self, template: Template, values: Sequence[str]) -> Rich:
        """The content of kind "template" that `render` takes. Pure. Raises Unsupported where a value is missing or unfit."""
        ...


class Polls(Protocol):
    """Capability "poll": the service can be asked for what is new, without a public address."""

    async def poll(self, cursor: str) -> tuple[list[Inbound], str]:
        """Wait up to `spec.timeout` for news after `cursor` ("" at first); return it with the next cursor.

        Raises PollFailed.
        """
        ...


class PollFailed(Exception):
    """Asking for news failed. `result` says why, as for a check."""

    def __init__(self, result: Invalid | Inconclusive) -> None:
        super().__init__(result.reason.value)
        self.result = result


class Finds(Protocol):
    """Capability "find": class LOOKUP."""

    async def find(self, to: Address, key: str, since: int) -> FindResult:
        """Look for the message that carries `key`, sent at or after `since` (microseconds)."""
        ...


class HasHistory(Protocol):
    """Capability "history": after downtime, what happened in a conversation."""

    async def history(self, to: Address, after: int) -> list[Inbound]:
        """All messages of the conversation newer than `after` (microseconds), oldest first. Raises PollFailed."""
        ...


class FetchesMedia(Protocol):
    """Capability "fetch_media": inbound files are behind an authenticated or short-lived address."""

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes behind `media.remote`. Raises PollFailed."""
        ...


class Names(Protocol):
    """Capability "names": messages come in without the contact's name, and the provider can be asked for it."""

    async def name_of(self, contact: str) -> str:
        """What the contact, an id of the provider's, is called; "" where the provider knows no name. Raises PollFailed."""
        ...


class Controls(Protocol):
    """Capability "control": one party owns a conversation and others stand by (a switchboard)."""

    async def take_control(self, to: Address) -> SendResult:
        """Become the owner, so that no bot answers beside the agent. Safe to repeat."""
        ...

    async def release_control(self, to: Address) -> SendResult:
        """Hand the conversation back. Safe to repeat."""
        ...


class RegistersWebhook(Protocol):
    """Capability "register_webhook": the address for webhooks can be set by a call."""

    async def register_webhook(self, url: str, secret: str) -> CheckResult:
        """Point the provider's webhook at `url`. Safe to repeat.

        Where the provider takes a secret it gets `secret`; where it makes up its own, that comes back in `Valid.secret`.
        """
        ...
