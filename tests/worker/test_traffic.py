"""One provider that hangs, one account in a burst and one channel that is too fast keep nobody else waiting, on both stores."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain.content import Text
from heliograph.ports import rows
from heliograph.ports.http import HttpFile, HttpResponse
from heliograph.ports.store import Changes
from heliograph.providers.registry import PROVIDERS
from heliograph.services.bulkheads import PATIENCE
from heliograph.services.channels import Channels
from heliograph.services.configure import create_account, create_agent, create_channel
from heliograph.services.reply import reply
from heliograph.worker.delivering import DeliveryLoop
from tests.storage.engines import Engine, PostgresEngine

CONCURRENCY = 8
TAKEN = {
    "sunshine": HttpResponse(201, {}, b'{"messages":[{"id":"m1"}]}'),
    "telegram": HttpResponse(200, {}, b'{"ok":true,"result":{"message_id":7,"chat":{"id":5}}}'),
}


@dataclass
class Line:
    """`ports.Http` with a script for each host. `called`: (host, conversation, when) of every call, as it begins."""

    hosts: dict[str, Callable[[], Awaitable[HttpResponse]]] = field(default_factory=dict)
    called: list[tuple[str, str, float]] = field(default_factory=list)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (), timeout: float, max_bytes: int = 1_048_576,
    ) -> HttpResponse:  # fmt: skip
        host = urlsplit(url).netloc
        self.called.append((host, url.rsplit("/", 2)[-2] if host != "bot.example" else (body or b"").decode(), time.monotonic()))
        return await self.hosts[host]()

    def calls(self, host: str) -> int:
        return sum(called[0] == host for called in self.called)


@dataclass
class Town:
    """Accounts with one channel each, named after the host at which its provider is."""

    application: Application
    line: Line
    loop: DeliveryLoop
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def work(self) -> None:
        self.running.append(asyncio.create_task(self.loop.run()))

    async def found(self, host: str, conversations: int, *, provider: str = "sunshine") -> None:
        context = self.application.context
        account = await create_account(context, host)
        self.accounts[host] = account, await create_agent(context, account, "Sam")
        secrets = {"token": "1:x"} if provider == "telegram" else {"app_id": "app", "key_id": "app_k", "key_secret": "s"}
        config = {**secrets, "base_url": f"https://{host}"}
        channel = await create_channel(context, account, self.application.specs[provider], name=host, config=config, actor="operator")
        changes = Changes(account, context.clock.now())
        for n in range(conversations):
            ids = [context.new_id(prefix) for prefix in ("con", "cnv")]
            changes.puts += [
                rows.Contact(account, ids[0], "Ada", changes.at),
                rows.Conversation(account, ids[1], channel, str(n), ids[0], f"{host}_{n}", "", changes.at, 0, changes.at),
                rows.Ticket(account, f"{host}_{n}", 0, ids[1], channel, ids[0], "open", changes.at, changes.at),
            ]
        await context.store.commit(changes)

    async def say(self, host: str, conversation: int) -> None:
        account, agent = self.accounts[host]
        ticket = f"{host}_{conversation}"
        await reply(self.application.context, account, ticket, agent=agent, actor="a", contents=[Text("hi")], public=True)

    async def accepted(self, host: str) -> int:
        return (await self.application.context.store.counts(self.accounts[host][0])).get("accepted", 0)

    async def until_accepted(self, host: str, number: int) -> None:
        while await self.accepted(host) < number:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def town(folder: Path, engine: Engine) -> AsyncIterator[Town]:
    database = engine.dsn if isinstance(engine, PostgresEngine) else ""
    application = await build(Config(folder, b"k" * 32, database=database, http_process=False))
    context, line = application.context, Line()
    context.channels = Channels(context.store, lambda name, fields: PROVIDERS[name](fields, line), context.channels.vault)
    loop = DeliveryLoop(context, application.holds, worker="w", concurrency=CONCURRENCY, lease=60.0)
    context.store.on_touched = loop.wake
    made = Town(application, line, loop)
    try:
        async with asyncio.timeout(60):
            yield made
    finally:
        loop.stop()
        await asyncio.gather(*made.running)
        await application.close()


async def test_a_provider_that_hangs_keeps_a_few_calls_and_all_others_go_on(tmp_path: Path, engine: Engine) -> None:
    async with town(tmp_path, engine) as made:
        over = asyncio.Event()

        async def never() -> HttpResponse:
            await over.wait()
            return TAKEN["sunshine"]

        async def at_once() -> HttpResponse:
            await asyncio.sleep(0)
            return TAKEN["sunshine"]

        made.line.hosts = {"hangs.example": never, "well.example": at_once}
        await made.found("hangs.example", 60)
        await made.found("well.example", 20)
        made.work()
        for n in range(60):
            await made.say("hangs.example", n)
        while made.line.calls("hangs.example") < CONCURRENCY:
            await asyncio.sleep(0.01)
        for n in range(20):
            await made.say("well.example", n)
        await made.until_accepted("well.example", 20)
        # As long as its calls are young they leave the spare of the pool; afterwards its window holds.
        await asyncio.sleep(2 * PATIENCE / 1_000_000)
        for n in range(20):
            await made.say("well.example", n)
        await made.until_accepted("well.example", 40)
        assert CONCURRENCY <= made.line.calls("hangs.example") <= 2 * CONCURRENCY
        over.set()
        await made.until_accepted("hangs.example", 60)


async def test_a_reply_of_another_account_does_not_wait_for_a_burst(tmp_path: Path, engine: Engine) -> None:
    async with town(tmp_path, engine) as made:

        async def slowly() -> HttpResponse:
            await asyncio.sleep(0.05)
            return TAKEN["sunshine"]

        made.line.hosts = dict.fromkeys(("burst.example", "other.example"), slowly)
        await made.found("burst.example", 150)
        await made.found("other.example", 1)
        for n in range(150):
            await made.say("burst.example", n)
        made.work()
        for number in range(1, 4):
            before = len(made.line.called)
            await made.say("other.example", 0)
            await made.until_accepted("other.example", number)
            # The calls that were under way may have to end, and those that replaced them before it was written down.
            assert [called[0] for called in made.line.called[before:]].index("other.example") <= 2 * CONCURRENCY
        assert made.line.calls("burst.example") < 150
        await made.until_accepted("burst.example", 150)


async def test_a_channel_that_is_too_fast_is_slowed_and_waits_in_the_store(tmp_path: Path, engine: Engine) -> None:
    async with town(tmp_path, engine) as made:
        took: list[float] = []
        refused: list[float] = []

        async def twenty_a_second() -> HttpResponse:
            await asyncio.sleep(0)
            now = time.monotonic()
            if sum(at > now - 1 for at in took) >= 20:
                refused.append(now)
                return HttpResponse(429, {}, b"{}")
            took.append(now)
            return TAKEN["sunshine"]

        made.line.hosts = {"fast.example": twenty_a_second}
        await made.found("fast.example", 80)
        for n in range(80):
            await made.say("fast.example", n)
        made.work()
        claims = 0
        claim = made.application.context.store.claim

        async def counted(**named: object) -> object:
            nonlocal claims
            claims += 1
            return await claim(**named)  # type: ignore[arg-type]

        made.application.context.store.claim = counted  # type: ignore[method-assign, assignment]
        begun = time.monotonic()
        await made.until_accepted("fast.example", 80)
        seconds = time.monotonic() - begun
        assert len(refused) <= 3 * CONCURRENCY
        # Once for what was accepted, once for what was refused, and the rounds that find out whether it is time.
        assert claims <= 80 + len(refused) + 60 * seconds


async def test_a_conversation_that_is_too_fast_waits_alone(tmp_path: Path, engine: Engine) -> None:
    async with town(tmp_path, engine) as made:
        slow_down = HttpResponse(429, {}, b'{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":40}}')

        async def not_the_first() -> HttpResponse:
            await asyncio.sleep(0)
            return slow_down if '"chat_id":"0"' in made.line.called[-1][1].replace(" ", "") else TAKEN["telegram"]

        made.line.hosts = {"bot.example": not_the_first}
        await made.found("bot.example", 4, provider="telegram")
        made.work()
        burst = PROVIDERS["telegram"].spec.rates.burst
        for n in (0, *[1, 2] * (burst + 1)):
            await made.say("bot.example", n)
        await made.until_accepted("bot.example", 2 * (burst + 1))
        assert len(made.line.called) == 1 + 2 * (burst + 1)
        for chat in ('"1"', '"2"'):
            at = [at for _, body, at in made.line.called if chat in body]
            assert at[-1] - at[0] >= 1.0
