"""Tells open pages what has changed, by server-sent events; the pages then ask for just that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from litestar import get
from litestar.response import Stream

from heliograph.bootstrap.application import Application
from heliograph.ports.store import Unavailable
from heliograph.services import people
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.asking import Asked, running

#: Seconds: changes within this are told together, and after so many without any, proxies are kept awake.
GATHER = 0.03
TICK = 1.0
SILENCE = 15


@get("/desk/live", opt={"need": Need.READ})
async def live(request: Asked) -> Stream:
    """Names of what changed: "ticket-<id>", "tickets", "health", "notices", or "all" at first and after a gap."""
    actor = current(request)
    news = changes(running(request), actor.account, request.app.state.vitals, agent=actor.agent)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
    return Stream(news, media_type="text/event-stream", headers=headers)


async def changes(application: Application, account: str, vitals: Vitals, *, agent: str = "") -> AsyncIterator[str]:
    """Lines of an event stream, until the page goes or the process stops. While it is open, `agent` is not away."""
    with application.live.subscribe(account) as queue:
        # What changed between the page and this stream, or while it was away, is not known.
        yield "retry: 1000\n" + _told({"all"})
        silent = 0
        while not vitals.draining:
            names = await _gathered(application, queue)
            silent = 0 if names else silent + 1
            if agent and (names or silent % SILENCE == 1):
                with contextlib.suppress(Unavailable):
                    await people.present(application.context, account, agent)
            if names:
                yield _told(names)
            elif silent % SILENCE == 0:
                yield ": still here\n\n"


async def _gathered(application: Application, queue: asyncio.Queue[str]) -> set[str]:
    names: set[str] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TICK):
            names.add(await queue.get())
    if names:
        await application.context.clock.sleep(GATHER)
        while not queue.empty():
            names.add(queue.get_nowait())
    return names


def _told(names: set[str]) -> str:
    if "all" in names:
        return "event: all\ndata:\n\n"
    told = sorted(name.replace(":", "-") for name in names)
    if any(name.startswith("ticket-") for name in told):
        told.append("tickets")
    return "".join(f"event: {name}\ndata:\n\n" for name in told)
