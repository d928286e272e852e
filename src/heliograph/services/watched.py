"""Which public incidents may have news: those that go on, those that have just ended, and now and then all recent ones."""

from dataclasses import dataclass, field

from heliograph.domain.incident import Incident
from heliograph.domain.retry import SECOND
from heliograph.services import incidents
from heliograph.services.context import Context

#: How long people may still decide about replies of an incident that is over.
RECENT = 30 * 24 * 3600 * SECOND
SWEEP = 30 * SECOND


@dataclass(slots=True)
class Memory:
    """What one process remembers between two rounds; losing it costs one sweep."""

    live: set[str] = field(default_factory=set)
    swept_at: int = 0
    #: When each incident's replies were last counted.
    counted: dict[str, int] = field(default_factory=dict)


async def public_incidents(context: Context, memory: Memory) -> list[Incident]:
    """Oldest first. As cheap as asking for the live ones, most of the time."""
    store, now = context.store, context.clock.now()
    live = {incident.id: incident for incident in await incidents.live_incidents(store)}
    ended = memory.live - live.keys()
    memory.live = set(live)
    found = dict(live)
    if now - memory.swept_at >= SWEEP:
        memory.swept_at = now
        found |= {one.id: one for one in await incidents.incidents_of(store, "") if not one.resolved_at or now - one.resolved_at < RECENT}
    else:
        for id in ended:
            row = await store.document("", incidents.KIND, id)
            if row is not None:
                found[id] = incidents.load(row.data)
    return sorted((one for one in found.values() if one.public), key=lambda one: one.number)
