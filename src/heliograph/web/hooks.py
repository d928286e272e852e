"""Webhooks of providers: proved first, durable before they are answered 2xx, and never refused for trouble of our own."""

from dataclasses import dataclass, field
from typing import Any

from litestar import Request, Response, post, route
from litestar.params import FromPath

from heliograph.domain.retry import SECOND
from heliograph.ports.provider import BadSignature, RawRequest
from heliograph.ports.store import Conflict, Unavailable
from heliograph.services.channels import Connected
from heliograph.services.context import Context
from heliograph.services.ingest import ingest
from heliograph.services.quarantine import Quarantine
from heliograph.services.sealed import Sealed
from heliograph.services.verified import Remembering
from heliograph.web.problems import Problem, answer

#: Largest webhook body, bytes.
LIMIT = 1_048_576
#: Seconds for which a verified call proves that our secret is the provider's.
FRESH = 60
#: Unproved calls in a row after which the secret is doubted again: forgers come alone, a rotated secret fails every call.
DOUBT = 3
RETRY_AFTER = "30"


@dataclass(slots=True)
class Proved:
    """The last verified call of a channel: with which credential version, when, and how many have failed since."""

    version: str
    at: int
    failed: int = 0


@dataclass(slots=True)
class Proofs:
    """What this process knows of its channels' webhook secrets. After a start nothing is proved, so nothing is refused for good."""

    quarantine: Quarantine = field(default_factory=Quarantine)
    remembering: Remembering = field(default_factory=Remembering)
    _last: dict[str, Proved] = field(default_factory=dict)

    def verified(self, channel: str, version: str, now: int) -> None:
        """A call carried the secret."""
        self._last[channel] = Proved(version, now)

    def refusable(self, channel: str, version: str, now: int) -> bool:
        """A call did not carry the secret: whether that can be told from a wrong secret of our own. Counts it."""
        last = self._last.get(channel)
        if last is None or last.version != version:
            return False
        last.failed += 1
        return last.failed <= DOUBT and now - last.at <= FRESH * SECOND


@post("/hooks/{provider:str}/{channel:str}", include_in_schema=False, request_max_body_size=LIMIT, status_code=200)
async def receive(request: Request[Any, Any, Any], provider: FromPath[str], channel: FromPath[str]) -> Response[Any]:
    """2xx only after commit. 503 makes the provider repeat: several give an event up for good after 401, 403 or 404."""
    context: Context = request.app.state.application.context
    try:
        return await _receive(request, context, provider, channel)
    except (Unavailable, Conflict):
        _refused(context, provider, channel, "store")
        return _later("The store cannot write now; repeat this call.")


async def _receive(request: Request[Any, Any, Any], context: Context, provider: str, channel: str) -> Response[Any]:
    row = await context.store.channel_by_id(channel)
    if row is None or row.provider != provider:
        _refused(context, provider if row is not None else "", "", "unknown_channel")
        return answer(404, "There is no such channel.")
    connected = await context.channels.get(row.account, row.id)
    if connected is None or isinstance(connected.provider, Sealed):
        _refused(context, provider, channel, "sealed")
        return _later("The channel cannot be opened now; repeat this call.")
    raw = await _raw(request, context)
    try:
        if (reply := _challenged(connected, raw)) is not None:
            return reply
        connected.provider.verify(raw)
    except BadSignature:
        return await _unproved(request, context, connected, raw)
    proofs: Proofs = request.app.state.proofs
    proofs.verified(row.id, connected.version, context.clock.now())
    await proofs.quarantine.release(context, connected)
    inbound = connected.provider.parse(raw)
    new = await ingest(context, row, inbound)
    await proofs.remembering.verified(context, connected, raw)
    context.observe("webhook_taken", {"provider": provider, "channel": channel, "items": len(inbound), "new": new})
    media_type, body = connected.spec.webhook_answer
    return Response(body, media_type=media_type, status_code=200)


@route("/hooks/{provider:str}/{channel:str}", http_method=["GET", "HEAD"], include_in_schema=False)
async def look(request: Request[Any, Any, Any], provider: FromPath[str], channel: FromPath[str]) -> Response[Any]:
    """For people and monitors that open the address: it is there. And for providers that ask whether it is ours."""
    context: Context = request.app.state.application.context
    row = await context.store.channel_by_id(channel)
    if row is None or row.provider != provider:
        return answer(404, "There is no such channel.")
    connected = await context.channels.get(row.account, row.id)
    if connected is not None and not isinstance(connected.provider, Sealed):
        try:
            if (reply := _challenged(connected, await _raw(request, context))) is not None:
                return reply
        except BadSignature:
            return answer(403, "This is not the channel's verify token.")
    return Response("Heliograph takes webhooks here.\n", media_type="text/plain")


def _challenged(connected: Connected, raw: RawRequest) -> Response[Any] | None:
    """The answer to a provider that asks whether the address is ours. Raises BadSignature."""
    if "challenge" not in connected.spec.capabilities:
        return None
    reply: bytes | None = connected.provider.challenge(raw)
    return None if reply is None else Response(reply, media_type="text/plain", status_code=200)


async def _raw(request: Request[Any, Any, Any], context: Context) -> RawRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = {name: values[0] for name, values in request.query_params.dict().items() if values}
    # As the provider has called it: before a proxy, which may speak another scheme or host with us.
    base = context.channels.addresses.base or f"{request.url.scheme}://{request.url.netloc}"
    url = f"{base}{request.url.path}{f'?{request.url.query}' if request.url.query else ''}"
    return RawRequest(request.method, request.url.path, query, headers, await request.body(), url, context.clock.now())


async def _unproved(request: Request[Any, Any, Any], context: Context, connected: Connected, raw: RawRequest) -> Response[Problem]:
    """Kept in any case: that a run of failures began is only seen after its first calls."""
    channel = connected.channel
    proofs: Proofs = request.app.state.proofs
    await proofs.quarantine.keep(context, connected, raw)
    if proofs.refusable(channel.id, connected.version, context.clock.now()):
        _refused(context, channel.provider, channel.id, "signature")
        return answer(401, "This call does not carry the channel's secret.", headers={"www-authenticate": "Webhook"})
    _refused(context, channel.provider, channel.id, "unproved")
    return _later("This call could not be verified, and the fault may be ours; repeat it.")


def _later(detail: str) -> Response[Problem]:
    return answer(503, detail, headers={"retry-after": RETRY_AFTER})


def _refused(context: Context, provider: str, channel: str, why: str) -> None:
    context.observe("webhook_refused", {"provider": provider, "channel": channel, "why": why})


ROUTES = [receive, look]
