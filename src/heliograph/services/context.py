"""What every service is given: the ports, and the helpers that need nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from heliograph.domain.ids import id_value, make_id
from heliograph.ports import rows
from heliograph.ports.runtime import Clock, Failpoint, Files, Observe, Rng
from heliograph.ports.store import Conflict, Fenced, Store
from heliograph.services.breaker import Breaker
from heliograph.services.channels import Channels
from heliograph.services.policies import Policies
from heliograph.services.templates import Templates

T = TypeVar("T")
#: How often an act is decided anew when somebody else was quicker; beyond it something is wrong.
ROUNDS = 20
#: Tickets whose place is remembered.
TICKETS = 10_000


class Invalid(ValueError):
    """A request cannot be carried out as it is. The message says what to change; it never repeats content."""


class Missing(LookupError):
    """No such thing in this account."""


@dataclass(slots=True)
class Context:
    """The ports of one running process."""

    store: Store
    clock: Clock
    rng: Rng
    channels: Channels
    files: Files
    failpoint: Failpoint
    observe: Observe
    policies: Policies
    breaker: Breaker
    #: Whether this process's release is admitted. What another one sees may be its own settings' doing: it holds nothing but its own
    #: versions of shared credentials.
    trusted: Callable[[], bool] = lambda: True
    #: Channels, as (account, channel), that a probe should look at now; the event says that there are some.
    suspects: set[tuple[str, str]] = field(default_factory=set)
    probe_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    #: Set when a channel was connected or changed, so that it is listened to at once.
    channels_changed: asyncio.Event = field(default_factory=asyncio.Event)
    templates: Templates = field(default_factory=Templates)
    _last_id: int = 0
    _tickets: dict[tuple[str, str], rows.Ticket] = field(default_factory=dict)

    async def lasting_ticket(self, account: str, id: str) -> rows.Ticket | None:
        """A ticket, for what never changes of one: conversation, channel and contact. Remembered, since every reply asks."""
        known = self._tickets.get((account, id))
        if known is None:
            known = await self.store.ticket(account, id)
            if known is not None:
                if len(self._tickets) >= TICKETS:
                    del self._tickets[next(iter(self._tickets))]
                self._tickets[account, id] = known
        return known

    def suspect(self, account: str, channel: str) -> None:
        """Ask for a probe of a channel sooner than the next round."""
        self.suspects.add((account, channel))
        self.probe_wanted.set()

    def new_id(self, prefix: str) -> str:
        """A fresh id; later ones of this process sort after earlier ones."""
        self._last_id = max(self._last_id + 1, id_value(self.clock.now(), self.rng.bits()))
        return make_id(prefix, self._last_id)


async def retrying(act: Callable[[], Awaitable[T]]) -> T:
    """Do `act` (read, decide, commit) again while others are quicker. Fenced passes through: it will not get better."""
    for _ in range(ROUNDS - 1):
        try:
            return await act()
        except Fenced:
            raise
        except Conflict:
            continue
    return await act()
