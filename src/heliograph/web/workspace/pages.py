"""The desk's pages and the pieces of them that reload by themselves."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from heliograph.services import desk_links
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.workspace import reading
from heliograph.web.workspace.asking import Asked, by_script, frame, running
from heliograph.web.workspace.render import HEADERS, fragment, page
from heliograph.web.workspace.standing import standings

READ = {"need": Need.READ}
MOST = 500
Show = FromQuery[str]
Number = FromQuery[int]


@get("/", opt={"need": Need.ANYBODY}, include_in_schema=False)
async def front(request: Asked) -> Response[str]:
    """The bare address, where nothing else is served there."""
    return Response("", status_code=303, headers={**HEADERS, "location": "/desk"})


@get("/desk", opt=READ)
async def desk(request: Asked, show: Show = "open", n: Number = reading.PAGE) -> Response[str]:
    """The list, and nothing chosen."""
    return page("desk.html", await frame(request, here="tickets", chosen="", **await _lists(request, show, n)))


@get("/desk/tickets/{ticket:str}", opt=READ)
async def ticket(
    request: Asked, ticket: FromPath[str], show: Show = "open", n: Number = reading.PAGE, incident: FromQuery[str] = ""
) -> Response[str]:
    """One ticket beside the list; for a script the ticket alone. With `incident`, only what that incident did is in the Events tab."""
    data = await _case(request, ticket, incident)
    if by_script(request):
        return fragment(request, "ticket.html", data)
    return page("desk.html", await frame(request, here="tickets", **data, **await _lists(request, show, n)))


@get("/desk/list", opt=READ)
async def list_piece(request: Asked, show: Show = "open", n: Number = reading.PAGE, chosen: FromQuery[str] = "") -> Response[str]:
    """The list."""
    return fragment(request, "list.html", {"chosen": chosen, **await _lists(request, show, n)})


@get("/desk/tickets/{ticket:str}/head", opt=READ)
async def head_piece(request: Asked, ticket: FromPath[str]) -> Response[str]:
    """Whose ticket it is, its state, and the banner while its channel is on hold."""
    case = await reading.case(running(request), current(request).account, ticket)
    return fragment(request, "head.html", {"case": case, "writes": "write" in current(request).scopes})


@get("/desk/tickets/{ticket:str}/thread", opt=READ)
async def thread_piece(request: Asked, ticket: FromPath[str]) -> Response[str]:
    """What was said."""
    case = await reading.case(running(request), current(request).account, ticket)
    data = {"case": case, "bubbles": await reading.bubbles(running(request), case), "writes": "write" in current(request).scopes}
    return fragment(request, "thread.html", data)


@get("/desk/tickets/{ticket:str}/events", opt=READ)
async def events_piece(request: Asked, ticket: FromPath[str], incident: FromQuery[str] = "") -> Response[str]:
    """What happened, at all or by one incident."""
    application, account = running(request), current(request).account
    case = await reading.case(application, account, ticket)
    people = await reading.people(application, account)
    entries = await reading.entries(application, case, incident=incident)
    return fragment(request, "events.html", {"case": case, "entries": entries, "people": people, "incident": incident})


@get("/desk/health", opt=READ)
async def health_piece(request: Asked) -> Response[str]:
    """Whether a channel is on hold, for the top of every page."""
    context, account = running(request).context, current(request).account
    known = await standings(context, running(request).specs, account)
    # A link that was removed there on purpose needs nobody.
    links = await desk_links.of_account(context.store, account)
    away = [each.link for each in links if each.link.stopped_at or each.link.standing == desk_links.OFF]
    return fragment(request, "health.html", {"held": [one for one in known.values() if not one.well], "away": away})


async def _lists(request: Asked, show: str, n: int) -> dict[str, Any]:
    view = show if show in reading.SHOWS else "open"
    number = min(max(n, 1), MOST)
    return {"list": await reading.lines(running(request), current(request).account, show=view, number=number), "step": reading.PAGE}


async def _case(request: Asked, ticket_id: str, incident: str) -> dict[str, Any]:
    application, actor = running(request), current(request)
    case = await reading.case(application, actor.account, ticket_id)
    return {
        "chosen": case.ticket.id,
        "case": case,
        "bubbles": await reading.bubbles(application, case),
        "entries": await reading.entries(application, case, incident=incident),
        "incident": incident,
        "people": await reading.people(application, actor.account),
        "writes": "write" in actor.scopes,
        "key": application.context.new_id("idk"),
    }


PAGES = [desk, ticket, list_piece, head_piece, thread_piece, events_piece, health_piece]
