"""Processes on one store share the paces of their channels: each says that it sends, and takes its share of those that do."""

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services.context import Context
from heliograph.services.traffic import Traffic

KIND = "sender"
#: Seconds between two signs of life, after how many microseconds without one a process does not count, and when it is forgotten.
ROUND, ALIVE, GONE = 5.0, 12 * SECOND, 3600 * SECOND


async def share(context: Context, traffic: Traffic, *, worker: str) -> None:
    """One round of one process. Where nothing went at a pace lately, nothing is written, and nobody leaves it a share."""
    now = context.clock.now()
    if not traffic.paced_since(now - ALIVE):
        return
    changes = Changes("", now)
    changes.puts.append(rows.Document("", KIND, worker, 0, now, "{}"))
    senders = 1
    for other in await context.store.documents("", KIND):
        if other.id != worker and now - other.updated_at <= ALIVE:
            senders += 1
        elif now - other.updated_at > GONE:
            changes.puts.append(rows.DropDocument("", KIND, other.id))
    await context.store.commit(changes)
    traffic.share_paces(1 / senders)
