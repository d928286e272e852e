"""Items of one call whose acts are committed together: what those before have decided, which no store knows yet."""

from heliograph.domain.delivery import Delivery
from heliograph.ports import rows
from heliograph.ports.provider import Author, ConversationMoved, Inbound, InboundMessage, Receipt
from heliograph.ports.store import Changes
from heliograph.services.context import Context

#: Items that share a commit at most: enough that the disk is not what a large call waits for, and some ten milliseconds of statements,
#: during which nobody else writes.
AT_ONCE = 100


class Together:
    """Acts of one channel that wait for their commit, and what the store will say once they are written."""

    def __init__(self, context: Context, channel: rows.Channel) -> None:
        self._context = context
        self._channel = channel
        self._acts: list[Changes] = []
        self._events: set[str] = set()
        self._conversations: dict[str, rows.Conversation] = {}
        self._contacts: dict[str, str] = {}
        self._open: set[str] = set()
        #: Ids, ours and the provider's, of deliveries that the acts change.
        self._receipted: set[str] = set()
        self._moved = False

    def must_be_written(self, item: Inbound) -> bool:
        """Whether the item can be decided only once the acts are written: it asks the store about more than is known here."""
        match item:
            case _ if self._moved:
                return True
            case ConversationMoved():
                return bool(self._acts)
            case Receipt(up_to=None):
                return bool({item.provider_id, item.key.partition(".")[0]} & self._receipted)
            case Receipt():
                return bool(self._receipted) or item.conversation in self._conversations
            case InboundMessage(author=Author.BUSINESS):
                return bool(self._receipted)
            case _:
                return False

    async def seen(self, event_id: str) -> bool:
        """Whether the event was taken already. Raises Unavailable."""
        return event_id in self._events or await self._context.store.seen(self._channel.account, self._channel.id, event_id)

    async def conversation(self, address: str) -> rows.Conversation | None:
        """The conversation at an address. Raises Unavailable."""
        known = self._conversations.get(address)
        return known or await self._context.store.conversation_at(self._channel.account, self._channel.id, address)

    async def contact(self, handle: str) -> str:
        """Whose handle it is, "" where nobody's. Raises Unavailable."""
        if handle in self._contacts:
            return self._contacts[handle]
        found = await self._context.store.handle(self._channel.account, self._channel.id, handle)
        return found.contact if found is not None else ""

    def is_open(self, ticket: str) -> bool:
        """Whether an act opens the ticket or has written to it."""
        return ticket in self._open

    def keep_conversation(self, conversation: rows.Conversation) -> None:
        """An act makes it what it is here; its ticket, if any, is open."""
        self._conversations[conversation.address] = conversation

    def keep_contact(self, handle: str, contact: str) -> None:
        """An act writes down a new contact."""
        self._contacts[handle] = contact

    def keep_open(self, ticket: str) -> None:
        """An act opens a ticket, or has found it open."""
        self._open.add(ticket)

    def add(self, item: Inbound, changes: Changes) -> None:
        """The item's act waits too."""
        self._acts.append(changes)
        self._events.add(item.event_id)
        self._moved = isinstance(item, ConversationMoved)
        for fold in changes.folds:
            if isinstance(fold.row, Delivery) and isinstance(item, Receipt):
                self._receipted |= {fold.row.id, fold.row.provider_id, item.provider_id} - {""}

    async def write(self) -> None:
        """Commit all of them in one transaction, or none. Raises what Store.commit raises."""
        if self._acts:
            await self._context.failpoint("ingest:before_commit")
            await self._context.store.commit_all(self._acts)
            await self._context.failpoint("ingest:after_commit")
