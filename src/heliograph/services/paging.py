"""Operators are paged: each target once for each severity of an incident, again until it takes it, and once when it is over."""

import asyncio
from collections.abc import Sequence

import msgspec

from heliograph.domain import notice_events as ne
from heliograph.domain.event import Event
from heliograph.domain.incident import Incident
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.alarm import Alert, Alerts
from heliograph.ports.announce import Announce, NotTold
from heliograph.ports.runtime import Vault
from heliograph.ports.store import Changes, Conflict
from heliograph.projections.facts import Facts
from heliograph.projections.wording import operators, public
from heliograph.services import incidents
from heliograph.services.context import Context, retrying
from heliograph.services.impact import facts_of

KIND = "paged"
RESOLVED = "resolved"
#: One process has this long for one call; then another one may make it.
LEASE = 15 * SECOND
FIRST_DELAY, LAST_DELAY = 2 * SECOND, 300 * SECOND
#: An alert manager forgets what is not repeated.
REPEAT, FORGET = 60 * SECOND, 300 * SECOND
LANGUAGE = "en"


class Paged(msgspec.Struct, frozen=True):
    """Who has the news of one incident's stage. By target's keyed fingerprint; `waits` are (failures, not before)."""

    told: dict[str, int] = {}
    refused: list[str] = []
    waits: dict[str, tuple[int, int]] = {}


class Paging:
    """One per process; several processes page each target once between them.

    It is written down after it was taken, since a page that comes twice, after a crash at that very moment, is better than none.
    """

    def __init__(
        self, context: Context, vault: Vault, *, announce: Announce | None, targets: Sequence[str], alerts: Alerts | None, url: str
    ) -> None:
        self._context = context
        self._announce = announce
        self._targets = {vault.fingerprint({"target": target}): target for target in targets} if announce is not None else {}
        self._alerts = alerts
        self._url = url.rstrip("/")
        #: Incidents of the installation that were paged and whose end is not told yet; None before the first round.
        self._known: set[str] | None = None
        #: When to repeat the alert, by incident and whether it is over.
        self._repeat: dict[tuple[str, bool], int] = {}

    async def reconcile(self) -> None:
        """One round. Raises Unavailable."""
        if not self._targets and self._alerts is None:
            return
        live = {one.id: one for one in await incidents.live_incidents(self._context.store) if not one.account}
        found = dict(live)
        if self._known is None:
            self._known = await self._unfinished()
        for id in self._known - live.keys():
            found[id] = await incidents.find(self._context.store, id)
        for incident in found.values():
            paged = await self._page(incident)
            told = await self._alert(incident)
            if paged and told and incident.over:
                self._known.discard(incident.id)
            else:
                self._known.add(incident.id)

    async def _unfinished(self) -> set[str]:
        """Incidents that were paged and may have ended while no process of ours ran."""
        stages: dict[str, dict[str, Paged]] = {}
        for document in await self._context.store.documents("", KIND):
            incident, _, stage = document.id.partition(".")
            stages.setdefault(incident, {})[stage] = _decode(document)
        return {incident for incident, paged in stages.items() if not self._had_their_turn(paged.get(RESOLVED, Paged()))}

    def _had_their_turn(self, paged: Paged) -> bool:
        return all(name in paged.told or name in paged.refused for name in self._targets)

    async def _page(self, incident: Incident) -> bool:
        """Returns whether every target had its turn."""
        if incident.merged_into or not self._targets:
            return True
        stage = RESOLVED if incident.over else incident.severity.value
        paged = _decode(await self._document(incident.id, stage))
        now = self._context.clock.now()
        due = [
            name
            for name in self._targets
            if name not in paged.told and name not in paged.refused and paged.waits.get(name, (0, 0))[1] <= now
        ]
        if due:
            facts = await facts_of(self._context, incident)
            # Beside each other: a pager that hangs keeps no other waiting.
            await asyncio.gather(*(self._page_one(incident, stage, name, facts) for name in due))
            paged = _decode(await self._document(incident.id, stage))
        return self._had_their_turn(paged)

    async def _page_one(self, incident: Incident, stage: str, name: str, facts: Facts) -> None:
        assert self._announce is not None
        if not await self._claimed(incident, stage, name):
            return
        link = f"{self._url}/operator/incidents/{incident.id}" if self._url else ""
        said = operators.page(facts, LANGUAGE, link=link)
        try:
            await self._announce.announce([self._targets[name]], said.heading, said.body)
        except NotTold as refused:
            self._context.observe("operator_not_paged", {"final": int(refused.final)})
            await self._settled(incident, stage, name, told=False, final=refused.final)
            return
        self._context.observe("operator_paged", {"seconds": (self._context.clock.now() - incident.onset_at) / SECOND})
        await self._settled(incident, stage, name, told=True, final=False)

    async def _claimed(self, incident: Incident, stage: str, name: str) -> bool:
        document, now = await self._document(incident.id, stage), self._context.clock.now()
        paged = _decode(document)
        failures, not_before = paged.waits.get(name, (0, 0))
        if name in paged.told or not_before > now:
            return False
        changes = Changes("", now)
        waits = {**paged.waits, name: (failures, now + LEASE)}
        changes.puts.append(_put(incident.id, stage, document, msgspec.structs.replace(paged, waits=waits), now))
        try:
            await self._context.store.commit(changes)
        except Conflict:
            return False
        return True

    async def _settled(self, incident: Incident, stage: str, name: str, *, told: bool, final: bool) -> None:
        async def act() -> None:
            document, now = await self._document(incident.id, stage), self._context.clock.now()
            paged = _decode(document)
            failures = paged.waits.get(name, (0, 0))[0] + 1
            waits = {key: value for key, value in paged.waits.items() if key != name}
            if told:
                after = msgspec.structs.replace(paged, told={**paged.told, name: now}, waits=waits)
                event: Event | None = ne.OperatorsPaged(stage, len(after.told), len(self._targets))
            else:
                later = now + min(FIRST_DELAY << min(failures - 1, 16), LAST_DELAY)
                refused = [*paged.refused, name] if final else paged.refused
                after = msgspec.structs.replace(paged, refused=refused, waits=waits if final else {**waits, name: (failures, later)})
                event = ne.PageRefused(stage, final) if failures == 1 or final else None
            changes = Changes("", now)
            changes.puts.append(_put(incident.id, stage, document, after, now))
            if event is not None:
                book = await incidents.Book.read(self._context.store)
                await book.take(self._context.store, "", incident.id)
                book.add(changes, incident.id, [event])
            await self._context.store.commit(changes)

        await retrying(act)

    async def _document(self, incident: str, stage: str) -> rows.Document | None:
        return await self._context.store.document("", KIND, f"{incident}.{stage}")

    async def _alert(self, incident: Incident) -> bool:
        """Returns whether the alert manager has it as it is now."""
        now, key = self._context.clock.now(), (incident.id, incident.over)
        if self._alerts is None:
            return True
        if now < self._repeat.get(key, 0):
            return False
        self._repeat[key] = now + REPEAT
        facts = await facts_of(self._context, incident)
        said = public.update(facts, LANGUAGE)
        installation = (await self._context.store.installation()).id
        labels = {
            "alertname": "HeliographIncident", "severity": incident.severity.value, "incident": str(incident.number),
            "installation": installation,
        }  # fmt: skip
        labels |= {name: value for name, value in (("provider", incident.provider), ("reason", incident.reason)) if value}
        annotations = {"summary": said.heading, "description": said.body, "release": incident.release, "variable": incident.variable}
        ended = incident.resolved_at or now
        alert = Alert(labels, annotations, incident.onset_at, ended if incident.over else now + FORGET)
        try:
            await self._alerts.alert([alert])
        except NotTold as refused:
            self._context.observe("operator_not_paged", {"final": int(refused.final)})
            self._repeat[key] = now + FIRST_DELAY
            return False
        return True


def _decode(document: rows.Document | None) -> Paged:
    return msgspec.json.decode(document.data, type=Paged) if document else Paged()


def _put(incident: str, stage: str, document: rows.Document | None, paged: Paged, now: int) -> rows.Document:
    version = document.version + 1 if document else 1
    return rows.Document("", KIND, f"{incident}.{stage}", version, now, msgspec.json.encode(paged).decode())
