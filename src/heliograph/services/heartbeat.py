"""The outgoing heartbeat: sent while all is accounted for and the watching loop turns, so that somebody notices when it stops."""

from heliograph.domain.retry import SECOND
from heliograph.ports.alarm import Heartbeat
from heliograph.ports.announce import NotTold
from heliograph.ports.store import Store
from heliograph.services.context import Context

#: Once a minute; after one that did not get out, sooner.
EVERY, AGAIN = 60 * SECOND, 10 * SECOND
#: A watching loop whose last round ended longer ago is stuck.
STUCK = 30 * SECOND


async def unaccounted(store: Store) -> int:
    """Replies' parts that were written and are in no state: a loss, unless something was written between the two reads."""
    difference = 0
    for account in await store.accounts():
        difference += await store.written(account.id) - sum((await store.counts(account.id)).values())
    return difference


class Heartbeats:
    """One per process. `turned` is the watching loop's last step; `beat` has a loop of its own."""

    def __init__(self, context: Context, heartbeat: Heartbeat | None) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._turned_at = 0
        self._next = 0

    async def turned(self) -> None:
        """The watching loop has done a round."""
        self._turned_at = self._context.clock.now()

    async def beat(self) -> None:
        """If it is time to and all is well; otherwise the silence speaks. Raises Unavailable."""
        now = self._context.clock.now()
        if self._heartbeat is None or now < self._next or not self._turned_at:
            return
        self._next = now + AGAIN
        if now - self._turned_at > STUCK or not await self._adds_up():
            self._context.observe("heartbeat_withheld", {})
            return
        try:
            await self._heartbeat.beat()
        except NotTold as refused:
            self._context.observe("heartbeat_lost", {"final": int(refused.final)})
            return
        self._next = now + EVERY

    async def _adds_up(self) -> bool:
        # A second look: the first may have been between a write and its count.
        return any([not await unaccounted(self._context.store) for _ in range(3)])
