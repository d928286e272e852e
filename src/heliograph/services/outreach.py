"""Carries the news of the public page outside: mails to followers, messages to chat rooms and feeds."""

import asyncio

from heliograph.ports.store import Conflict, Unavailable
from heliograph.services import followers, incidents, shouting
from heliograph.services.context import Context
from heliograph.services.outlets import Outlets
from heliograph.services.status_page import load_board

#: Seconds between two rounds.
ROUND = 1.0


async def tell(context: Context, outlets: Outlets) -> int:
    """Tell everybody what they have not been told; returns how many messages went out."""
    if not outlets.mails and not (outlets.announce and outlets.targets):
        return 0
    board = await load_board(context, outlets, await incidents.incidents_of(context.store, ""))
    sent = await shouting.shout(context, outlets, board)
    if outlets.mail is not None and outlets.mails:
        sent += await followers.tell(context, outlets.vault, outlets.mail, board)
    return sent


class Outreach:
    """Does so while the process runs. Mail servers are slow, so it has a loop of its own."""

    def __init__(self, context: Context, outlets: Outlets) -> None:
        self._context = context
        self._outlets = outlets
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin on the running event loop."""
        self._task = asyncio.create_task(self._forever(), name="outreach")

    async def stop(self) -> None:
        """End; a mail under way may go out again later, with the same Message-ID."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _forever(self) -> None:
        while True:
            try:
                await tell(self._context, self._outlets)
            except (Unavailable, Conflict) as passing:
                self._context.observe("outreach_failed", {"error": type(passing).__name__})
            except Exception as bug:
                self._context.observe("outreach_bug", {"error": type(bug).__name__})
            await self._context.clock.sleep(ROUND)
