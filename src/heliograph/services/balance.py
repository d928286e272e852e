"""The conservation check as an alarm: operators are paged where, for a minute, something was written that is in no state."""

import asyncio
from collections.abc import Sequence

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.alarm import Alert, Alerts
from heliograph.ports.announce import Announce, NotTold
from heliograph.ports.runtime import Vault
from heliograph.ports.store import Changes, Conflict, Store
from heliograph.services.context import Context, retrying
from heliograph.services.heartbeat import unaccounted

KIND, ID = "balance", "now"
#: It counts whole tables: so often while all is well, and so often while it does not add up.
EVERY, AGAIN = 30 * SECOND, 5 * SECOND
#: What lasts so long is no read between two writes.
LASTING = 60 * SECOND
#: One process has this long for one call; then another one may make it.
LEASE = 15 * SECOND
LATER = 30 * SECOND
#: An alert manager forgets what is not repeated.
REPEAT, FORGET = 60 * SECOND, 300 * SECOND
OFF = "Heliograph: replies do not add up, off by {number}"
OFF_TEXT = (
    "For more than a minute, parts of replies that were written are in no state. That is a loss, or a damaged store. "
    "Do not deploy; `heliograph status` and the daily statements of the accounts say where."
)
WELL, WELL_TEXT = "Heliograph: replies add up again", "All parts of replies that were written are in a state."


class Difference(msgspec.Struct, frozen=True):
    """Since when it does not add up, by how much, and who knows, by target's keyed fingerprint. `over`: it adds up again."""

    since: int
    number: int
    told: list[str] = []
    refused: list[str] = []
    #: Target -> not before.
    waits: dict[str, int] = {}
    over: bool = False


async def missing(store: Store) -> int:
    """The difference, 0 where any of three looks finds none: one may have been between a write and its count. Raises Unavailable."""
    found = 0
    for _ in range(3):
        found = await unaccounted(store)
        if not found:
            return 0
    return found


async def standing(store: Store) -> tuple[Difference | None, int]:
    """What is known of a difference, and its document's version."""
    document = await store.document("", KIND, ID)
    return (None, 0) if document is None else (msgspec.json.decode(document.data, type=Difference), document.version)


class Balance:
    """One per process; several processes page each target once between them."""

    def __init__(self, context: Context, vault: Vault, *, announce: Announce | None, targets: Sequence[str], alerts: Alerts | None) -> None:
        self._context = context
        self._announce = announce
        self._targets = {vault.fingerprint({"target": target}): target for target in targets} if announce is not None else {}
        self._alerts = alerts
        self._next = self._repeat = 0

    async def reconcile(self) -> None:
        """One round; nothing where there is nobody to tell. Raises Unavailable, or Conflict where another process was quicker."""
        now = self._context.clock.now()
        if now < self._next or not (self._targets or self._alerts):
            return
        self._next = now + EVERY
        number = await missing(self._context.store)
        known, version = await standing(self._context.store)
        if number:
            self._next = now + AGAIN
        if not number:
            if known is not None:
                await self._end(known, version)
        elif known is None or known.over:
            await self._keep(Difference(now, number), version)
        elif now - known.since >= LASTING:
            self._context.observe("unaccounted", {"number": number})
            await self._tell(known)

    async def _keep(self, difference: Difference, version: int) -> None:
        now = self._context.clock.now()
        data = msgspec.json.encode(difference).decode()
        await self._context.store.commit(Changes("", now, puts=[rows.Document("", KIND, ID, version + 1, now, data)]))

    async def _tell(self, known: Difference) -> None:
        now = self._context.clock.now()
        due = [n for n in self._targets if n not in known.told and n not in known.refused and known.waits.get(n, 0) <= now]
        calls = [self._page(name, known.number) for name in due]
        if now >= self._repeat:
            self._repeat = now + REPEAT
            calls.append(self._alert(known, now + FORGET))
        # Beside each other: a pager that hangs keeps no other waiting.
        await asyncio.gather(*calls)

    async def _page(self, name: str, number: int) -> None:
        if self._announce is None or not await self._claimed(name):
            return
        try:
            await self._announce.announce([self._targets[name]], OFF.format(number=number), OFF_TEXT)
        except NotTold as refused:
            self._context.observe("operator_not_paged", {"final": int(refused.final)})
            await self._settled(name, told=False, final=refused.final)
        else:
            await self._settled(name, told=True, final=False)

    async def _claimed(self, name: str) -> bool:
        known, version = await standing(self._context.store)
        now = self._context.clock.now()
        if known is None or name in known.told or known.waits.get(name, 0) > now:
            return False
        try:
            await self._keep(msgspec.structs.replace(known, waits={**known.waits, name: now + LEASE}), version)
        except Conflict:
            # Somebody else writes; the next round sees what.
            return False
        return True

    async def _settled(self, name: str, *, told: bool, final: bool) -> None:
        async def act() -> None:
            known, version = await standing(self._context.store)
            if known is None:
                return
            waits = {other: at for other, at in known.waits.items() if other != name}
            if told:
                after = msgspec.structs.replace(known, told=[*known.told, name], waits=waits)
            elif final:
                after = msgspec.structs.replace(known, refused=[*known.refused, name], waits=waits)
            else:
                after = msgspec.structs.replace(known, waits={**waits, name: self._context.clock.now() + LATER})
            await self._keep(after, version)

        await retrying(act)

    async def _end(self, known: Difference, version: int) -> None:
        """It adds up again: whoever writes that down first says so, once, to those who were told."""
        now = self._context.clock.now()
        if not known.over:
            await self._keep(msgspec.structs.replace(known, over=True), version)
            for name in known.told:
                if self._announce is not None and name in self._targets:
                    try:
                        await self._announce.announce([self._targets[name]], WELL, WELL_TEXT)
                    except NotTold as refused:
                        self._context.observe("operator_not_paged", {"final": int(refused.final)})
            if now - known.since >= LASTING:
                await self._alert(known, now)
        await self._context.store.commit(Changes("", now, puts=[rows.DropDocument("", KIND, ID)]))

    async def _alert(self, known: Difference, until: int) -> None:
        if self._alerts is None:
            return
        labels = {
            "alertname": "HeliographUnaccounted",
            "severity": "critical",
            "installation": (await self._context.store.installation()).id,
        }
        annotations = {"summary": OFF.format(number=known.number), "description": OFF_TEXT}
        try:
            await self._alerts.alert([Alert(labels, annotations, known.since, until)])
        except NotTold as refused:
            self._context.observe("operator_not_paged", {"final": int(refused.final)})
