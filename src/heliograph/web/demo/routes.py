"""What a demonstration serves beside the desk: its one page, and the sandbox's pages at the same address."""

from typing import Any

from litestar import Response, Router, get
from litestar.types import ControllerRouterHandler

from heliograph.web.demo.proxy import proxied
from heliograph.web.policy import Need
from heliograph.web.workspace.asking import Asked
from heliograph.web.workspace.render import environment, page

TEMPLATES = environment("heliograph.web.demo", "heliograph.web.workspace")


@get("/", opt={"need": Need.READ})
async def panes(request: Asked) -> Response[str]:
    """The three panes."""
    data: dict[str, Any] = {}
    return page("demo.html", data, frame="'self'", templates=TEMPLATES)


def demo_routes(*, sandbox: str, aliases: tuple[str, ...] = ()) -> list[ControllerRouterHandler]:
    """Handlers for a demonstration. `sandbox` is where the sandbox listens; `aliases` are further addresses of it in what it says."""
    return [Router(path="/", route_handlers=[panes, *proxied(sandbox, aliases)], include_in_schema=False)]
