"""Everything the workspace serves, ready to be mounted."""

from typing import Any

from litestar import Response, Router
from litestar.types import ControllerRouterHandler

from heliograph.domain.decide import Refusal
from heliograph.ports.runtime import SealBroken
from heliograph.ports.store import Conflict, Unavailable
from heliograph.services.context import Invalid, Missing
from heliograph.web.problems import Refused
from heliograph.web.workspace import asking
from heliograph.web.workspace.acts import ACTS
from heliograph.web.workspace.approved import APPROVED
from heliograph.web.workspace.assets import asset
from heliograph.web.workspace.channels import CHANNELS
from heliograph.web.workspace.language import listen
from heliograph.web.workspace.media import file
from heliograph.web.workspace.notices import NOTICES
from heliograph.web.workspace.pages import PAGES, front
from heliograph.web.workspace.sending import sending_piece
from heliograph.web.workspace.signin import SIGNING
from heliograph.web.workspace.status import STATUS
from heliograph.web.workspace.stream import live


def _invalid(request: asking.Asked, error: Invalid) -> Response[Any]:
    return asking.plainly(request, 422, str(error))


def _refusal(request: asking.Asked, error: Refusal) -> Response[Any]:
    return asking.plainly(request, 409, str(error))


def _unsaved(request: asking.Asked, error: Exception) -> Response[Any]:
    running = asking.running(request)
    running.context.observe("store_unavailable", {"route": "desk"})
    return asking.plainly(request, 503, "Nothing was saved: the store cannot write now. Try again in a moment.")


def _sealed(request: asking.Asked, error: SealBroken) -> Response[Any]:
    return asking.plainly(request, 503, "Nothing was saved: the channel’s secrets do not open. An operator must put the master key back.")


workspace = Router(
    path="/",
    route_handlers=[*PAGES, *ACTS, *APPROVED, *CHANNELS, *NOTICES, *STATUS, *SIGNING, sending_piece, file, live, asset],
    exception_handlers={
        Refused: asking.refused, Missing: asking.missing, Invalid: _invalid, Refusal: _refusal, Unavailable: _unsaved, Conflict: _unsaved,
        SealBroken: _sealed,
    },
    before_request=listen,
    include_in_schema=False,
)  # fmt: skip

routes: list[ControllerRouterHandler] = [workspace]
#: With the bare address as well, which a demonstration gives to its panes.
routes_and_front: list[ControllerRouterHandler] = [workspace, front]
