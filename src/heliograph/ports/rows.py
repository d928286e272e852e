"""The plain rows that cross the store's border. Writes are named after what they do; reads end in Read or Listed where joined."""

from typing import NamedTuple

from heliograph.domain.delivery import Delivery


class Account(NamedTuple):
    """A customer organisation. `standing`: what it decided in advance for unprovable sends (domain.decide.Standing)."""

    id: str
    name: str
    locale: str
    standing: str
    created_at: int


class Agent(NamedTuple):
    """Somebody who answers tickets; `role` is "agent" or "admin"."""

    account: str
    id: str
    name: str
    role: str
    created_at: int


class Credential(NamedTuple):
    """What authenticates channels. `sealed` is ciphertext; `fingerprint` (keyed) names the version; `identity` is pinned, "" before.

    With `shared`, a credential of that name comes from the environment: nothing is sealed, and the release says which version it is.
    """

    account: str
    id: str
    provider: str
    sealed: str
    fingerprint: str
    identity: str
    created_at: int
    shared: str = ""


class PinIdentity(NamedTuple):
    """Write: note whose a credential version is, once."""

    account: str
    id: str
    fingerprint: str
    identity: str


class Reseal(NamedTuple):
    """Write: the same secrets, sealed anew. Nothing where they are no longer those that were sealed as `before`."""

    account: str
    id: str
    before: str
    sealed: str


class Channel(NamedTuple):
    """One configured connection to a provider. `config`: JSON of the fields that are not secret."""

    account: str
    id: str
    provider: str
    name: str
    config: str
    credential: str
    enabled: int
    #: No attempt starts before this moment (the provider asked to slow down).
    throttled_until: int
    created_at: int
    updated_at: int


class Throttle(NamedTuple):
    """Write: the provider asked to slow down until then. Never shortens."""

    account: str
    id: str
    throttled_until: int


class Contact(NamedTuple):
    """The person at the other end; erasable."""

    account: str
    id: str
    name: str
    created_at: int


class Handle(NamedTuple):
    """A contact's id on the provider's side of a channel. `blocked`: unsubscribed from us."""

    account: str
    channel: str
    handle: str
    contact: str
    blocked: int


class NameContact(NamedTuple):
    """Write: what the provider calls a contact who has no name. Nothing where there is one, or the handle is not the contact's any more."""

    account: str
    id: str
    channel: str
    handle: str
    name: str


class BlockHandle(NamedTuple):
    """Write: the contact unsubscribed, or subscribed again."""

    account: str
    channel: str
    handle: str
    blocked: int


class Conversation(NamedTuple):
    """The thread with a contact at the provider, and the unit of order. `ticket` is its latest."""

    account: str
    id: str
    channel: str
    address: str
    contact: str
    ticket: str
    #: "ours", "other", or "" where the provider knows no control.
    control: str
    #: Provider's time of the contact's last message.
    last_inbound_at: int
    #: 0 in use, 1 gone at the provider, 2 merged at the provider into another one of ours.
    removed: int
    created_at: int


class Readdress(NamedTuple):
    """Write: the provider gave the conversation a new id, and with it all that were merged into it.

    `removed` is 2 where another one of ours is there already: the act then merges their lanes as well.
    """

    account: str
    id: str
    address: str
    removed: int


class SetControl(NamedTuple):
    """Write: who owns the conversation at the provider."""

    account: str
    id: str
    control: str


class RemoveConversation(NamedTuple):
    """Write: the provider removed it."""

    account: str
    id: str


class HeardFrom(NamedTuple):
    """Write: the contact wrote at `last_inbound_at`; `ticket` is the conversation's ticket now."""

    account: str
    id: str
    ticket: str
    last_inbound_at: int


class Ticket(NamedTuple):
    """The case. `number` is 0 on writing: the store counts per account. `state`: "open" or "solved"."""

    account: str
    id: str
    number: int
    conversation: str
    channel: str
    contact: str
    state: str
    created_at: int
    updated_at: int


class TouchTicket(NamedTuple):
    """Write: something happened on the ticket."""

    account: str
    id: str
    updated_at: int


class SetTicketState(NamedTuple):
    """Write: open or solved."""

    account: str
    id: str
    state: str
    updated_at: int


class TicketListed(NamedTuple):
    """Read: a ticket with what a list shows. `preview` is the body JSON of the last comment, or ""."""

    account: str
    id: str
    number: int
    conversation: str
    channel: str
    contact: str
    state: str
    created_at: int
    updated_at: int
    contact_name: str
    provider: str
    preview: str
    preview_author: str
    waiting: int
    asking: int
    failed: int


class Comment(NamedTuple):
    """One authored entry. `author_kind`: contact, agent, business. Its content is the Body of the same id."""

    account: str
    id: str
    ticket: str
    author_kind: str
    author: str
    public: int
    provider_id: str
    occurred_at: int
    created_at: int


class CommentRead(NamedTuple):
    """Read: a comment with its content (JSON; "" when erased) and author's name."""

    account: str
    id: str
    ticket: str
    author_kind: str
    author: str
    public: int
    provider_id: str
    occurred_at: int
    created_at: int
    body: str
    author_name: str


class Body(NamedTuple):
    """Erasable text, JSON: of a comment (its id) or of a delivery's part (the delivery's id)."""

    account: str
    id: str
    data: str


class Seen(NamedTuple):
    """Write: an inbound event is being processed; a second one with the same id is a Duplicate. Kept with the ledger."""

    account: str
    channel: str
    event_id: str
    at: int


class Orphan(NamedTuple):
    """A receipt for a message that we do not know yet. `receipt` is JSON."""

    account: str
    channel: str
    event_id: str
    provider_id: str
    receipt: str
    created_at: int


class DropOrphan(NamedTuple):
    """Write: the receipt has found its delivery, or nobody will ever claim it."""

    account: str
    channel: str
    event_id: str


class Answer(NamedTuple):
    """The API's first answer to an Idempotency-Key; a second write of the key is a Duplicate. `digest` is of the request."""

    account: str
    key: str
    digest: str
    code: int
    body: str
    created_at: int


class Token(NamedTuple):
    """An API token, by the SHA-256 of its secret. `expires_at` and `revoked_at` are 0 for never."""

    account: str
    id: str
    digest: str
    name: str
    scopes: str
    created_at: int
    expires_at: int
    revoked_at: int
    agent: str


class RevokeToken(NamedTuple):
    """Write: the token is void from now on."""

    account: str
    id: str
    revoked_at: int


class Cursor(NamedTuple):
    """Where polling or catching-up of a channel stands."""

    account: str
    channel: str
    cursor: str
    at: int


class File(NamedTuple):
    """A stored file; its bytes are in the file store under `key`."""

    account: str
    id: str
    name: str
    media_type: str
    size: int
    key: str
    created_at: int


class Document(NamedTuple):
    """A row of low traffic as JSON, folded by the service that owns its `kind`. Account "" is the installation.

    Written with the version after the one that was read (1 at first), or refused as a Conflict; with version 0 it is written whatever is
    there.
    """

    account: str
    kind: str
    id: str
    version: int
    updated_at: int
    data: str


class Measured(NamedTuple):
    """Read: how much an account's documents of one kind are. `size` is in characters."""

    account: str
    number: int
    size: int


class DropDocument(NamedTuple):
    """Write: the document is gone. Nothing that the ledger must add up with is kept in documents."""

    account: str
    kind: str
    id: str


class ReleaseCredential(NamedTuple):
    """Write: which version of a shared credential a release holds."""

    release: str
    credential: str
    fingerprint: str


class ReleaseShare(NamedTuple):
    """Which lanes a release may claim: buckets from `low` (0) to below `high` (100). 0 and 0 is a fence."""

    release: str
    low: int
    high: int


class Owed(NamedTuple):
    """Read: a delivery, and the agent who wrote it."""

    delivery: Delivery
    author: str


class EventRead(NamedTuple):
    """Read: an event as recorded. `data` is its payload, JSON."""

    seq: int
    account: str
    stream: str
    stream_id: str
    subject: str
    position: int | None
    kind: str
    version: int
    recorded_at: int
    occurred_at: int | None
    actor: str
    channel: str
    credential: str
    release: str
    attempt: int | None
    reason: str
    data: str


class Waiting(NamedTuple):
    """Read: what waits on a channel. `oldest_at` is when the oldest was queued."""

    account: str
    channel: str
    state: str
    number: int
    oldest_at: int


class Installation(NamedTuple):
    """Read: which installation this store belongs to."""

    id: str
    created_at: int
