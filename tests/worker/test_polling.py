"""One process of all polls a channel, another takes over, and a service that refuses to be polled is left in peace and told of once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heliograph.bootstrap.application import Application, Config, build
from heliograph.bootstrap.metrics import Metrics
from heliograph.ports.http import HttpFile, HttpResponse
from heliograph.providers.registry import PROVIDERS
from heliograph.services.channels import Channels
from heliograph.services.configure import create_account, create_channel
from heliograph.worker import polling
from heliograph.worker.polling import Poller
from heliograph.worker.worker import Worker
from tests.storage.engines import PostgresEngine

WEBHOOK = b'{"ok":false,"error_code":409,"description":"Conflict: can\'t use getUpdates method while webhook is active"}'
END_TURNS = """SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
ME = HttpResponse(200, {}, b'{"ok":true,"result":{"id":1,"is_bot":true}}')


@dataclass
class Bot:
    """Telegram with one bot: whoever polls waits until there is something."""

    updates: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    #: Who polls at the moment, by name.
    polling: list[str] = field(default_factory=list)
    together: int = 0

    def write(self, number: int) -> None:
        said = {"message_id": number, "date": 1772357400, "chat": {"id": 5, "type": "private"}, "from": {"id": 5}, "text": f"n{number}"}
        self.updates.append({"update_id": number, "message": said})
        self.news.set()

    async def updates_from(self, who: str, offset: int) -> list[dict[str, Any]]:
        self.polling.append(who)
        self.together = max(self.together, len(self.polling))
        try:
            while not (found := [each for each in self.updates if each["update_id"] >= offset]):
                self.news.clear()
                await self.news.wait()
            return found
        finally:
            self.polling.remove(who)

    async def until_polled(self, *, without: str = "") -> str:
        async with asyncio.timeout(20):
            while not (found := [who for who in self.polling if who != without]):
                await asyncio.sleep(0.01)
        return found[0]


@dataclass
class Line:
    """`ports.Http` of one process to the bot."""

    who: str
    bot: Bot

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (), timeout: float, max_bytes: int = 1_048_576,
    ) -> HttpResponse:  # fmt: skip
        if not url.endswith("/getUpdates"):
            return ME
        found = await self.bot.updates_from(self.who, msgspec.json.decode(body or b"{}").get("offset", 0))
        return HttpResponse(200, {}, msgspec.json.encode({"ok": True, "result": found}))


async def process(folder: Path, database: str, http: Any) -> tuple[Application, Worker]:
    application = await build(Config(folder, b"k" * 32, database=database, http_process=False))
    context = application.context
    context.channels = Channels(context.store, lambda name, fields: PROVIDERS[name](fields, http), context.channels.vault)
    return application, Worker(context, application.holds, name=f"w{id(application)}", concurrency=2, lease=60.0)


async def bot_channel(application: Application) -> tuple[str, str]:
    account = await create_account(application.context, "Lighthouse")
    spec = application.specs["telegram"]
    return account, await create_channel(application.context, account, spec, name="x", config={"token": "1:x"}, actor="operator")


async def test_one_of_two_workers_polls_and_the_other_takes_over(
    tmp_path: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "TURN", 0.05)
    bot = Bot()
    workers = {who: await process(tmp_path, empty_database, Line(who, bot)) for who in ("first", "second")}
    account, channel = await bot_channel(workers["first"][0])
    store = workers["first"][0].context.store
    try:
        for _, worker in workers.values():
            worker.start()
        holder = await bot.until_polled()
        for number in range(1, 6):
            bot.write(number)
            await said(store, account, channel, number)
        assert await bot.until_polled() == holder
        # Its session ends as it does when the process is killed.
        engine = PostgresEngine(empty_database)
        workers[holder][1]._polls[channel].cancel()
        await engine.raw(END_TURNS)
        heir = await bot.until_polled(without=holder)
        bot.write(6)
        await said(store, account, channel, 6)
        # And when it stops in order, the turn goes on at once.
        workers[holder][0].context.channels_changed.set()
        await workers[heir][1].stop()
        assert await bot.until_polled(without=heir) == holder
        assert bot.together == 1
    finally:
        for application, worker in workers.values():
            await worker.stop()
            await application.close()


async def said(store: Any, account: str, channel: str, number: int) -> None:
    """Wait until the contact's so many messages are comments, each once."""
    async with asyncio.timeout(20):
        while True:
            conversation = await store.conversation_at(account, channel, "5")
            found = [] if conversation is None else await store.comments(account, conversation.ticket)
            assert len(found) <= number
            if len(found) == number:
                return
            await asyncio.sleep(0.01)


async def test_who_refuses_to_be_polled_is_asked_less_and_less_and_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [HttpResponse(409, {}, WEBHOOK)] * 9 + [HttpResponse(502, {}, b"")] * 5 + [HttpResponse(200, {}, b'{"ok":true,"result":[]}')]

    class Script:
        async def request(self, method: str, url: str, **_: Any) -> HttpResponse:
            if not url.endswith("/getUpdates"):
                return ME
            if not answers:
                await asyncio.Event().wait()
            return answers.pop(0)

    application, _ = await process(tmp_path, "", Script())
    account, id = await bot_channel(application)
    context = application.context
    channel = await context.store.channel(account, id)
    assert channel is not None
    metrics = Metrics(context.clock.now)
    observed: list[tuple[str, Mapping[str, Any]]] = []
    pauses: list[float] = []

    def observe(name: str, fields: Mapping[str, Any]) -> None:
        observed.append((name, fields))
        metrics.observe(name, fields)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    context.observe = observe
    monkeypatch.setattr(context.clock, "sleep", sleep)
    task = asyncio.create_task(Poller(context, channel).run())
    async with asyncio.timeout(10):
        while not any(name == "poll_resumed" for name, _ in observed):
            await asyncio.sleep(0.001)
    task.cancel()
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60] and pauses[9:] == [8] * 5
    assert [fields["code"] for name, fields in observed if name == "poll_stopped"] == ["webhook_set", "502"]
    assert [name for name, _ in observed].count("poll_resumed") == 1
    page = (await metrics.render(context.store)).decode()
    assert 'heliograph_polls_failed_total{provider="telegram",reason="not_permitted"} 9.0' in page
    await application.close()
