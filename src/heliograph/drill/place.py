"""The place of one scenario: a sandbox, an installation with accounts on one shared credential, and processes of its releases."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from heliograph.bootstrap.application import Application, Config, build, look
from heliograph.bootstrap.keys import parse_master_key
from heliograph.bootstrap.operations import AddChannel, CreateAccount, CreateAgent, IssueToken, operate
from heliograph.drill.processes import PATIENCE, Child, NotDrilled, Sandbox, free_port, request, start

MASTER_KEY = bytes(range(32)).hex()
#: What the shared credential is called, and so part of its variables' names.
SHARED = "sunshine"
PREFIX = f"HELIOGRAPH_CREDENTIAL__{SHARED.upper()}__"
WEBHOOK_SECRET = "a-webhook-secret-of-the-drill-0123456789"


@dataclass(slots=True)
class Talk:
    """One conversation, its ticket, and the agent who answers in it."""

    account: str
    token: str = field(repr=False)
    agent: str
    conversation: str
    ticket: str = ""
    #: How many replies were written.
    written: int = 0


@dataclass(slots=True)
class Reply:
    """What an agent was told is saved: when (seconds, wall clock), where, and under which id."""

    at: float
    account: str
    agent: str
    ticket: str
    conversation: str
    delivery: str
    key: str
    #: When the agent asked for it to be saved; it was saved between then and `at`.
    asked_at: float


@dataclass(slots=True)
class Place:
    """See the module."""

    folder: Path
    database: str
    http: ClientSession
    sandbox: Sandbox
    port: int = 0
    #: Address at which channels reach the service; "" is its own.
    service: str = ""
    key_id: str = ""
    key_secret: str = field(default="", repr=False)
    #: Accounts on a key of their own, each with that key's id.
    own: dict[str, str] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def variables(self, **changes: str) -> dict[str, str]:
        """The environment of a release; `changes` are fields of the shared credential, or whole names."""
        fields = {"provider": "sunshine", "key_id": self.key_id, "key_secret": self.key_secret, "webhook_secret": WEBHOOK_SECRET}
        given = {PREFIX + name.upper(): value for name, value in fields.items()}
        given |= {"HELIOGRAPH_MASTER_KEY": MASTER_KEY, "HELIOGRAPH_ALLOW_NETWORKS": "127.0.0.0/8", "HELIOGRAPH_LOG_FORMAT": "json"}
        if self.database:
            given["HELIOGRAPH_DATABASE_URL"] = self.database
        return given | {name if name.isupper() else PREFIX + name.upper(): value for name, value in changes.items()}

    async def process(self, variables: Mapping[str, str], *, name: str = "heliograph") -> Child:
        """Start a process that does everything, on the place's port, or where another one has it, on a port of its own."""
        busy = any(child.process.returncode is None for child in self.children)
        port = free_port() if busy else self.port
        arguments = ("up", "--data", str(self.data), "--port", str(port), "--no-browser")
        child = await start(self.folder / f"{name}.out", "heliograph", *arguments, variables=variables)
        self.children.append(child)
        return child

    def config(self) -> Config:
        """To look into the store from here; this process takes no part in releases."""
        shared = {SHARED: {"provider": "sunshine", "key_id": self.key_id, "key_secret": self.key_secret}}
        return Config(
            self.data, parse_master_key(MASTER_KEY, source="the drill's key"), database=self.database, release="drill",
            allow_networks=("127.0.0.0/8",), http_process=False, shared=shared,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def ledger(self) -> AsyncIterator[Application]:
        """The store, to be read only."""
        application = await look(self.config())
        try:
            yield application
        finally:
            await application.close()

    async def found(self, *, accounts: int, agents: int, talks: int, own: int = 0) -> None:
        """Make accounts (the last `own` of them on a key of their own), agents and channels, before any process runs."""
        self.port = free_port()
        urls = await self.sandbox.ask("GET", "urls")
        apps = [await self.sandbox.ask("POST", "sunshine/apps", {"name": f"App {n}"}) for n in range(accounts)]
        key = await self.sandbox.ask("POST", "sunshine/keys", {"app_id": apps[0]["app_id"], "kind": "account"})
        self.key_id, self.key_secret = key["key_id"], key["key_secret"]
        application = await build(self.config())
        try:
            for number, app in enumerate(apps):
                await self._account(application, number, app, self.service or urls["sunshine"], agents, talks, own=number >= accounts - own)
        finally:
            await application.close()

    async def _account(
        self, application: Application, number: int, app: Mapping[str, str], url: str, agents: int, talks: int, *, own: bool
    ) -> None:
        made = await operate(application, CreateAccount(f"Account {number}", f"Admin {number}"))
        account = str(made["account"])
        self.accounts.append(account)
        config = {"base_url": url, "app_id": app["app_id"], "settle_seconds": "1"}
        if own:
            config |= {"key_id": app["key_id"], "key_secret": app["key_secret"], "webhook_secret": WEBHOOK_SECRET}
            self.own[account] = app["key_id"]
        channel = await operate(application, AddChannel(account, "sunshine", "Chat", config, "" if own else SHARED))
        target = f"http://127.0.0.1:{self.port}{channel['webhook']}"
        await self.sandbox.ask("POST", "sunshine/webhooks", {"app_id": app["app_id"], "target": target, "secret": WEBHOOK_SECRET})
        for _ in range(agents):
            agent = str((await operate(application, CreateAgent(account, "Agent")))["agent"])
            token = str((await operate(application, IssueToken(account, agent, "drill", "write")))["text"])
            for _ in range(talks):
                place = await self.sandbox.ask("POST", "sunshine/contacts", {"app_id": app["app_id"], "name": "Contact"})
                self.talks.append(Talk(account, token, agent, place["conversation"]))

    async def greet(self) -> None:
        """Every contact writes, and each has a ticket."""
        waiting = {f"{talk.conversation} greets": talk for talk in self.talks}
        for text, talk in waiting.items():
            await self.sandbox.ask("POST", "contact/text", {"conversation": talk.conversation, "text": text})
        deadline = time.monotonic() + PATIENCE
        while waiting:
            for account in self.accounts:
                token = next(talk.token for talk in self.talks if talk.account == account)
                _, page = await self.api("GET", "tickets?limit=100", token)
                for item in page["items"]:
                    if item["preview"] in waiting:
                        waiting.pop(item["preview"]).ticket = item["id"]
            if time.monotonic() > deadline:
                raise NotDrilled(f"{len(waiting)} customers' messages have no ticket")
            await asyncio.sleep(0.05)

    async def api(self, method: str, path: str, token: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """Ask whoever serves."""
        return await request(self.http, method, f"http://127.0.0.1:{self.port}/api/v1/{path}", token, body, key)

    async def say(self, talk: Talk) -> Reply:
        """An agent writes a reply and is told that it is saved; the judge is told too."""
        talk.written += 1
        key = f"{talk.conversation}-{talk.written}"
        body = {"contents": [{"type": "text", "text": f"answer {talk.written}"}]}
        asked_at = time.time()
        status, saved = await self.api("POST", f"tickets/{talk.ticket}/comments", talk.token, body, key)
        if status >= 300:
            raise NotDrilled(f"a reply was not saved: {status} {saved}")
        delivery = saved["deliveries"][0]
        reply = Reply(time.time(), talk.account, talk.agent, talk.ticket, talk.conversation, delivery, key, asked_at)
        self.replies.append(reply)
        await self.sandbox.ask("POST", "written", {"conversation": talk.conversation, "key": delivery, "order": talk.written})
        return reply

    async def drained(self, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the service has everything that was written; the judge's counts."""
        deadline = time.monotonic() + seconds
        while True:
            counts: dict[str, Any] = await self.sandbox.ask("GET", "counts")
            if counts["accepted"] - counts["doubled"] >= len(self.replies) or time.monotonic() > deadline:
                return counts
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def place(folder: Path, database: str) -> AsyncIterator[Place]:
    """Begin with an empty folder and an empty database; everything is stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    async with ClientSession(timeout=ClientTimeout(total=10)) as http:
        child = await start(folder / "sandbox.out", "heliograph.sandbox", "--port", "0", "--seed", "7", variables={})
        made = Place(folder, database, http, Sandbox(child, http))
        try:
            yield made
        finally:
            for each in [*made.children, child]:
                with contextlib.suppress(ProcessLookupError, TimeoutError):
                    await each.stop()
                each.kill()
