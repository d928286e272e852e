"""Runs a process from start to signal, and tells the person in front of it what happens."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from heliograph.bootstrap import logs, process
from heliograph.bootstrap.application import Config, MigrationError, refuse_second
from heliograph.bootstrap.failpoints import BadFailpoint
from heliograph.bootstrap.presence import Presence
from heliograph.bootstrap.process import Occupied, Stop
from heliograph.bootstrap.settings import Settings
from heliograph.cli.assembly import Pages, Process, Roles, assemble
from heliograph.cli.handing import Handing
from heliograph.cli.options import OK, Fault, err
from heliograph.ports.store import Unavailable

#: Called between the store's opening and the first request: what else runs, what the web shows, and how to end it.
Prepare = Callable[[Process], Awaitable[tuple[Pages, Callable[[], Awaitable[None]]]]]


async def _nothing() -> None:
    """Nothing else to end."""


async def plain(_: Process) -> tuple[Pages, Callable[[], Awaitable[None]]]:
    """The API alone."""
    return Pages(), _nothing


async def _untold(_: Process) -> None:
    """Nobody waits to be told."""


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What is done once a process runs. `command`: how it was started, so that a successor can be; empty where it cannot.

    `told` runs beside it, for whoever waits for the gate.
    """

    announce: Callable[[Process], None]
    command: Sequence[str] = ()
    told: Callable[[Process], Awaitable[None]] = _untold


def run(config: Config, roles: Roles, settings: Settings, *, after: Afterwards, prepare: Prepare = plain) -> int:
    """Until a signal comes. Raises Fault where it cannot start."""

    async def from_start_to_signal() -> int:
        stop = Stop()
        stop.install()
        return await stay(config, roles, stop, prepare, after)

    return running(settings, from_start_to_signal)


def running(settings: Settings, main: Callable[[], Awaitable[int]]) -> int:
    """Run it on a loop of its own. Raises Fault where it cannot start."""
    logs.configure(form=settings.log_format, level=settings.log_level)
    try:
        return process.run(main)
    except (Unavailable, MigrationError, BadFailpoint, Occupied) as told:
        raise Fault(_sentence(str(told))) from told


async def stay(config: Config, roles: Roles, stop: Stop, prepare: Prepare, after: Afterwards) -> int:
    """Start, serve and work until `stop`."""
    running = await assemble(config, roles)
    end: Callable[[], Awaitable[None]] = _nothing
    presence: Presence | None = None
    telling: asyncio.Task[None] | None = None
    try:
        pages, end = await prepare(running)
        Handing(running, stop)
        await running.serve(pages)
        await running.work()
        presence = Presence(config.data, list(after.command)) if after.command else None
        after.announce(running)
        telling = asyncio.create_task(_tell(after, running), name="told")
        running.notify.ready()
        await stop.wait()
        err.print("Stopping: finishing what is under way. Once more to stop at once.")
    finally:
        if telling is not None:
            telling.cancel()
        await running.close()
        await end()
        if presence is not None:
            presence.withdraw()
    return OK


async def _tell(after: Afterwards, running: Process) -> None:
    await after.told(running)


def alone(config: Config) -> None:
    """Raises Fault where another process works on a store that takes only one, before anything else can look like the cause."""
    try:
        refuse_second(config)
    except Unavailable as taken:
        raise Fault(_sentence(str(taken))) from taken


def listen(settings: Settings, *, port: int | None, fallback: bool) -> tuple[socket.socket, str]:
    """A listening socket and its address. With `fallback`, a free port is taken where the usual one is not free. Raises Fault."""
    wanted = settings.port if port is None else port
    try:
        listening = process.listen(settings.host, wanted)
    except Occupied as occupied:
        if not fallback or port is not None:
            raise Fault(str(occupied)) from occupied
        listening = process.listen(settings.host, 0)
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "localhost"
    host = f"[{host}]" if ":" in host else host
    return listening, f"http://{host}:{listening.getsockname()[1]}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
