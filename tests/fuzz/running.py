"""One process of the fuzzing: a real installation under fire, and an account of what became of every body."""

import asyncio
import collections
import random
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from heliograph.bootstrap.application import Application, Config, build
from heliograph.bootstrap.metrics import Metrics
from heliograph.bootstrap.system import SystemClock
from heliograph.ports.provider import Ignored, InboundMessage, RawRequest
from heliograph.services import configure
from heliograph.web.app import create_app
from heliograph.web.vitals import Vitals
from tests.fuzz.bodies import body
from tests.providers.under_contract import CASES

AT_ONCE = 48


class Outcome(NamedTuple):
    """What one process saw."""

    sent: int
    codes: dict[int, int]
    raised: list[str]
    expected: int
    kept: int
    ignored: int


class Channel(NamedTuple):
    """One channel under fire."""

    provider: str
    id: str
    connected: Any


def run(seed: int, count: int, only: str) -> Outcome:
    """One process's share."""
    return asyncio.run(_run(seed, count, only))


async def _run(seed: int, count: int, only: str) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="heliograph-fuzz-") as folder:
        observed: collections.Counter[str] = collections.Counter()

        def observe(name: str, fields: Mapping[str, Any]) -> None:
            observed[name] += 1

        application = await build(Config(Path(folder), b"k" * 32, http_process=False), observe=observe)
        try:
            channels = await _channels(application, only)
            metrics = Metrics(SystemClock().now)
            app = create_app(application, vitals=Vitals(metrics))
            sending = Sending(app, channels, random.Random(seed))
            await asyncio.gather(*(sending.go(count // AT_ONCE) for _ in range(AT_ONCE)))
        finally:
            await application.close()
        with sqlite3.connect(Path(folder) / "heliograph.db") as store:
            (kept,) = store.execute("SELECT count(*) FROM comment").fetchone()
        return Outcome(sum(sending.codes.values()), dict(sending.codes), sending.raised[:20], len(sending.messages), kept, sending.ignored)


async def _channels(application: Application, only: str) -> list[Channel]:
    context = application.context
    account = await configure.create_account(context, "Fuzz")
    made = []
    for name, case in CASES.items():
        if only and name != only:
            continue
        id = await configure.create_channel(context, account, application.specs[name], name=name, config=case.config, actor="operator")
        connected = await context.channels.get(account, id)
        assert connected is not None
        # What is under fire is what comes after the signature, which has tests of its own.
        type(connected.provider).verify = lambda self, request: None
        made.append(Channel(name, id, connected))
    return made


class Sending:
    """Calls the application as a server would, without sockets."""

    def __init__(self, app: Any, channels: list[Channel], chance: random.Random) -> None:
        self._app, self._channels, self._chance = app, channels, chance
        self.codes: collections.Counter[int] = collections.Counter()
        self.raised: list[str] = []
        self.messages: set[tuple[str, str]] = set()
        self._others: set[tuple[str, str]] = set()
        self.ignored = 0

    async def go(self, count: int) -> None:
        """So many, one after the other."""
        for _ in range(count):
            await self._one(self._chance.choice(self._channels))

    async def _one(self, channel: Channel) -> None:
        sent = body(channel.provider, self._chance)
        self._expect(channel, sent)
        try:
            code = await self._post(f"/hooks/{channel.provider}/{channel.id}", sent)
        except Exception as error:
            self.raised.append(f"{channel.provider}: {type(error).__name__}: {sent[:200]!r}")
            return
        self.codes[code] += 1
        if code >= 500:
            self.raised.append(f"{channel.provider}: {code}: {sent[:200]!r}")

    def _expect(self, channel: Channel, sent: bytes) -> None:
        """Remember each message that it brings under an id that has not been used."""
        for fact in channel.connected.provider.parse(RawRequest("POST", "/", {}, {}, sent)):
            key = (channel.id, fact.event_id)
            if isinstance(fact, Ignored):
                self.ignored += 1
            elif key not in self._others and isinstance(fact, InboundMessage):
                self.messages.add(key)
            elif key not in self.messages:
                self._others.add(key)

    async def _post(self, path: str, sent: bytes) -> int:
        codes: list[int] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"desk.example"), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "root_path": "",
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])

        await self._app(scope, receive, send)
        return codes[0]
