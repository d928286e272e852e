"""What a store must do: commit changes atomically, claim lanes, and answer the questions of services and pages."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from heliograph.domain.delivery import Delivery
from heliograph.domain.detectors.signal import Signal
from heliograph.domain.detectors.silence import Idle
from heliograph.domain.events import Event
from heliograph.domain.health import Health, Schedule
from heliograph.ports import rows


class Conflict(Exception):
    """Somebody else changed a row that these changes were based on. Read again and decide again."""


class Fenced(Conflict):
    """The lane belongs to another worker by now: nothing was written."""


class Duplicate(Exception):
    """The changes carry a key that is already there: the same thing was done before."""


class Unavailable(Exception):
    """The store cannot write now (disk full, connection lost, not the writer). Nothing is known to be written.

    `retry_after`: seconds after which it is worth asking again.
    """

    retry_after: int = 5


class Moving(Unavailable):
    """Another process is about to take over the writing: ask again in a moment, and it answers."""

    retry_after = 1


#: Owner of a lane whose lease is over, while the outcome of its open attempt is being written down.
SWEEPER = "~sweeper"


class NewDelivery(NamedTuple):
    """A part to be queued; the store gives it its place in the lane."""

    id: str
    ticket: str
    comment: str
    channel: str
    lane: str
    part: int
    parts: int


class Fold(NamedTuple):
    """Events to be folded onto a row as it was read: compare-and-set on its version."""

    row: Delivery | Health
    events: Sequence[Event]


class Loose(NamedTuple):
    """An event that no row is folded from. `stream`: ticket, channel, credential, release, incident or account."""

    stream: str
    stream_id: str
    event: Event
    channel: str = ""
    occurred_at: int | None = None
    #: "" for an event of the installation in an act of an account; None for the act's own account.
    account: str | None = None


class Release(NamedTuple):
    """Give a claimed lane back. Refused (Fenced) unless `worker` still holds it at `fence`."""

    lane: str
    worker: str
    fence: int
    #: Earliest start of the lane's next attempt.
    not_before: int = 0


class Merge(NamedTuple):
    """Two conversations are one at the provider from now on: what waits in `lane` and in `into` has one order, that of its writing."""

    lane: str
    into: str
    channel: str


class Probe(NamedTuple):
    """When a subject is probed next; liveness, written without an event."""

    health: Health
    schedule: Schedule


@dataclass(slots=True)
class Changes:
    """One act: everything in it is committed in one transaction, or nothing."""

    account: str
    #: When it is recorded, microseconds.
    at: int
    #: "agent:<id>", "contact", "system", "token:<id>", "operator".
    actor: str = "system"
    #: Rows to insert or update, in order: members of ports.rows.
    puts: list[NamedTuple] = field(default_factory=list)
    queue: list[NewDelivery] = field(default_factory=list)
    folds: list[Fold] = field(default_factory=list)
    loose: list[Loose] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    #: Credential version with which an attempt was made, for the event's column.
    credential: str = ""


class Room(NamedTuple):
    """How many lanes a claim may take where its worker has no more room, whatever the claim's limit.

    A channel belongs to bulkheads (its own, its account's, that of the place where its provider is reached, its app's there), and a lane
    takes from each of them.
    """

    #: (account, channel) -> its bulkheads. A channel that is not here is a stranger: one lane of each, `strangers` of all together.
    bulkheads: Mapping[tuple[str, str], Sequence[Hashable]]
    #: How many lanes a bulkhead still has room for. Asked once for each of a channel that has lanes to take.
    left: Callable[[Any], int]
    strangers: int


class Claimed(NamedTuple):
    """A lane in this worker's hands, with its head's attempt started and committed."""

    lane: str
    fence: int
    lease_until: int
    delivery: Delivery
    #: Conversation and contact on the provider's side.
    address: str
    contact: str
    #: "ours", "other" or "": who owns the conversation at the provider.
    control: str
    #: The part as JSON, see services.parts.
    payload: str
    fingerprint: str
    credential: str
    #: 1 where channel or credential is in trial: this one shows whether sending works again.
    trial: int


class Store(Protocol):
    """One of two engines; both pass the same contract suite."""

    #: Called on the loop after a commit that touched lanes.
    on_touched: Callable[[], None] | None
    #: Called on the loop after each act of this process, with the act.
    on_committed: Callable[[Changes], None] | None

    async def commit(self, changes: Changes) -> None:
        """Write it all, durably. Raises Conflict, Fenced, Duplicate or Unavailable."""
        ...

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        """Write acts of one account one after the other in one transaction: all of them, or none where one is refused.

        An act may build on those before it. Raises what `commit` raises.
        """
        ...

    async def commit_and_claim(self, changes: Changes, *, worker: str, lease_until: int) -> Claimed | None:
        """Commit an act that gives back one lane, and take that lane again at once if its next head may start now.

        For a worker that has hands free for every runnable lane. An engine may leave the claim to the next round: None.
        Raises what `commit` raises.
        """
        ...

    async def claim(self, *, worker: str, now: int, lease_until: int, limit: int, room: Room | None = None) -> list[Claimed]:
        """Take up to `limit` runnable lanes whose channel and credential are not on hold, fairly over channels that have room.

        Each head's attempt is started in the same transaction. A subject in trial yields one lane at a time.
        """
        ...

    async def expire(self, *, now: int) -> list[tuple[str, str, int, Delivery | None]]:
        """Take over lanes whose lease is over: (account, lane, new fence, head delivery).

        They belong to SWEEPER until released by it, or until its own lease is over.
        """
        ...

    async def extend(self, *, worker: str, now: int, lease_until: int) -> None:
        """Prolong all of the worker's leases that are not over yet."""
        ...

    async def take_turn(self, channel: str) -> bool:
        """Whether it is this process, of all that work on the store, that polls the channel. To be asked before every round.

        The turn stays until `end_turn`; when the process ends or loses the database, another one that asks takes over.
        Raises Unavailable, and then it is nobody's here.
        """
        ...

    async def end_turn(self, channel: str) -> None:
        """Leave the polling of the channel to others. Raises Unavailable."""
        ...

    async def next_due(self, now: int, room: Room | None = None) -> int | None:
        """The earliest moment at which a lane becomes ready or a settlement or probe falls due; None if nothing waits.

        What waits for room is left out where an engine would otherwise name a moment that is over.
        """
        ...

    # Reads. `account` always comes first; a row of another account does not exist.
    async def account(self, account: str) -> rows.Account | None: ...
    async def accounts(self) -> list[rows.Account]: ...
    async def agent(self, account: str, id: str) -> rows.Agent | None: ...
    async def agents(self, account: str) -> list[rows.Agent]: ...
    async def channel(self, account: str, id: str) -> rows.Channel | None: ...
    async def channel_by_id(self, id: str) -> rows.Channel | None: ...
    async def channels(self, account: str) -> list[rows.Channel]: ...
    async def all_channels(self) -> list[rows.Channel]: ...
    async def credential(self, account: str, id: str) -> rows.Credential | None: ...
    async def own_credentials(self, after: tuple[str, str], limit: int) -> list[rows.Credential]:
        """Credentials of all accounts that are sealed here, by account and id, beginning after that pair."""
        ...

    async def contact(self, account: str, id: str) -> rows.Contact | None: ...
    async def handle(self, account: str, channel: str, handle: str) -> rows.Handle | None: ...
    async def conversation(self, account: str, id: str) -> rows.Conversation | None: ...
    async def conversation_at(self, account: str, channel: str, address: str) -> rows.Conversation | None: ...
    async def conversations_since(self, account: str, channel: str, since: int) -> list[rows.Conversation]: ...
    async def ticket(self, account: str, id: str) -> rows.Ticket | None: ...
    async def tickets(self, account: str, *, state: str, before: tuple[int, str] | None, limit: int) -> list[rows.TicketListed]: ...
    async def comments(self, account: str, ticket: str) -> list[rows.CommentRead]: ...
    async def comment(self, account: str, id: str) -> rows.CommentRead | None: ...
    async def delivery(self, account: str, id: str) -> Delivery | None: ...
    async def deliveries_of(self, account: str, ticket: str) -> list[Delivery]: ...
    async def deliveries_of_comment(self, account: str, comment: str) -> list[Delivery]: ...
    async def deliveries(self, account: str, *, state: str, channel: str, after: str, limit: int) -> list[Delivery]: ...
    async def delivery_by_provider_id(self, account: str, channel: str, provider_id: str) -> Delivery | None: ...
    async def deliveries_up_to(self, account: str, lane: str, at: int) -> list[Delivery]: ...
    async def deliveries_between(self, account: str, *, low: str, high: str, channel: str = "") -> list[rows.Owed]:
        """Deliveries whose id is at least `low` and below `high`: ids sort by when they were made. "" is every channel."""
        ...

    async def open_deliveries(self, account: str, lane: str) -> list[Delivery]:
        """What is open in the lane and in those it is merged with, in their order."""
        ...

    async def due_settlements(self, now: int, limit: int) -> list[Delivery]: ...
    async def due_probes(self, now: int) -> list[Health]: ...
    async def unwell(self) -> list[Health]:
        """What is on hold or in trial, of all accounts and of the installation."""
        ...

    async def health(self, account: str, kind: str, subject: str) -> Health | None: ...
    async def healths(self, account: str) -> list[Health]: ...
    async def events(self, account: str, *, stream: str, stream_id: str, after: int, limit: int) -> list[rows.EventRead]: ...
    async def troubles(self, account: str, channel: str, *, since: int, until: int) -> list[rows.EventRead]:
        """Attempts that did not get through, messages that were handed back and holds that began, in that time, both ends included."""
        ...

    async def account_events(self, account: str, *, after: int, limit: int) -> list[rows.EventRead]: ...
    async def signals_after(self, place: int, seq: int, *, limit: int) -> list[Signal]:
        """What the detectors read of all accounts' events, at most `limit` of them, and then a mark: up to there all has been read.

        With limit 0 the mark alone: where the ledger ends. Nothing appears later at a place before the mark.
        """
        ...

    async def idle_lanes(self, now: int) -> list[Idle]:
        """Channels without a hold, throttling or switching off that have a runnable lane which nobody has taken."""
        ...

    async def orphans(self, limit: int, *, after: tuple[str, str, str] = ("", "", "")) -> list[rows.Orphan]: ...
    async def seen(self, account: str, channel: str, event_id: str) -> bool: ...
    async def token_by_hash(self, digest: str) -> rows.Token | None: ...
    async def tokens(self, account: str) -> list[rows.Token]: ...
    async def answer(self, account: str, key: str) -> rows.Answer | None: ...
    async def cursor(self, account: str, channel: str) -> rows.Cursor | None: ...
    async def file(self, account: str, id: str) -> rows.File | None: ...
    async def counts(self, account: str) -> Mapping[str, int]: ...
    async def written(self, account: str) -> int:
        """How many deliveries were ever queued, by the lanes' own count: the other side of the conservation sum."""
        ...

    async def waiting(self) -> list[rows.Waiting]: ...
    async def waiting_of(self, account: str) -> list[rows.Waiting]: ...
    async def installation(self) -> rows.Installation: ...
    async def document(self, account: str, kind: str, id: str) -> rows.Document | None: ...
    async def documents(self, account: str, kind: str) -> list[rows.Document]: ...
    async def documents_of_all(self, kind: str) -> list[rows.Document]: ...
    async def documents_measured(self, kind: str) -> list[rows.Measured]:
        """How many documents of a kind each account has; those that have none are left out."""
        ...

    async def release_share(self, release: str) -> rows.ReleaseShare | None: ...
    async def shared_users(self, shared: str) -> list[rows.Channel]:
        """Channels of any account that use a shared credential."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, release the writer role."""
        ...
