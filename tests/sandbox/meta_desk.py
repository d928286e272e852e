"""Our provider against the simulated Messenger or Instagram, in virtual time."""

import asyncio
import dataclasses
import random
from collections.abc import Coroutine
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from heliograph.domain.content import Media
from heliograph.ports.provider import Address, BadSignature, Inbound, Part, RawRequest, SendResult
from heliograph.providers.instagram import Instagram
from heliograph.providers.messenger import Messenger
from heliograph.sandbox.errands import Answer
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.in_process import SandboxHttp
from heliograph.sandbox.wire import Request, Upload
from heliograph.sandbox.world import Sandbox

PROVIDERS: dict[str, type[Messenger] | type[Instagram]] = {"messenger": Messenger, "instagram": Instagram}


class Desk:
    """One channel, one contact who has just written (unless `silent`), and everything that the webhook has brought."""

    def __init__(self, name: str, *, silent: bool = False, **config: str) -> None:
        self.time = 1_772_357_400_000_000
        self.name = name
        self.sandbox = Sandbox(now=lambda: self.time, rand=random.Random(1).random)
        self.given = self.sandbox.seed_direct(name, contact="Ada Lovelace", webhook_url="http://desk.invalid/hook")
        self.service = self.sandbox.direct[name]
        (self.account,) = self.service.accounts.values()
        (self.place,) = self.account.conversations.values()
        self._tasks: set[asyncio.Task[None]] = set()
        http = SandboxHttp(self.sandbox, sleep=self._sleep, start=self._start)
        self.provider = PROVIDERS[name]({**self.given, "base_url": f"http://sandbox.invalid/{name}", **config}, http)
        if not silent:
            self.act("text", text="Where is my parcel? 📦")
            self.facts()

    async def _sleep(self, seconds: float) -> None:
        self.time += int(seconds * 1_000_000)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

    def pass_time(self, seconds: float) -> None:
        self.time += int(seconds * 1_000_000)

    def act(self, action: str, *, file: Upload | None = None, **body: Any) -> Any:
        """What the contact does."""
        request = Request("POST", "/sandbox/contact", {}, {"host": "sandbox.invalid"}, files=(file,) if file else ())
        return self.service.acts[action](self.place.id, body, request)

    def fault(self, mode: str, **more: Any) -> None:
        self.sandbox.faults.set(Fault(self.name, Mode(mode), **more))

    async def send(self, *contents: Any, key: str = "dlv_1", url: str = "https://desk.example/files/f.png") -> SendResult:
        """One reply of one part."""
        (part,) = self.provider.render(contents)
        return await self.send_part(part, key=key, url=url)

    async def send_part(self, part: Part, *, key: str = "dlv_1", url: str = "https://desk.example/files/f.png") -> SendResult:
        if part.media is not None:
            part = dataclasses.replace(part, data=b"\x89PNG-bytes", url=url)
        return await self.provider.send(Address(self.place.id), part, key)

    def facts(self) -> list[Inbound]:
        """What the webhook calls that are due by now say, each proved and read by our provider."""
        self.pass_time(1)
        found: list[Inbound] = []
        for call in self.sandbox.outbox.due():
            request = RawRequest("POST", "/hook", {}, {name.lower(): value for name, value in call.headers.items()}, call.body)
            self.provider.verify(request)
            found += self.provider.parse(request)
            self.sandbox.outbox.answered(call, 200)
        return found

    def asked(self) -> list[bool]:
        """Whether each question that is due by now, if this is our address, was answered as Meta wants it."""
        answered = []
        for errand in self.sandbox.errands.due():
            url = urlsplit(errand.url)
            request = RawRequest(errand.method, url.path, dict(parse_qsl(url.query)), {}, b"")
            try:
                body = self.provider.challenge(request)
            except BadSignature:
                body = None
            answered.append(body is not None)
            self.sandbox.errands.answered(errand, Answer(403) if body is None else Answer(200, {}, body))
        return answered

    async def fetched(self, media: Media) -> bytes:
        return await self.provider.fetch_media(media)
