"""One of our providers connected to its simulated service through sockets, and what comes in: for tests of both directions."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeVar

from heliograph.bootstrap.system import SystemClock
from heliograph.domain.content import Content
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.ports.provider import InboundMessage, Receipt
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import configured
from heliograph.sandbox.direct.service import DirectService
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Request, Upload
from tests.sandbox.listening import Listening


@dataclass
class Connected:
    """A provider with one account at its service."""

    running: RunningSandbox
    provider: Any
    listening: Listening
    service: DirectService
    account: Account

    @property
    def first(self) -> str:
        """The account's first conversation."""
        return next(iter(self.account.conversations))

    def fault(self, mode: Mode, **more: Any) -> None:
        self.running.sandbox.faults.set(Fault(self.service.name, mode, **more))

    def act(self, name: str, body: Any = None, *files: Upload, to: str = "") -> Any:
        """What a contact does, the first unless `to` says another."""
        return self.service.acts[name](to or self.first, body or {}, Request("POST", "/", files=files))

    def seen(self, to: str = "") -> list[Any]:
        """What that contact has got from us."""
        return [each for each in self.service.phone(to or self.first)["messages"] if not each["mine"]]

    async def message(self, kind: type[Content]) -> InboundMessage:
        """The first message with content of that kind, once it is in."""
        found = await self.listening.until(
            lambda fact: isinstance(fact, InboundMessage) and any(isinstance(each, kind) for each in fact.contents)
        )
        assert isinstance(found, InboundMessage)
        return found

    async def receipt(self, level: ReceiptLevel) -> Receipt:
        """The first receipt of that level, once it is in."""
        found = await self.listening.until(lambda fact: isinstance(fact, Receipt) and fact.level is level)
        assert isinstance(found, Receipt)
        return found


C = TypeVar("C", bound=Connected)


@contextlib.asynccontextmanager
async def connected(made: type[C], name: str, *, fragment: str = "", told: bool = True) -> AsyncIterator[C]:
    """All of it, until the block ends. `told`: the service knows our address, with `fragment` behind it."""
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    try:
        async with Listening() as listening, AiohttpHttp(guarded=True, allow=("127.0.0.0/8",)) as http:
            config = sandbox.seed_direct(name, webhook_url=listening.url + fragment if told else "")
            listening.provider = configured(
                name, {**config, "base_url": running.urls[name], "webhook_url": listening.url}, http, SystemClock()
            )
            service = sandbox.direct[name]
            (account,) = service.accounts.values()
            yield made(running, listening.provider, listening, service, account)
    finally:
        await running.stop()
