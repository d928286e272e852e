"""The banner of every page while no release that runs may send: replies are saved and wait, whatever is wrong with a deploy."""

from litestar import Response, get

from heliograph.domain.gate import SENDING, Release
from heliograph.services import releases
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.workspace.asking import Asked, running
from heliograph.web.workspace.render import fragment


@get("/desk/sending", opt={"need": Need.READ})
async def sending_piece(request: Asked) -> Response[str]:
    """Nothing, or that sending is on hold; an admin is told which release, and which variable differs."""
    context = running(request).context
    store, now = context.store, context.clock.now()
    held = not await releases.anybody_sends(store, now)
    row = await _at_fault(request) if held and "admin" in current(request).scopes else None
    return fragment(request, "sending.html", {"held": held, "row": row})


async def _at_fault(request: Asked) -> Release | None:
    """The latest release of which a process runs."""
    context = running(request).context
    alive = await releases.running(context.store, context.clock.now())
    rows = [kept.row for kept in await releases.releases(context.store) if kept.row.id in alive and kept.row.stage not in SENDING]
    return rows[-1] if rows else None
