"""Serves the public files: the same for everybody, cacheable, readable from any site, without a login."""

from typing import Any

from litestar import Request, Response, Router, route
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from heliograph.domain.decide import Refusal
from heliograph.ports.store import Conflict, Unavailable
from heliograph.projections.public.api import FILES
from heliograph.projections.wording.languages import known
from heliograph.services.context import Invalid, Missing
from heliograph.web.policy import Need
from heliograph.web.problems import Refused
from heliograph.web.status import acting, following
from heliograph.web.status.forms import live_of
from heliograph.web.status.live import Live
from heliograph.web.status.site import API, ASSETS, POLICY, ROOT, address, draw
from heliograph.web.status.views import slug_of
from heliograph.web.workspace import asking

Asked = Request[Any, Any, Any]
OPEN = {"need": Need.OPEN}
#: Assets' addresses, each with the mark of its content.
ASSETS_HERE = frozenset(address(name) for name in ASSETS)
NOTHING = "There is no such page here. All that there is starts at /status."
ADDRESSES = [
    ROOT,
    *(f"{ROOT}/assets/{name}" for name in ASSETS),
    *(f"{API}/{name}" for name in FILES),
    f"{ROOT}/incidents/{{incident:str}}",
    f"{ROOT}/incidents/{{incident:str}}/postmortem",
    f"{ROOT}/{{language:str}}",
    f"{ROOT}/{{language:str}}/history",
    f"{ROOT}/{{language:str}}/feed.atom",
    f"{ROOT}/{{language:str}}/incidents/{{incident:str}}",
    f"{ROOT}/{{language:str}}/incidents/{{incident:str}}/postmortem",
    f"{ROOT}/{{language:str}}/incidents/{{incident:str}}/postmortem.md",
]


@route(ADDRESSES, http_method=["GET", "HEAD"], opt=OPEN)
async def public(request: Asked) -> Response[bytes]:
    """One public file."""
    live = live_of(request)
    path = request.url.path.rstrip("/")
    file = await live.file(path)
    if file is None:
        elsewhere = _spelled(path)
        if elsewhere != path and draw(await live.board(), elsewhere) is not None:
            return Response(b"", status_code=301, headers={"location": elsewhere})
        raise Refused(404, NOTHING)
    headers = {
        "etag": file.etag,
        "cache-control": _keep(request),
        "access-control-allow-origin": "*",
        "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
    }
    if file.etag in {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}:
        return Response(b"", status_code=304, headers=headers)
    return Response(file.made.body, media_type=file.made.media_type, headers=headers)


def _keep(request: Asked) -> str:
    """An asset's address changes with its content. All else is asked for anew by browsers, and kept for a while by what stands between.

    Under the address of another version it is not kept: for a year that version's pages would be given this one's.
    """
    if request.url.query and f"{request.url.path}?{request.url.query}" in ASSETS_HERE:
        return "public, max-age=31536000, immutable"
    return "public, max-age=0, s-maxage=10, stale-if-error=86400"


def _spelled(path: str) -> str:
    """The address with the language as we spell it: /status/pt and /status/pt-PT are /status/pt-br."""
    parts = path.split("/")
    language = known(parts[2]) if len(parts) > 2 else None
    return "/".join([*parts[:2], slug_of(language), *parts[3:]]) if language is not None else path


def _invalid(request: asking.Asked, error: Invalid) -> Response[Any]:
    return asking.plainly(request, 422, str(error))


def _refusal(request: asking.Asked, error: Refusal) -> Response[Any]:
    return asking.plainly(request, 409, str(error))


def _unsaved(request: asking.Asked, error: Exception) -> Response[Any]:
    return asking.plainly(request, 503, "The store does not answer. Try again in a moment.")


def status_routes(live: Live) -> list[ControllerRouterHandler]:
    """Everything below /status, ready to be mounted."""
    handlers: ExceptionHandlersMap = {
        Refused: asking.refused,
        Missing: asking.missing,
        Invalid: _invalid,
        Refusal: _refusal,
        Unavailable: _unsaved,
        Conflict: _unsaved,
    }
    made = Router(
        path="/",
        route_handlers=[public, *following.HANDLERS, *acting.HANDLERS],
        # The framework copies options deeply; a function is copied as it is.
        opt={"live": lambda: live},
        exception_handlers=handlers,
        include_in_schema=False,
    )
    return [made]
