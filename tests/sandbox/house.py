"""A whole Heliograph beside the sandbox, and one conversation that a contact has begun at one of its services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from heliograph.domain.content import Content
from heliograph.domain.delivery import TAKEN, Delivery
from heliograph.ports.store import Changes
from heliograph.sandbox.direct.service import DirectService
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.wire import Request
from heliograph.services.context import Context
from heliograph.services.reply import reply
from tests.demonstration import Demonstration, demonstration


@dataclass
class House:
    """A demonstration, and one conversation that a contact has begun at one service."""

    made: Demonstration
    service: DirectService
    conversation: str
    ticket: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        before = self.context.store.on_committed

        def noticed(changes: Changes) -> None:
            if before is not None:
                before(changes)
            self._news.set()

        self.context.store.on_committed = noticed
        self.made.demo.sandbox.sandbox.listen(self._news.set)

    @property
    def context(self) -> Context:
        return self.made.process.application.context

    @property
    def account(self) -> str:
        return self.made.demo.account

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for it; asked again whenever something was committed here or has changed there."""
        async with asyncio.timeout(60):
            while True:
                self._news.clear()
                if await holds():
                    return
                await self._news.wait()

    async def begins(self) -> None:
        """The contact writes, and a ticket opens."""
        self.service.acts["text"](self.conversation, {"text": "Where is my parcel?"}, Request("POST", "/"))

        async def opened() -> bool:
            for listed in await self.context.store.tickets(self.account, state="open", before=None, limit=50):
                ticket = await self.context.store.ticket(self.account, listed.id)
                assert ticket is not None
                place = await self.context.store.conversation(self.account, ticket.conversation)
                if place is not None and place.address == self.conversation:
                    self.ticket = ticket.id
            return bool(self.ticket)

        await self.until(opened)

    async def write(self, *contents: Content) -> None:
        await reply(
            self.context, self.account, self.ticket, agent=self.made.demo.agent, actor=self.made.demo.agent, contents=contents, public=True
        )

    async def deliveries(self) -> list[Delivery]:
        return sorted(await self.context.store.deliveries_of(self.account, self.ticket), key=lambda each: each.seq)

    async def all_taken(self) -> list[Delivery]:
        async def taken() -> bool:
            return all(each.state in TAKEN for each in await self.deliveries())

        await self.until(taken)
        return await self.deliveries()

    def fault(self, mode: Mode, **more: object) -> None:
        self.made.demo.sandbox.sandbox.faults.set(Fault(self.service.name, mode, operation="send", **more))  # type: ignore[arg-type]

    def seen(self) -> list[str]:
        return [each["text"] for each in self.service.phone(self.conversation)["messages"] if not each["mine"]]


@contextlib.asynccontextmanager
async def house_at(name: str) -> AsyncIterator[House]:
    """The demonstration, its contact having written at that service."""
    async with demonstration() as made:
        service = made.demo.sandbox.sandbox.direct[name]
        (account,) = service.accounts.values()
        house = House(made, service, next(iter(account.conversations)))
        await house.begins()
        yield house
