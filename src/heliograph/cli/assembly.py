"""One process: the store, the web, the worker and what watches over them, started and stopped in the right order."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliograph.bootstrap import failpoints, logs
from heliograph.bootstrap.access import logged
from heliograph.bootstrap.application import Application, Config, build, worker_name
from heliograph.bootstrap.control import Control
from heliograph.bootstrap.identity import belong
from heliograph.bootstrap.metrics import Metrics
from heliograph.bootstrap.notify import Notify
from heliograph.bootstrap.process import WebServer, listen
from heliograph.bootstrap.publicity import outlets
from heliograph.bootstrap.system import SystemClock
from heliograph.bootstrap.watch import Staying, outward, steps, stories
from heliograph.bootstrap.watchdog import Watchdog
from heliograph.ports.runtime import Observe
from heliograph.services.attention import Attention
from heliograph.services.heartbeat import Heartbeats
from heliograph.services.proving import Expected
from heliograph.web import vitals as vital
from heliograph.web.app import create_app
from heliograph.web.auth import OpenAccess
from heliograph.web.operator.postmortem import story_routes
from heliograph.web.operator.routes import operator_guard, operator_routes
from heliograph.web.status.live import Live
from heliograph.web.status.pages import status_routes
from heliograph.web.status.publishing import Publishing
from heliograph.web.vitals import Vitals
from heliograph.worker.desking import Desking
from heliograph.worker.gatekeeper import Gatekeeper
from heliograph.worker.watching import Watching
from heliograph.worker.worker import Worker


@dataclass(frozen=True, slots=True)
class Roles:
    """What this process does."""

    #: Serve pages, API, webhooks and vitals on this socket.
    web: socket.socket | None
    #: Deliver, settle, probe, poll.
    work: bool
    concurrency: int
    lease: float


@dataclass(frozen=True, slots=True)
class Pages:
    """What the web shows beside the API. `open_access`: everybody is let in; demonstrations only."""

    handlers: Sequence[Any] = ()
    open_access: OpenAccess | None = None


@dataclass(slots=True)
class Process:
    """What runs. Close it once."""

    application: Application
    roles: Roles
    vitals: Vitals
    #: On PostgreSQL commands open the store themselves.
    control: Control | None
    _watchdog: Watchdog
    #: The public status page, and what writes it into a folder.
    _status: Live
    _publishing: Publishing | None = None
    #: None where the process takes no part in releases.
    gatekeeper: Gatekeeper | None = None
    _worker: Worker | None = None
    _watching: Watching | None = None
    #: What speaks to the outside, each by itself: one that waits for an answer keeps no other.
    _speaking: list[Watching | Desking] = field(default_factory=list)
    _server: WebServer | None = None
    #: Tells the service manager, where there is one.
    notify: Notify = field(default_factory=Notify)
    #: Where it answers.
    address: tuple[str, int] = ("", 0)
    #: What it shows, so that it can show it again.
    _pages: Pages | None = None
    _gate: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.roles.web is not None:
            self.address = self.roles.web.getsockname()[:2]

    async def serve(self, pages: Pages, listening: socket.socket | None = None) -> None:
        """Answer requests from now on, if that is a role of this process; on `listening` where its own socket is closed."""
        listening = listening or self.roles.web
        self._pages = pages
        if listening is not None:
            extra = [*pages.handlers, *status_routes(self._status), *operator_routes, *story_routes(self._status, operator_guard)]
            app = create_app(self.application, vitals=self.vitals, extra=extra, open_access=pages.open_access)
            self._server = WebServer(logged(app), listening)
            await self._server.start()

    async def work(self) -> None:
        """Deliver from now on, if that is a role of this process, and prove each channel once."""
        if self.gatekeeper is not None:
            # Before the first claim: from then on the store knows whether this release may make one.
            await self.gatekeeper.register()
            self.gatekeeper.start()
            await asyncio.to_thread(belong, self.application.config.data, (await self.application.context.store.installation()).id)
        self._start()
        if self.control is not None:
            await self.control.start()
        self._watchdog.start()
        if self.notify.interval:
            self._gate.append(asyncio.create_task(self._say_that_it_lives(), name="notify"))
        self._gate.append(asyncio.create_task(vital.start(self.application, self.vitals), name="gate"))

    async def _say_that_it_lives(self) -> None:
        while True:
            self.notify.alive()
            await self.application.context.clock.sleep(self.notify.interval)

    def _start(self) -> None:
        if self._worker is not None:
            self._worker.start()
        if self._watching is not None:
            self._watching.start()
        for each in self._speaking:
            each.start()
        if self._publishing is not None:
            self._publishing.start()

    async def pause(self, seconds: float) -> int:
        """Start nothing more and write nothing of its own accord, but answer requests. Returns how many calls were under way still.

        What they are told is lost, and settled by the next one like any interruption.
        """
        for each in self._speaking:
            await each.stop()
        if self._publishing is not None:
            await self._publishing.stop()
        if self._watching is not None:
            await self._watching.stop()
        under_way = 0
        if self._worker is not None:
            try:
                async with asyncio.timeout(seconds):
                    await self._worker.stop()
            except TimeoutError:
                under_way = self._worker.delivery.busy
        if self.gatekeeper is not None:
            await self.gatekeeper.stop()
        return under_way

    async def resume(self) -> None:
        """Go on after a pause."""
        if self.gatekeeper is not None:
            self.gatekeeper.start()
        self._start()

    async def stop_serving(self) -> None:
        """Take no more requests, and finish those under way."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def serve_again(self) -> None:
        """Answer requests at the same address as before."""
        if self._server is None and self.roles.web is not None and self._pages is not None:
            host, port = self.address
            await self.serve(self._pages, listen(host, port, beside=True))

    async def close(self) -> None:
        """Claim nothing more, finish the calls under way, answer the requests under way, write what was accepted."""
        self.vitals.draining = True
        self.notify.stopping()
        if self.control is not None:
            await self.control.stop()
        for task in self._gate:
            task.cancel()
        await asyncio.gather(*self._gate, return_exceptions=True)
        for each in self._speaking:
            await each.stop()
        if self._publishing is not None:
            await self._publishing.stop()
        if self._watching is not None:
            await self._watching.stop()
        if self._worker is not None:
            await self._worker.stop()
        if self.gatekeeper is not None:
            await self.gatekeeper.stop()
        await self.stop_serving()
        await self.application.close()
        self._watchdog.stop()


def both(*observers: Observe) -> Observe:
    """Tell each of them."""

    def observe(name: str, fields: Mapping[str, str | int | float]) -> None:
        for each in observers:
            each(name, fields)

    return observe


async def assemble(config: Config, roles: Roles, *, again: bool = False) -> Process:
    """Open the store and put a process together; nothing runs yet. `again`: it was started to take over from the one that runs.

    Raises Unavailable, MigrationError, BadFailpoint or ValueError.
    """
    metrics = Metrics(SystemClock().now)
    application = await build(config, observe=both(logs.log, metrics.observe), failpoint=failpoints.failpoint(os.environ))
    name = worker_name()
    worker = watching = None
    speaking: list[Watching | Desking] = []
    touched: list[Callable[[], None]] = []
    if roles.work:
        worker = Worker(
            application.context,
            application.holds,
            name=name,
            concurrency=roles.concurrency,
            lease=roles.lease,
            beside=bool(config.database),
        )
        touched.append(worker.delivery.wake)
        attention = Attention()
        application.noticing.append(attention.noticed)
        beats = Heartbeats(application.context, application.outside.pulse)
        told = stories(application)
        watching = Watching(application.context, attention, [*steps(application, told), beats.turned])
        desking = Desking(application.context, application.desk, url=application.outside.ways.url)
        application.noticing.append(desking.noticed)
        speaking = [desking, *(Watching(application.context, Attention(), [step]) for step in outward(application, beats, told))]
    elif config.database:
        # Another process delivers: pages that are open here ask again whenever it has written.
        touched.append(application.live.everything)
        watching = Watching(application.context, Attention(), [Staying(application).step])

    def on_touched() -> None:
        for each in touched:
            each()

    application.context.store.on_touched = on_touched
    keeper = None
    if application.identity is not None:
        keeper = Gatekeeper(
            application.context, application.identity, Expected(config.installation), process=name, host=os.uname().nodename,
            shares=bool(config.database), again=again, admitted=on_touched,
        )  # fmt: skip
        application.noticing.append(keeper.noticed)
    control = None if config.database else Control(application, config.data)
    watchdog = Watchdog(limit=roles.lease / 3)
    vitals = Vitals(metrics=metrics, metrics_token=config.metrics_token, metrics_open=config.metrics_open, gate=keeper)
    metrics.release = application.identity.id if application.identity is not None else ""
    status = Live(application.context, outlets(application))
    export = application.outside.ways.status_export if roles.work else ""
    publishing = Publishing(application.context, status, Path(export)) if export else None
    return Process(
        application, roles, vitals, control, watchdog, status, publishing, gatekeeper=keeper, _worker=worker, _watching=watching,
        _speaking=speaking,
    )  # fmt: skip
