"""Waits until the sandbox changes or time has passed, and delivers its webhook calls; on any loop and any clock."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from heliograph.sandbox.outbox import Callback
from heliograph.sandbox.wire import SECOND
from heliograph.sandbox.world import Sandbox

Sleep = Callable[[float], Awaitable[None]]
#: Starts something that goes on by itself; the one who passes it in keeps it alive.
Start = Callable[[Coroutine[object, object, None]], object]
#: Makes a webhook call; gives the code that was answered, or None for no answer.
Receive = Callable[[Callback], Awaitable[int | None]]


async def changed(sandbox: Sandbox, sleep: Sleep, seconds: float | None) -> bool:
    """True when the sandbox has changed, False when `seconds` have passed without."""
    news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stop = sandbox.listen(lambda: None if news.done() else news.set_result(None))
    timer = asyncio.ensure_future(sleep(seconds)) if seconds is not None else None
    try:
        await asyncio.wait([news, timer] if timer else [news], return_when=asyncio.FIRST_COMPLETED)
        return news.done()
    finally:
        stop()
        news.cancel()
        if timer:
            timer.cancel()


async def deliver(sandbox: Sandbox, receive: Receive, *, sleep: Sleep, start: Start) -> None:
    """Make the webhook calls of a sandbox for as long as it is not cancelled: each on its own, started in due order."""

    async def one(call: Callback) -> None:
        sandbox.outbox.answered(call, await receive(call))

    while True:
        for call in sandbox.outbox.due():
            start(one(call))
        following = sandbox.outbox.next_due()
        wait = None if following is None else max(0.0, (following - sandbox.now()) / SECOND)
        if wait is None or wait > 0.0:
            await changed(sandbox, sleep, wait)
