"""Whether this process is alive, ready and started, and its numbers: local facts only, since a provider's outage must not empty a fleet."""

import asyncio
import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Protocol

from litestar import Request, Response, get, route

from heliograph.bootstrap.application import Application
from heliograph.domain.gate import Release
from heliograph.ports import rows
from heliograph.ports.store import Store, Unavailable
from heliograph.services.context import Context
from heliograph.services.probe import probe
from heliograph.web.problems import MEDIA_TYPE, answer

#: Seconds in which the store must answer.
PATIENCE = 2.0
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Renders(Protocol):
    """Makes the page of numbers, see bootstrap.metrics."""

    async def render(self, store: Store) -> bytes:
        """The page, in Prometheus' text format. Raises Unavailable."""
        ...


class Gate(Protocol):
    """Says whether this process's release may send, see worker.gatekeeper."""

    @property
    def row(self) -> Release | None:
        """How the release stands; None until the store has answered."""
        ...

    @property
    def may_send(self) -> bool:
        """Whether it is let through."""
        ...


@dataclass(slots=True)
class Vitals:
    """What the process knows of itself. `started` and `admitted` latch; `draining` is set when it is about to stop."""

    metrics: Renders
    started: bool = False
    admitted: bool = False
    draining: bool = False
    #: None where the process takes no part in releases.
    gate: Gate | None = None
    #: Where set, /metrics asks everybody for it as a bearer token; where not, only this machine is answered, or all if it is open.
    metrics_token: str = field(default="", repr=False)
    metrics_open: bool = False


async def start(application: Application, vitals: Vitals) -> None:
    """The gate of a start: the store is migrated by now; every enabled channel is probed once. A failing one holds its own."""
    context = application.context
    channels = await _channels(context)
    await asyncio.gather(*(probe(context, channel.account, channel.id) for channel in channels), return_exceptions=True)
    vitals.started = True


async def _channels(context: Context) -> list[rows.Channel]:
    """The enabled channels, asked for until the store answers."""
    while True:
        try:
            return [channel for channel in await context.store.all_channels() if channel.enabled]
        except Unavailable:
            await context.clock.sleep(1.0)


@route("/livez", http_method=["GET", "HEAD"], include_in_schema=False, media_type="text/plain")
async def livez() -> str:
    """The loop turns, or nobody would answer."""
    return "alive\n"


@route("/readyz", http_method=["GET", "HEAD"], include_in_schema=False, media_type="text/plain")
async def readyz(request: Request[Any, Any, Any]) -> Response[Any]:
    """The store answers, and the process is not about to stop."""
    if _vitals(request).draining:
        return answer(503, "This process is about to stop.")
    store: Store = request.app.state.application.context.store
    try:
        async with asyncio.timeout(PATIENCE):
            await store.installation()
    except (Unavailable, TimeoutError):
        return answer(503, "The store does not answer.")
    return Response("ready\n", media_type="text/plain")


@route("/startupz", http_method=["GET", "HEAD"], include_in_schema=False, media_type="text/plain")
async def startupz(request: Request[Any, Any, Any]) -> Response[Any]:
    """The store is migrated, every channel was probed once, and this process's release was let through: from then on for good."""
    vitals = _vitals(request)
    gate = vitals.gate
    vitals.admitted = vitals.admitted or gate is None or gate.may_send
    if not vitals.admitted and gate is not None:
        return _held_back(gate.row)
    if not vitals.started:
        return answer(503, "The channels are being probed.")
    return Response("started\n", media_type="text/plain")


def _held_back(row: Release | None) -> Response[Any]:
    """Which release may not send, and why, by name and never by value."""
    if row is None:
        return answer(503, "The release is not registered yet.")
    told = {"release": row.id, "stage": str(row.stage), "basis": row.basis, "subject": row.subject, "variable": row.variable}
    detail = "This release may not send yet. See: heliograph release list"
    body = {"title": "Service Unavailable", "status": 503, "detail": detail, **told}
    return Response(body, status_code=503, media_type=MEDIA_TYPE, headers={"cache-control": "no-store"})


@get("/metrics", include_in_schema=False)
async def metrics(request: Request[Any, Any, Any]) -> Response[Any]:
    """Numbers for Prometheus. Labels are ids and codes; no text, no handle."""
    vitals = _vitals(request)
    given = request.headers.get("authorization", "").encode("utf-8", "replace")
    if vitals.metrics_token and not hmac.compare_digest(given, b"Bearer " + vitals.metrics_token.encode()):
        return answer(401, "The numbers ask for their own bearer token.", headers={"www-authenticate": 'Bearer realm="metrics"'})
    if not (vitals.metrics_token or vitals.metrics_open or _near(request)):
        return answer(403, "The numbers are told to this machine only. HELIOGRAPH_METRICS_TOKEN or HELIOGRAPH_METRICS=open let others ask.")
    return Response(await vitals.metrics.render(request.app.state.application.context.store), media_type=METRICS_TYPE)


def _near(request: Request[Any, Any, Any]) -> bool:
    """Whether somebody on this machine asks: a proxy on it does so for others, and says so in one of these ways."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _vitals(request: Request[Any, Any, Any]) -> Vitals:
    vitals: Vitals = request.app.state.vitals
    return vitals


ROUTES = [livez, readyz, startupz, metrics]
