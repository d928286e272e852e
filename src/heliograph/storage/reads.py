"""Every read of the Store port, once, over an engine's way to run a named query."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from heapq import merge
from itertools import groupby
from typing import Any, TypeVar

from heliograph.domain.delivery import Delivery, State
from heliograph.domain.detectors.signal import Signal
from heliograph.domain.detectors.silence import Idle
from heliograph.domain.health import Condition, Health
from heliograph.ports import rows

R = TypeVar("R")
STATES = {state.value: state for state in State}
STATE = Delivery._fields.index("state")


def make_delivery(values: Any) -> Delivery:
    """A row of table `delivery`, whose columns are the fields in order."""
    columns = list(values)
    columns[STATE] = STATES[columns[STATE]]
    return Delivery._make(columns)


def make_owed(values: Any) -> rows.Owed:
    """A row of table `delivery` with its comment's author behind it."""
    columns = list(values)
    return rows.Owed(make_delivery(columns[:-1]), columns[-1])


def make_health(values: Any) -> Health:
    """A row of table `health`, whose columns are the fields in order."""
    row = Health._make(values)
    return row._replace(condition=Condition(row.condition))


class Reads(ABC):
    """The reading half of a store. An account that does not match yields nothing."""

    @abstractmethod
    async def _rows(self, query: str, *parameters: Any) -> list[Any]:
        """Run a named query; parameters in the order of their first use in its text."""

    async def _one(self, query: str, *parameters: Any) -> Any:
        found = await self._rows(query, *parameters)
        return found[0] if found else None

    async def _make_one(self, make: Callable[[Any], R], query: str, *parameters: Any) -> R | None:
        found = await self._rows(query, *parameters)
        return make(found[0]) if found else None

    async def _make_all(self, make: Callable[[Any], R], query: str, *parameters: Any) -> list[R]:
        return [make(values) for values in await self._rows(query, *parameters)]

    async def account(self, account: str) -> rows.Account | None:
        """See ports.store."""
        return await self._make_one(rows.Account._make, "account", account)

    async def accounts(self) -> list[rows.Account]:
        """See ports.store."""
        return await self._make_all(rows.Account._make, "accounts")

    async def agent(self, account: str, id: str) -> rows.Agent | None:
        """See ports.store."""
        return await self._make_one(rows.Agent._make, "agent", account, id)

    async def agents(self, account: str) -> list[rows.Agent]:
        """See ports.store."""
        return await self._make_all(rows.Agent._make, "agents", account)

    async def channel(self, account: str, id: str) -> rows.Channel | None:
        """See ports.store."""
        return await self._make_one(rows.Channel._make, "channel", account, id)

    async def channel_by_id(self, id: str) -> rows.Channel | None:
        """See ports.store."""
        return await self._make_one(rows.Channel._make, "channel_by_id", id)

    async def channels(self, account: str) -> list[rows.Channel]:
        """See ports.store."""
        return await self._make_all(rows.Channel._make, "channels", account)

    async def all_channels(self) -> list[rows.Channel]:
        """See ports.store."""
        return await self._make_all(rows.Channel._make, "all_channels")

    async def credential(self, account: str, id: str) -> rows.Credential | None:
        """See ports.store."""
        return await self._make_one(rows.Credential._make, "credential", account, id)

    async def own_credentials(self, after: tuple[str, str], limit: int) -> list[rows.Credential]:
        """See ports.store."""
        return await self._make_all(rows.Credential._make, "own_credentials", *after, limit)

    async def contact(self, account: str, id: str) -> rows.Contact | None:
        """See ports.store."""
        return await self._make_one(rows.Contact._make, "contact", account, id)

    async def handle(self, account: str, channel: str, handle: str) -> rows.Handle | None:
        """See ports.store."""
        return await self._make_one(rows.Handle._make, "handle", account, channel, handle)

    async def conversation(self, account: str, id: str) -> rows.Conversation | None:
        """See ports.store."""
        return await self._make_one(rows.Conversation._make, "conversation", account, id)

    async def conversation_at(self, account: str, channel: str, address: str) -> rows.Conversation | None:
        """See ports.store."""
        return await self._make_one(rows.Conversation._make, "conversation_at", account, channel, address)

    async def conversations_since(self, account: str, channel: str, since: int) -> list[rows.Conversation]:
        """See ports.store."""
        return await self._make_all(rows.Conversation._make, "conversations_since", account, channel, since)

    async def ticket(self, account: str, id: str) -> rows.Ticket | None:
        """See ports.store."""
        return await self._make_one(rows.Ticket._make, "ticket", account, id)

    async def tickets(self, account: str, *, state: str, before: tuple[int, str] | None, limit: int) -> list[rows.TicketListed]:
        """See ports.store."""
        at, id = before or (2**62, "")
        return await self._make_all(rows.TicketListed._make, "tickets", account, state, at, id, limit)

    async def comments(self, account: str, ticket: str) -> list[rows.CommentRead]:
        """See ports.store."""
        return await self._make_all(rows.CommentRead._make, "comments", account, ticket)

    async def comment(self, account: str, id: str) -> rows.CommentRead | None:
        """See ports.store."""
        return await self._make_one(rows.CommentRead._make, "comment", account, id)

    async def delivery(self, account: str, id: str) -> Delivery | None:
        """See ports.store."""
        return await self._make_one(make_delivery, "delivery", account, id)

    async def deliveries_of(self, account: str, ticket: str) -> list[Delivery]:
        """See ports.store."""
        return await self._make_all(make_delivery, "deliveries_of", account, ticket)

    async def deliveries_of_comment(self, account: str, comment: str) -> list[Delivery]:
        """See ports.store."""
        return await self._make_all(make_delivery, "deliveries_of_comment", account, comment)

    async def deliveries(self, account: str, *, state: str, channel: str, after: str, limit: int) -> list[Delivery]:
        """See ports.store."""
        return await self._make_all(make_delivery, "deliveries", account, state, after, channel, limit)

    async def delivery_by_provider_id(self, account: str, channel: str, provider_id: str) -> Delivery | None:
        """See ports.store."""
        return await self._make_one(make_delivery, "delivery_by_provider_id", account, channel, provider_id)

    async def deliveries_up_to(self, account: str, lane: str, at: int) -> list[Delivery]:
        """See ports.store."""
        return await self._make_all(make_delivery, "deliveries_up_to", account, lane, at)

    async def deliveries_between(self, account: str, *, low: str, high: str, channel: str = "") -> list[rows.Owed]:
        """See ports.store."""
        return await self._make_all(make_owed, "deliveries_between", account, low, high, channel)

    async def open_deliveries(self, account: str, lane: str) -> list[Delivery]:
        """See ports.store."""
        found = await self._make_all(make_delivery, "open_deliveries", account, lane)
        lanes = [list(members) for _, members in groupby(found, lambda row: row.lane)]
        # As the lanes take turns: by what is first in each, whatever the clocks said of those behind it.
        return list(merge(*lanes, key=lambda row: (row.queued_at, row.id)))

    async def due_settlements(self, now: int, limit: int) -> list[Delivery]:
        """See ports.store."""
        return await self._make_all(make_delivery, "due_settlements", now, limit)

    async def due_probes(self, now: int) -> list[Health]:
        """See ports.store."""
        return await self._make_all(make_health, "due_probes", now)

    async def unwell(self) -> list[Health]:
        """See ports.store."""
        return await self._make_all(make_health, "unwell")

    async def health(self, account: str, kind: str, subject: str) -> Health | None:
        """See ports.store."""
        return await self._make_one(make_health, "health", account, kind, subject)

    async def healths(self, account: str) -> list[Health]:
        """See ports.store."""
        return await self._make_all(make_health, "healths", account)

    async def events(self, account: str, *, stream: str, stream_id: str, after: int, limit: int) -> list[rows.EventRead]:
        """See ports.store."""
        return await self._make_all(rows.EventRead._make, "stream_events", account, stream, stream_id, after, limit)

    async def troubles(self, account: str, channel: str, *, since: int, until: int) -> list[rows.EventRead]:
        """See ports.store."""
        return await self._make_all(rows.EventRead._make, "troubles", account, channel, since, until)

    async def account_events(self, account: str, *, after: int, limit: int) -> list[rows.EventRead]:
        """See ports.store."""
        return await self._make_all(rows.EventRead._make, "account_events", account, after, limit)

    async def signals_after(self, place: int, seq: int, *, limit: int) -> list[Signal]:
        """See ports.store."""
        found = await self._make_all(Signal._make, "signals_after", place, seq, limit)
        if not found or found[-1].kind:
            found.append(Signal(place, seq, 0, "", "", "", "", "", "", "", None, "", ""))
        return found

    async def idle_lanes(self, now: int) -> list[Idle]:
        """See ports.store."""
        return await self._make_all(Idle._make, "idle_lanes", now)

    async def orphans(self, limit: int, *, after: tuple[str, str, str] = ("", "", "")) -> list[rows.Orphan]:
        """See ports.store."""
        return await self._make_all(rows.Orphan._make, "orphans", *after, limit)

    async def seen(self, account: str, channel: str, event_id: str) -> bool:
        """See ports.store."""
        return await self._one("seen", account, channel, event_id) is not None

    async def token_by_hash(self, digest: str) -> rows.Token | None:
        """See ports.store."""
        return await self._make_one(rows.Token._make, "token_by_hash", digest)

    async def tokens(self, account: str) -> list[rows.Token]:
        """See ports.store."""
        return await self._make_all(rows.Token._make, "tokens", account)

    async def answer(self, account: str, key: str) -> rows.Answer | None:
        """See ports.store."""
        return await self._make_one(rows.Answer._make, "answer", account, key)

    async def cursor(self, account: str, channel: str) -> rows.Cursor | None:
        """See ports.store."""
        return await self._make_one(rows.Cursor._make, "cursor", account, channel)

    async def file(self, account: str, id: str) -> rows.File | None:
        """See ports.store."""
        return await self._make_one(rows.File._make, "file", account, id)

    async def counts(self, account: str) -> Mapping[str, int]:
        """See ports.store."""
        return dict(await self._rows("counts", account))

    async def written(self, account: str) -> int:
        """See ports.store."""
        return int((await self._one("written", account))[0])

    async def waiting(self) -> list[rows.Waiting]:
        """See ports.store."""
        return await self._make_all(rows.Waiting._make, "waiting")

    async def waiting_of(self, account: str) -> list[rows.Waiting]:
        """See ports.store."""
        return await self._make_all(rows.Waiting._make, "waiting_of", account)

    async def document(self, account: str, kind: str, id: str) -> rows.Document | None:
        """See ports.store."""
        return await self._make_one(rows.Document._make, "document", account, kind, id)

    async def documents(self, account: str, kind: str) -> list[rows.Document]:
        """See ports.store."""
        return await self._make_all(rows.Document._make, "documents", account, kind)

    async def documents_of_all(self, kind: str) -> list[rows.Document]:
        """See ports.store."""
        return await self._make_all(rows.Document._make, "documents_of_all", kind)

    async def documents_measured(self, kind: str) -> list[rows.Measured]:
        """See ports.store."""
        return await self._make_all(rows.Measured._make, "documents_measured", kind)

    async def release_share(self, release: str) -> rows.ReleaseShare | None:
        """See ports.store."""
        return await self._make_one(rows.ReleaseShare._make, "release_share", release)

    async def shared_users(self, shared: str) -> list[rows.Channel]:
        """See ports.store."""
        return await self._make_all(rows.Channel._make, "shared_users", shared)

    async def installation(self) -> rows.Installation:
        """See ports.store."""
        return rows.Installation._make(await self._one("installation"))
