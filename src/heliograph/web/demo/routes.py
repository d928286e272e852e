"""What a demonstration serves beside the desk: its one page, and the sandbox's pages at the same address."""

from litestar import Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from heliograph.web.demo.proxy import proxied
from heliograph.web.demo.replaying import Replays, replay_routes
from heliograph.web.policy import Need
from heliograph.web.workspace.asking import Asked
from heliograph.web.workspace.render import environment, page

TEMPLATES = environment("heliograph.web.demo", "heliograph.web.workspace")


def panes(*, replays: bool) -> HTTPRouteHandler:
    """The three panes, with the replay's button where there is one."""

    @get("/", opt={"need": Need.READ})
    async def shown(request: Asked) -> Response[str]:
        return page("demo.html", {"replays": replays}, frame="'self'", templates=TEMPLATES)

    return shown


def demo_routes(*, sandbox: str, aliases: tuple[str, ...] = (), replay: Replays | None = None) -> list[ControllerRouterHandler]:
    """Handlers for a demonstration. `sandbox` is where the sandbox listens; `aliases` are further addresses of it in what it says."""
    router = Router(path="/", route_handlers=[panes(replays=replay is not None), *proxied(sandbox, aliases)], include_in_schema=False)
    return [router, replay_routes(replay)] if replay is not None else [router]
