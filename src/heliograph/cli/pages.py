"""Which pages are mounted: the desk, and in a demonstration the three panes around it."""

from heliograph.bootstrap.demo import Demo
from heliograph.cli.assembly import Pages
from heliograph.cli.replay.replay import Replay
from heliograph.web.auth import OpenAccess
from heliograph.web.demo.routes import demo_routes
from heliograph.web.workspace.routes import routes as desk_routes, routes_and_front
from heliograph.web.zendesk.desk import zendesk_pages


def desk_pages() -> Pages:
    """The desk behind its login."""
    return Pages((*routes_and_front, zendesk_pages))


def demonstration_pages(demo: Demo, replay: Replay) -> Pages:
    """Everybody who opens the address is the shop's first agent."""
    panes = demo_routes(sandbox=demo.sandbox.url, aliases=tuple(demo.sandbox.origins), replay=replay)
    return Pages((*desk_routes, zendesk_pages, *panes), OpenAccess(demo.account, demo.agent))
