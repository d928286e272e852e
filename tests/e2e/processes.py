"""Heliograph and the sandbox as processes of their own, started, killed and asked from outside."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout

MASTER_KEY = bytes(range(32)).hex()
READY = re.compile(r"(http://[\w.:\[\]]+)")
#: Seconds in which anything that is waited for must have happened.
PATIENCE = 60.0


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**extra: str) -> dict[str, str]:
    """The variables of a child: nothing of ours but what a test sets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")}
    return kept | {"HELIOGRAPH_MASTER_KEY": MASTER_KEY, "HELIOGRAPH_ALLOW_NETWORKS": "127.0.0.0/8"} | extra


async def command(*arguments: str, lines: str = "", **extra: str) -> tuple[int, str, str]:
    """Run `heliograph …` to its end: exit code, standard output, standard error."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heliograph", *arguments, env=environment(COLUMNS="200", **extra),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(child.communicate(lines.encode()), PATIENCE)
    return int(child.returncode or 0), out.decode(), err.decode()


async def made(*arguments: str, lines: str = "", **extra: str) -> dict[str, Any]:
    """Run `heliograph … --json`, which must succeed, and return its answer."""
    code, out, err = await command(*arguments, "--json", lines=lines, **extra)
    assert code == 0, err
    return dict(json.loads(out))


class Made(Protocol):
    """Something that runs `heliograph … --json` and returns its answer: `made`, or who does it without a new process."""

    async def __call__(self, *arguments: str, lines: str = "", **extra: str) -> dict[str, Any]: ...


@dataclass(slots=True)
class Child:
    """A running process and everything that it wrote."""

    process: asyncio.subprocess.Process
    url: str
    #: Seconds from its start to the line that says that it is ready.
    ready_after: float
    output: Path

    def text(self) -> str:
        """All that it wrote so far, both streams."""
        return self.output.read_text("utf-8", errors="replace")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.send_signal(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


async def start(output: Path, module: str, *arguments: str, extra: dict[str, str] | None = None) -> Child:
    """Start `python -m module` and wait for the first line with its address. Its output is appended to a file."""
    begun = time.monotonic()
    with output.open("ab") as sink:
        seen = sink.tell()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, env=environment(**(extra or {})),
            stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink,
        )  # fmt: skip
    while time.monotonic() - begun < PATIENCE:
        with output.open("rb") as written:
            written.seek(seen)
            for line in written.read().decode("utf-8", "replace").split("\n")[:-1]:
                found = READY.search(line) if not line.startswith("{") else None
                if found or line.startswith("Heliograph works"):
                    return Child(process, found[1] if found else "", time.monotonic() - begun, output)
        if process.returncode is not None:
            break
        await asyncio.sleep(0.01)
    raise AssertionError(f"it did not start: {output.read_text('utf-8', errors='replace')[-2000:]}")


@dataclass(slots=True)
class Remote:
    """The sandbox in a process of its own, steered over its control API."""

    child: Child
    http: ClientSession

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One control request that must succeed."""
        async with self.http.request(method, f"{self.child.url}/sandbox/{path}", json=body) as answer:
            data = await answer.json()
            assert answer.status == 200, data
            return data

    async def counts(self) -> dict[str, Any]:
        """The judge's verdict."""
        return dict(await self.ask("GET", "counts"))

    async def until(self, *, accepted: int, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the services have taken that many messages."""
        counts: dict[str, Any] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            counts = await self.counts()
            if counts["accepted"] >= accepted:
                return counts
            await asyncio.sleep(0.02)
        raise AssertionError(f"only {counts} after {seconds} s")


async def sandbox(folder: Path, http: ClientSession) -> Remote:
    """Start one."""
    return Remote(await start(folder / "sandbox.out", "heliograph.sandbox", "--port", "0", "--seed", "7"), http)


@dataclass(slots=True)
class Desk:
    """One installation with one Sunshine channel, whatever process serves it at the moment."""

    folder: Path
    port: int
    database: str
    http: ClientSession
    remote: Remote
    account: str = ""
    agent: str = ""
    channel: str = ""
    token: str = field(default="", repr=False)
    key_id: str = ""
    key_secret: str = field(default="", repr=False)
    app: str = ""
    child: Child | None = None
    #: Tickets by the sandbox's conversation, in the order in which the contacts were made.
    tickets: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "desk"

    @property
    def output(self) -> Path:
        """Where all its processes write."""
        return self.folder / "desk.out"

    def variables(self) -> dict[str, str]:
        """What every process and command of this installation needs."""
        return {"HELIOGRAPH_DATABASE_URL": self.database} if self.database else {}

    async def start(self, **extra: str) -> Child:
        """Start a process that does everything."""
        arguments = ("up", "--data", str(self.data), "--port", str(self.port), "--no-browser")
        self.child = await start(self.output, "heliograph", *arguments, extra=self.variables() | extra)
        return self.child

    async def create(self, made: Made) -> None:
        """Account, agent, channel and token, by the command line, before anything runs."""
        place = ("--data", str(self.data))
        seeded = await self.remote.ask("POST", "seed", {})
        urls = await self.remote.ask("GET", "urls")
        self.key_id, self.key_secret = seeded["key_id"], seeded["key_secret"]
        who = await made("account", "create", "Lighthouse", "--admin", "Sam", *place, **self.variables())
        self.account, self.agent = who["account"], who["agent"]
        settings = {
            "base_url": urls["sunshine"], "app_id": seeded["app_id"], "key_id": seeded["key_id"], "settle_seconds": "1",
            "integration_id": seeded["integration_id"],
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        channel = await made(
            "channel", "add", "sunshine", "--account", self.account, *options, "--secret", "key_secret", "--secret", "webhook_secret",
            *place, lines=f"{seeded['key_secret']}\n{WEBHOOK_SECRET}\n", **self.variables(),
        )  # fmt: skip
        self.channel = channel["channel"]
        await self.remote.ask(
            "POST", "sunshine/webhooks",
            {"app_id": seeded["app_id"], "integration_id": seeded["integration_id"], "target": self.url + channel["webhook"],
             "secret": WEBHOOK_SECRET},
        )  # fmt: skip
        issued = await made(
            "token", "issue", "--account", self.account, "--agent", self.agent, "--scopes", "write", *place, **self.variables()
        )
        self.token = issued["text"]
        self.app = seeded["app_id"]

    async def contacts(self, number: int, *, name: str = "Contact") -> None:
        """So many contacts write, and each has a ticket."""
        by_text = {}
        for n in range(number):
            place = await self.remote.ask("POST", "sunshine/contacts", {"app_id": self.app, "name": f"{name} {n}"})
            by_text[f"{GREETING} {n}."] = place["conversation"]
        for text, conversation in by_text.items():
            await self.remote.ask("POST", "contact/text", {"conversation": conversation, "text": text})
        deadline = time.monotonic() + PATIENCE
        while len(self.tickets) < number:
            assert time.monotonic() < deadline, f"only {len(self.tickets)} tickets"
            for item in await self.list("tickets"):
                if item["preview"] in by_text:
                    self.tickets[by_text[item["preview"]]] = item["id"]
            await asyncio.sleep(0.02)

    async def list(self, what: str) -> list[dict[str, Any]]:
        """All items of an API list."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.ask("GET", what + ("&" if "?" in what else "?") + "limit=100" + (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page.get("next") or ""
            if not cursor:
                return items

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """One API request, repeated while nobody answers."""
        headers = {"authorization": f"Bearer {self.token}"} | ({"idempotency-key": key} if key else {})
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                async with self.http.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers) as answer:
                    data = await answer.json(content_type=None)
                    assert answer.status < 300, (answer.status, data)
                    return data
            except (ClientError, OSError, TimeoutError):
                assert time.monotonic() < deadline, "nobody answers"
                await asyncio.sleep(0.05)

    async def settled(self, total: int, *, seconds: float = PATIENCE) -> None:
        """Wait until the desk itself says of so many replies that the provider has them, and of none that it waits."""
        deadline = time.monotonic() + seconds
        while True:
            found = await asyncio.gather(*(self.list(f"deliveries?state={state}") for state in ("accepted", "delivered", "read")))
            if sum(map(len, found)) == total:
                return
            assert time.monotonic() < deadline, f"{sum(map(len, found))} of {total} arrived"
            await asyncio.sleep(0.1)

    async def reply(self, conversation: str, text: str, *, order: int) -> str:
        """Write a reply, be told that it is saved, and tell the judge. Returns the delivery."""
        body = {"contents": [{"type": "text", "text": text}]}
        saved = await self.ask("POST", f"tickets/{self.tickets[conversation]}/comments", body, key=f"{conversation}-{order}")
        await self.remote.ask("POST", "written", {"conversation": conversation, "key": saved["deliveries"][0], "order": order})
        return str(saved["deliveries"][0])


GREETING = "canary-body-inbound greets you from"
WEBHOOK_SECRET = "canary-secret-of-the-webhook-0123456789"


def patient_client() -> ClientSession:
    """A client that gives up on a dead process in time to ask the next one."""
    return ClientSession(timeout=ClientTimeout(total=10))
