"""Operators are alarmed when a post-mortem was promised for a time that has passed."""

from collections.abc import Sequence

from heliograph.domain.retry import SECOND
from heliograph.ports.announce import Announce, NotTold
from heliograph.projections.public import letters
from heliograph.services import incidents, postmortems
from heliograph.services.context import Context
from heliograph.services.watched import Memory

DELAY = 60 * SECOND


class Stories:
    """Keeps post-mortems up to the ledger, and alarms. One per process; whoever finds a promise broken is the one who alarms."""

    def __init__(self, context: Context, *, announce: Announce | None, targets: Sequence[str], url: str) -> None:
        self._context = context
        self._announce = announce
        self._targets = list(targets)
        self._url = url
        self._memory = Memory()
        #: Broken promises that are still to be told, with when to try again, by incident.
        self._pending: dict[str, int] = {}

    async def reconcile(self) -> None:
        """Drafts, and looks at promises. Raises Unavailable."""
        for incident in await postmortems.reconcile(self._context, self._memory):
            self._pending[incident] = 0

    async def alarm(self) -> None:
        """Tell the operators; waits for their services to answer."""
        for id, not_before in list(self._pending.items()):
            if self._announce is None or not self._targets:
                self._pending.pop(id)
            elif not_before <= self._context.clock.now():
                await self._tell(self._announce, id)

    async def _tell(self, announce: Announce, id: str) -> None:
        incident = await incidents.find(self._context.store, id)
        story = (await postmortems.read(self._context.store, id)).story
        letter = letters.overdue(incident.number, story.promised_at, link=f"{self._url}/operator/postmortems/{id}")
        try:
            await announce.announce(self._targets, letter.subject, letter.text)
        except NotTold as refused:
            self._context.observe("operator_not_told", {"final": int(refused.final)})
            self._pending[id] = self._context.clock.now() + DELAY
        else:
            self._pending.pop(id)
