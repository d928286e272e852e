"""Everything that operators are served, ready to be mounted."""

from litestar import Router
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from heliograph.domain.decide import Refusal
from heliograph.ports.store import Conflict, Unavailable
from heliograph.services.context import Invalid, Missing
from heliograph.web.operator import api, entry, incidents
from heliograph.web.problems import Refused

_HANDLERS: ExceptionHandlersMap = {
    Refused: entry.refused, Missing: entry.missing, Invalid: entry.invalid, Refusal: entry.invalid,
    Unavailable: entry.unsaved, Conflict: entry.unsaved,
}  # fmt: skip

_pages = Router(
    path="/",
    route_handlers=[entry.sign_in_page, entry.sign_in, entry.sign_out, *incidents.PAGES],
    exception_handlers=_HANDLERS,
    include_in_schema=False,
)
_api = Router(path="/", route_handlers=api.ROUTES, include_in_schema=False, response_headers={"cache-control": "no-store"})

#: Beside these, web.operator.postmortem.story_routes(live, operator_guard).
operator_routes: list[ControllerRouterHandler] = [_pages, _api]
operator_guard = entry.operator_guard
__all__ = ["operator_guard", "operator_routes"]
