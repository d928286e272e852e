"""Carries the news of the public page outside: mails to followers, messages to chat rooms and feeds."""

from heliograph.domain.retry import SECOND
from heliograph.services import followers, incidents, shouting
from heliograph.services.context import Context
from heliograph.services.outlets import Outlets
from heliograph.services.status_page import load_board

#: Between two rounds, microseconds.
ROUND = 1 * SECOND


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
    """One per process; several processes tell everybody once between them. Mail servers are slow: it needs a loop of its own."""

    def __init__(self, context: Context, outlets: Outlets) -> None:
        self._context = context
        self._outlets = outlets
        self._next = 0

    async def reconcile(self) -> None:
        """One round, if it is time for one. Raises Unavailable or Conflict, after which nothing is lost."""
        now = self._context.clock.now()
        if now >= self._next:
            self._next = now + ROUND
            await tell(self._context, self._outlets)
