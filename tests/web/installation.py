"""A running Heliograph with two accounts, the sandbox as provider, and HTTP clients with tokens of every scope."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvicorn
from aiohttp import ClientSession
from yarl import URL

from heliograph.bootstrap.application import Application, Config, build, worker_name
from heliograph.bootstrap.metrics import Metrics
from heliograph.bootstrap.system import SystemClock
from heliograph.ports.runtime import Failpoint
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.world import Demo
from heliograph.services import configure, tokens
from heliograph.web.app import create_app
from heliograph.web.auth import OpenAccess
from heliograph.web.vitals import Vitals
from heliograph.worker.worker import Worker

SECRET = "canary-webhook-secret"
ALLOW = ("127.0.0.0/8",)


class Answer(NamedTuple):
    """A complete answer."""

    code: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body; None where it is empty."""
        return msgspec.json.decode(self.body) if self.body else None


@dataclass(slots=True)
class House:
    """Everything that a test of the web needs."""

    application: Application
    sandbox: RunningSandbox
    demo: Demo
    url: str
    http: ClientSession
    vitals: Vitals
    app: Any
    worker: Worker
    channel: str
    observed: list[tuple[str, dict[str, str | int | float]]]
    tokens: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None, *, by: str = "admin", **sent: str) -> tuple[int, Any]:
        """One request by the holder of a token, `sent` as headers; returns the code and the decoded body."""
        raw = None if body is None else msgspec.json.encode(body)
        if raw is not None:
            sent["content_type"] = "application/json"
        answer = await self.send(method, path, raw, by=by, **sent)
        return answer.code, answer.json()

    async def send(self, method: str, path: str, raw: bytes | None = None, *, by: str = "admin", **sent: str) -> "Answer":
        """The same with bytes as they are, and everything of the answer."""
        headers = {name.replace("_", "-"): value for name, value in sent.items()}
        if by:
            headers["authorization"] = f"Bearer {self.tokens[by]}"
        skip = () if "content-type" in headers else ("content-type",)
        async with self.http.request(
            method, URL(self.url + path, encoded=True), data=raw, headers=headers, allow_redirects=False, skip_auto_headers=skip
        ) as answer:
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read())

    async def write(self, ticket: str, text: str, *, by: str = "write", public: bool = True) -> dict[str, Any]:
        """A comment that must be saved."""
        body = {"contents": [{"type": "text", "text": text}], "public": public}
        code, saved = await self.call("POST", f"/api/v1/tickets/{ticket}/comments", body, by=by)
        assert code == 201, saved
        return dict(saved)

    async def contact_writes(self, text: str) -> None:
        """The demo contact writes; the sandbox calls our webhook if the channel has one there."""
        self.sandbox.sandbox.sunshine.contacts.write(self.demo.conversation_id, {"type": "text", "text": text})

    async def eventually(self, ask: Any, want: Any, seconds: float = 15) -> Any:
        """Ask again until `want` says yes of the answer."""
        async with asyncio.timeout(seconds):
            while True:
                got = await ask()
                if want(got):
                    return got
                await asyncio.sleep(0.02)

    async def ticket(self) -> dict[str, Any]:
        """The first open ticket, once it is there."""

        async def ask() -> Any:
            return (await self.call("GET", "/api/v1/tickets"))[1]["items"]

        found = await self.eventually(ask, bool)
        return dict(found[0])


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The application behind a real socket; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", access_log=False))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def nothing(name: str) -> None:
    """No failpoint."""


@contextlib.asynccontextmanager
async def house(folder: Path, *, failpoint: Failpoint = nothing, open_access: bool = False, database: str = "") -> AsyncIterator[House]:
    """A house on a fresh store. The worker is made and not started."""
    observed: list[tuple[str, dict[str, str | int | float]]] = []
    metrics = Metrics(SystemClock().now)

    def observe(name: str, fields: Mapping[str, str | int | float]) -> None:
        observed.append((name, dict(fields)))
        metrics.observe(name, fields)

    application = await build(
        Config(folder, b"k" * 32, database=database, allow_networks=ALLOW),
        observe=observe,
        failpoint=failpoint,
    )
    context = application.context
    vitals = Vitals(metrics)
    who: OpenAccess | None = OpenAccess("acc_one", "agt_one") if open_access else None
    app = create_app(application, vitals=vitals, open_access=who)
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(7))
    worker = Worker(context, application.holds, name=worker_name(), concurrency=8, lease=60)
    store = application.context.store
    store.on_touched = worker.delivery.wake
    try:
        async with serving(app) as url, ClientSession() as http:
            made = House(application, sandbox, sandbox.sandbox.seed_demo(), url, http, vitals, app, worker, "chn_sunshine", observed)
            await _people(made)
            await _channel(made)
            yield made
            await worker.stop()
    finally:
        await sandbox.stop()
        await application.close()


async def _people(made: House) -> None:
    context = made.application.context
    for name in ("one", "two"):
        await configure.create_account(context, name.title(), id=f"acc_{name}")
        await configure.create_agent(context, f"acc_{name}", f"Agent {name}", id=f"agt_{name}")
    for label, account, scope in (
        ("read", "one", "read"), ("write", "one", "write"), ("admin", "one", "admin"), ("other", "two", "admin"), ("spare", "one", "read"),
    ):  # fmt: skip
        text = tokens.new_text(context.rng)
        await configure.issue_token(context, f"acc_{account}", label, scopes=scope, agent=f"agt_{account}", secret=text, actor="operator")
        made.tokens[label] = text


async def _channel(made: House) -> None:
    demo = made.demo
    config = {
        "app_id": demo.app_id, "key_id": demo.key_id, "key_secret": demo.key_secret, "webhook_secret": SECRET,
        "base_url": made.sandbox.sunshine_url,
    }  # fmt: skip
    context = made.application.context
    spec = made.application.specs["sunshine"]
    await configure.create_channel(context, "acc_one", spec, name="Sunshine", config=config, actor="operator", id=made.channel)
    center = made.sandbox.sandbox.sunshine.center
    app = center.apps[demo.app_id]
    desk = app.integrations[demo.integration_id]
    target = f"{made.url}/hooks/sunshine/{made.channel}"
    center.new_webhook(app, desk, target=target, triggers=TRIGGERS, secret=SECRET)


TRIGGERS = (
    "conversation:message", "conversation:message:delivery:channel", "conversation:message:delivery:user",
    "conversation:message:delivery:failure", "conversation:read", "user:merge",
)  # fmt: skip
