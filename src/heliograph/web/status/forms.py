"""Pages with a form, around the status page: never kept, drawn in the language of their address."""

from typing import Any

from litestar import Request, Response

from heliograph.projections.public.board import Case
from heliograph.projections.wording.languages import Language
from heliograph.web.problems import Refused
from heliograph.web.status.live import Live
from heliograph.web.status.site import HTML, POLICY, TEMPLATES, whole
from heliograph.web.status.views import about, by_slug

Asked = Request[Any, Any, Any]
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def live_of(request: Asked) -> Live:
    """The board behind these pages."""
    live: Live = request.route_handler.opt["live"]()
    return live


def language_at(slug: str) -> Language:
    """The language of an address. Raises Refused (404)."""
    language = by_slug(slug)
    if language is None:
        raise Refused(404, "There is no such language here.")
    return language


async def case_at(live: Live, incident: str) -> Case:
    """The incident of an address. Raises Refused (404)."""
    case = (await live.board()).case(incident)
    if case is None:
        raise Refused(404, "There is no such incident here.")
    return case


async def form_page(
    live: Live, language: Language, name: str, *, end: str = "", title: str, code: int = 200, **data: Any
) -> Response[bytes]:
    """A page from the template `name`, which is given `data`."""
    board = await live.board()
    inner = TEMPLATES.get_template(name).render({**about(board, language), **data})
    made = whole(board, language, end, f"{title} · {board.name}", inner, together=False)
    return Response(made.body, status_code=code, media_type=HTML, headers=HEADERS)
