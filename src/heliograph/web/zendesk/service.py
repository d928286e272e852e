"""What Zendesk's servers call: replies, questions and events. On disk before it is answered, and never refused for trouble of others."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery

from heliograph.bootstrap.application import Application
from heliograph.ports.desk import Endpoints, Malformed
from heliograph.ports.runtime import SealBroken
from heliograph.ports.store import Conflict, Unavailable
from heliograph.services import desk_happenings, desk_links, desk_pulls, desk_replies
from heliograph.services.context import Context, Invalid, Missing
from heliograph.web.auth import IDENT
from heliograph.web.problems import answer

Asked = Request[Any, Any, Any]
#: Largest body, bytes: a message of 65,535 characters takes twelve for each as a form.
LIMIT = 1_048_576
SERVICE = "/zendesk/service/{key:str}"
RETRY_AFTER = {"retry-after": "5"}
NOBODY = "There is no such service here. Check the address."


def _base(request: Asked) -> str:
    """Where Zendesk reaches us: at the public address, or as it has just called us."""
    application: Application = request.app.state.application
    return application.outside.ways.url or f"{request.url.scheme}://{request.headers.get('host', '')}"


def _service(request: Asked) -> str:
    application: Application = request.app.state.application
    return f"{_base(request)}/zendesk/service/{desk_links.service_key(application.context)}"


def manifest_address(request: Asked) -> str:
    """What Zendesk installs; a secret of the installation."""
    return f"{_service(request)}/manifest.json"


def _endpoints(request: Asked) -> Endpoints:
    base, service = _base(request), _service(request)
    return Endpoints(
        admin=f"{base}/zendesk/admin", pull=f"{service}/pull", reply=f"{service}/channelback", click=f"{base}/zendesk/clickthrough",
        health=f"{base}/zendesk/health", events=f"{service}/events",
    )  # fmt: skip


@get(f"{SERVICE}/manifest.json", include_in_schema=False)
async def manifest(request: Asked, key: FromPath[str]) -> Response[Any]:
    """Zendesk reads it when the integration is installed."""
    application: Application = request.app.state.application
    if not _right(application.context, key):
        return answer(404, NOBODY)
    return _json(application.desk.manifest(_endpoints(request)))


@post(f"{SERVICE}/channelback", include_in_schema=False, request_max_body_size=LIMIT)
async def channelback(request: Asked, key: FromPath[str]) -> Response[Any]:
    """A reply. 200 says that it is saved; what becomes of it is reported later."""
    application: Application = request.app.state.application

    async def act() -> Response[Any]:
        written = application.desk.written(await request.body())
        linked = await desk_links.prove(application.context, written.link, written.secret)
        comment = await desk_replies.take(application.context, linked, written)
        application.context.observe("desk_reply_taken", {"channel": linked.channel, "items": len(written.files)})
        return _json({"external_id": comment, "allow_channelback": True})

    return await _answered(application.context, key, act)


@post(f"{SERVICE}/pull", include_in_schema=False, request_max_body_size=LIMIT)
async def pull(request: Asked, key: FromPath[str]) -> Response[Any]:
    """What is new. Nearly always Zendesk has been given it already."""
    application: Application = request.app.state.application

    async def act() -> Response[Any]:
        wanted = application.desk.wanted(await request.body())
        linked = await desk_links.prove(application.context, wanted.link, wanted.secret)
        return _json(await desk_pulls.offer(application.context, application.desk, linked, wanted, url=application.outside.ways.url))

    return await _answered(application.context, key, act)


@post(f"{SERVICE}/events", include_in_schema=False, request_max_body_size=LIMIT)
async def events(request: Asked, key: FromPath[str]) -> Response[Any]:
    """What happened there. It is not signed: the key in the address is what proves it."""
    application: Application = request.app.state.application

    async def act() -> Response[Any]:
        happenings = application.desk.happenings(await request.body())
        await desk_happenings.take(application.context, application.desk.name, happenings)
        return Response("", status_code=200)

    return await _answered(application.context, key, act)


async def _answered(context: Context, key: str, act: Callable[[], Awaitable[Response[Any]]]) -> Response[Any]:
    """What is malformed or unknown is refused for good; a store that cannot write is asked again, since nothing is on disk."""
    if not _right(context, key):
        return answer(404, NOBODY)
    try:
        return await act()
    except (Malformed, Invalid) as wrong:
        context.observe("desk_refused", {"why": type(wrong).__name__.lower()})
        return answer(400, str(wrong))
    except Missing as missing:
        context.observe("desk_refused", {"why": str(missing)})
        return answer(404, f"There is no such {missing} here.")
    except (Unavailable, Conflict, SealBroken) as passing:
        context.observe("desk_refused", {"why": type(passing).__name__.lower()})
        return answer(503, "Nothing was saved; ask again.", headers=RETRY_AFTER)


def _right(context: Context, key: str) -> bool:
    return hmac.compare_digest(key, desk_links.service_key(context))


def _json(data: Any) -> Response[Any]:
    return Response(msgspec.json.encode(data), media_type="application/json", status_code=200, headers={"cache-control": "no-store"})


@get("/zendesk/clickthrough", include_in_schema=False)
async def clickthrough(request: Asked, external_id: FromQuery[str] = "") -> Response[Any]:
    """An agent wants to see the comment here. Nobody has said who they are yet, so nothing is looked up (web.zendesk.desk does)."""
    if not IDENT.match(external_id):
        return answer(404, "There is no such comment here.")
    return Response("", status_code=302, headers={"location": f"/desk/zendesk/comments/{external_id}", "cache-control": "no-store"})


@get("/zendesk/health", include_in_schema=False)
async def health(request: Asked) -> Response[str]:
    """From local facts only: no trouble of a provider makes the desk think that we are gone."""
    application: Application = request.app.state.application
    try:
        await application.context.store.installation()
    except Unavailable:
        return Response("The store cannot be read now.", media_type="text/plain", status_code=503, headers=RETRY_AFTER)
    return Response("OK", media_type="text/plain", headers={"cache-control": "no-store"})


ROUTES = [manifest, channelback, pull, events, clickthrough, health]
