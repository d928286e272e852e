"""An installation on a credential of the environment, deployed anew while agents write the whole time."""

import asyncio
import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError

from heliograph.bootstrap.presence import present
from tests.e2e import ledger
from tests.e2e.processes import MASTER_KEY, PATIENCE, WEBHOOK_SECRET, Child, Desk, Made, command, made

PREFIX = "HELIOGRAPH_CREDENTIAL__SUN__"
SECRET = PREFIX + "KEY_SECRET"


@dataclass(slots=True)
class SharedDesk(Desk):
    """Its one channel is on the credential `sun` of the environment."""

    credential: dict[str, str] = field(default_factory=dict, repr=False)

    def variables(self) -> dict[str, str]:
        """What every process and command of this installation needs."""
        base = {"HELIOGRAPH_DATABASE_URL": self.database} if self.database else {}
        return base | {PREFIX + name.upper(): value for name, value in self.credential.items()}

    async def create(self, made: Made) -> None:
        """Account, agent, channel and token, by the command line, before anything runs."""
        place = ("--data", str(self.data))
        seeded = await self.remote.ask("POST", "seed", {})
        urls = await self.remote.ask("GET", "urls")
        self.key_id, self.key_secret, self.app = seeded["key_id"], seeded["key_secret"], seeded["app_id"]
        self.credential = {
            "provider": "sunshine", "key_id": self.key_id, "key_secret": self.key_secret, "webhook_secret": WEBHOOK_SECRET,
        }  # fmt: skip
        who = await made("account", "create", "Lighthouse", "--admin", "Sam", *place, **self.variables())
        self.account, self.agent = who["account"], who["agent"]
        settings = {
            "base_url": urls["sunshine"], "app_id": self.app, "settle_seconds": "1", "integration_id": seeded["integration_id"],
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        channel = await made(
            "channel", "add", "sunshine", "--account", self.account, *options, "--shared", "sun", *place, **self.variables()
        )
        self.channel = channel["channel"]
        await self.remote.ask(
            "POST", "sunshine/webhooks",
            {"app_id": self.app, "integration_id": seeded["integration_id"], "target": self.url + channel["webhook"],
             "secret": WEBHOOK_SECRET},
        )  # fmt: skip
        issued = await made(
            "token", "issue", "--account", self.account, "--agent", self.agent, "--scopes", "write", *place, **self.variables()
        )
        self.token = issued["text"]

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """One API request, repeated while nobody answers, or who answers cannot write just now."""
        headers = {"authorization": f"Bearer {self.token}"} | ({"idempotency-key": key} if key else {})
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(ClientError, OSError, TimeoutError):
                async with self.http.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers) as answer:
                    data = await answer.json(content_type=None)
                    assert answer.status < 300 or (answer.status == 503 and answer.headers["retry-after"]), (answer.status, data)
                    if answer.status < 300:
                        return data
            assert time.monotonic() < deadline, "nobody answers"
            await asyncio.sleep(0.02)

    def env_file(self, **changed: str) -> Path:
        """All variables as a file, some of them changed."""
        values = {"HELIOGRAPH_MASTER_KEY": MASTER_KEY, "HELIOGRAPH_ALLOW_NETWORKS": "127.0.0.0/8", **self.variables(), **changed}
        path = self.folder / "new.env"
        path.write_text("# made by a test\n" + "".join(f"{name}={value}\n" for name, value in values.items()))
        return path

    async def deploy(self, *options: str, **changed: str) -> tuple[int, dict[str, Any], float]:
        """`heliograph deploy`: exit code, what it said, and the seconds that it took."""
        begun = time.monotonic()
        place = ("--env-file", str(self.env_file(**changed)), "--data", str(self.data))
        code, out, err = await command("deploy", *place, *options, "--json")
        said = json.loads(out) if out else {"said": err}
        return code, said, time.monotonic() - begun

    async def releases(self) -> list[dict[str, Any]]:
        """What `heliograph release list` shows."""
        return list((await made("release", "list", "--data", str(self.data), **self.variables()))["releases"])

    async def attempts_by(self, release: str) -> int:
        """Attempts that the ledger has of a release."""
        async with ledger.opened(self) as store:
            return int(await ledger.one(store, f"SELECT count(*) FROM event WHERE kind = 'attempt_started' AND release = '{release}'"))

    async def end_all(self) -> None:
        """Stop every process of it, by the files in which they say that they run."""
        for one in present(self.data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while present(self.data) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)

    async def admitted(self) -> Child:
        """Start it, and wait until its release may send."""
        child = await self.start()
        code, out, err = await command("release", "wait", "--latest", "--data", str(self.data), **self.variables())
        assert code == 0, (out, err)
        return child


@dataclass(slots=True)
class Writing:
    """Agents who write all the time, one reply after the other in each conversation, and how long the longest wait was."""

    desk: SharedDesk
    written: int = 0
    #: Longest time between two replies that were acknowledged, whoever wrote them, seconds.
    pause: float = 0.0
    _last: float = 0.0
    _stop: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> "Writing":
        """Begin."""
        self._last = time.monotonic()
        self._tasks = [asyncio.create_task(self._agent(conversation)) for conversation in self.desk.tickets]
        return self

    async def _agent(self, conversation: str) -> None:
        order = 0
        while not self._stop:
            await self.desk.reply(conversation, f"Reply {order} to {conversation}", order=order)
            now = time.monotonic()
            self.pause, self._last = max(self.pause, now - self._last), now
            self.written += 1
            order += 1
            await asyncio.sleep(0.05)

    async def end(self) -> dict[str, Any]:
        """Write no more, wait until all is there, and have the judge speak."""
        self._stop = True
        await asyncio.gather(*self._tasks)
        await self.desk.remote.until(accepted=self.written)
        await self.desk.settled(self.written)
        return dict(await self.desk.remote.ask("POST", "final"))
