"""What a scenario saw: read from the ledger, and compared with what the sandbox took and refused by its own record."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from heliograph.bootstrap.application import Application
from heliograph.domain.gate import Stage
from heliograph.domain.incident import Incident
from heliograph.drill.place import Place
from heliograph.drill.processes import PATIENCE, NotDrilled
from heliograph.drill.truth import SECOND, held_up
from heliograph.ports.rows import EventRead
from heliograph.services import incidents, notices
from heliograph.services.impact import impact
from heliograph.services.releases import Kept, releases

T = TypeVar("T")


async def until(ask: Callable[[], Awaitable[T | None]], what: str, *, seconds: float = PATIENCE) -> T:
    """Ask until there is an answer. Raises NotDrilled."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = await ask()
        if found is not None:
            return found
        await asyncio.sleep(0.05)
    raise NotDrilled(f"{what} was not seen in {seconds:.0f} s")


async def release(application: Application, wanted: Callable[[Kept], bool], what: str, *, seconds: float = PATIENCE) -> Kept:
    """The newest release of which `wanted` is true, once there is one."""

    async def ask() -> Kept | None:
        return next((kept for kept in reversed(await releases(application.context.store)) if wanted(kept)), None)

    return await until(ask, what, seconds=seconds)


def staged(*stages: Stage, other_than: str = "") -> Callable[[Kept], bool]:
    """Whether a release is at one of these stages."""
    return lambda kept: kept.row.stage in stages and kept.row.id != other_than


async def events(application: Application, place: Place) -> list[EventRead]:
    """Everything in the ledger: of the accounts and of the installation."""
    found: list[EventRead] = []
    for account in ["", *place.accounts]:
        after = 0
        while page := await application.context.store.account_events(account, after=after, limit=1000):
            found += page
            after = page[-1].seq
    return found


def attempts(told: list[EventRead], release: str) -> list[EventRead]:
    """Attempts that a release started."""
    return [event for event in told if event.kind == "attempt_started" and event.release == release]


def first_refusal(told: list[EventRead], release: str = "") -> EventRead | None:
    """The first attempt that the service refused for its credentials."""
    kinds = ("attempt_deferred", "attempt_refused")
    found = [e for e in told if e.kind in kinds and e.reason == "bad_credentials" and '"code":""' not in e.data]
    return min((e for e in found if release in ("", e.release)), key=lambda e: e.recorded_at, default=None)


def started_late(told: list[EventRead], release: str, since: int, *, grace: float = 0.1) -> int:
    """Attempts of a release that began more than `grace` seconds after `since` and were not stopped before their call."""
    stopped = {(e.subject, e.attempt) for e in told if e.kind == "attempt_deferred" and '"code":"not_started"' in e.data}
    late = [e for e in attempts(told, release) if e.recorded_at > since + grace * SECOND]
    return sum((e.subject, e.attempt) not in stopped for e in late)


async def told_agents(application: Application, place: Place) -> dict[str, int]:
    """Who was told, in the product: agent -> when (microseconds), the first time."""
    told: dict[str, int] = {}
    for account in place.accounts:
        for document in await application.context.store.documents(account, notices.KIND):
            notice = notices.decode(document)
            if notice.reader.startswith("agt"):
                told[notice.reader] = min(told.get(notice.reader, notice.told_at), notice.told_at)
    return told


async def compared(application: Application, place: Place, found: list[Incident]) -> dict[str, float]:
    """Precision and recall of the incidents' impact against the sandbox's record."""
    truth, untold = await held_up(place)
    said = {affected.delivery for incident in found for affected in await impact(application.context.store, incident)} - untold
    right = len(said & truth)
    return {
        "affected": len(truth),
        "impact_precision": round(right / len(said), 4) if said else 1.0,
        "impact_recall": round(right / len(truth), 4) if truth else 1.0,
    }


async def open_incidents(application: Application) -> list[Incident]:
    """All that ever were, of the installation and of accounts."""
    return [incident for incident in await incidents.all_incidents(application.context.store) if not incident.merged_into]


async def public(place: Place) -> list[dict[str, Any]]:
    """What the public page tells, by its JSON."""
    async with place.http.get(f"http://127.0.0.1:{place.port}/status/api/v2/incidents.json") as answer:
        return list((await answer.json())["incidents"])
