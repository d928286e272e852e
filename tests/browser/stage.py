"""A running demonstration and a browser in front of it: everything in this process, so that a test can look behind the scenes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from heliograph.bootstrap.application import Application, Config, build, worker_name
from heliograph.bootstrap.demo import LOOPBACK, Demo, plan_demo, start_demo
from heliograph.bootstrap.metrics import Metrics
from heliograph.bootstrap.process import WebServer, listen
from heliograph.bootstrap.system import SystemClock
from heliograph.sandbox.sunshine.state import Key
from heliograph.sandbox.world import Demo as Seeded, Sandbox
from heliograph.services import probe
from heliograph.web.app import create_app
from heliograph.web.auth import OpenAccess
from heliograph.web.demo.routes import demo_routes
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.routes import routes
from heliograph.worker.worker import Worker

#: Milliseconds: machines that run tests are busy, and a wait that ends early is not slower.
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)


@dataclass
class Stage:
    """What a test of the pages needs. `complaints` is what the pages' consoles said."""

    url: str
    application: Application
    demo: Demo
    worker: Worker
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    @property
    def sandbox(self) -> Sandbox:
        return self.demo.sandbox.sandbox

    @property
    def seeded(self) -> Seeded:
        assert self.sandbox.demo is not None
        return self.sandbox.demo

    async def open(self, path: str, **options: Any) -> Page:
        """A page in a context of its own; `options` are the context's."""
        context = await self.browser.new_context(**{"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}") if said.type in ("error", "warning") else None)
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        await page.goto(self.url + path)
        return page

    def writes(self, text: str, *, service: str = "sunshine") -> None:
        """The contact writes."""
        if service == "sunshine":
            self.sandbox.sunshine.contacts.write(self.seeded.conversation_id, {"type": "text", "text": text})
        else:
            self.sandbox.telegram.contacts.text(self.seeded.chat_id, text)

    @property
    def key(self) -> Key:
        """The key that the shop's channel uses."""
        return self.sandbox.sunshine.center.keys[self.seeded.account_key_id]

    def counts(self) -> dict[str, Any]:
        """The judge's verdict."""
        return self.sandbox.tally.counts().to_json()

    async def tickets(self, number: int = 1) -> list[str]:
        """Ids of the open tickets, once there are so many; newest first."""

        async def ask() -> list[str]:
            found = await self.application.context.store.tickets(self.demo.account, state="open", before=None, limit=100)
            return [ticket.id for ticket in found]

        return await eventually(ask, lambda ids: len(ids) >= number)

    def texts(self) -> list[str]:
        """What Sunshine took, in order."""
        return [taken.text for taken in self.sandbox.tally.taken("sunshine")]


async def eventually(ask: Callable[[], Any], want: Callable[[Any], bool], seconds: float = 15) -> Any:
    """Ask again until `want` says yes."""
    async with asyncio.timeout(seconds):
        while True:
            got = await ask()
            if want(got):
                return got
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def stage(folder: Path, browser: Browser, *, open_access: bool = True) -> AsyncIterator[Stage]:
    """Start all of it, and end all of it."""
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    application = await build(Config(folder, b"k" * 32, release="test", allow_networks=LOOPBACK))
    demo = await start_demo(application, plan_demo(url))
    vitals = Vitals(metrics=Metrics(SystemClock().now))
    worker = Worker(application.context, application.holds, name=worker_name(), concurrency=8, lease=60)
    application.context.store.on_touched = worker.delivery.wake
    running = demo.sandbox
    panes = demo_routes(sandbox=running.url, aliases=(running.sunshine_url.removesuffix("/sc"), running.telegram_url))
    access = OpenAccess(demo.account, demo.agent) if open_access else None
    server = WebServer(create_app(application, vitals=vitals, extra=[*routes, *panes], open_access=access), listening)
    await server.start()
    worker.start()
    for channel in (demo.sunshine, demo.telegram):
        await probe.probe(application.context, demo.account, channel)
    try:
        yield Stage(url, application, demo, worker, browser)
    finally:
        for context in browser.contexts:
            await context.close()
        vitals.draining = True
        await worker.stop()
        await server.stop()
        await demo.stop()
        await application.close()
