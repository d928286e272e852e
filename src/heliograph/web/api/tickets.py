"""Tickets: list, look at one, close it, take it up again."""

from typing import Annotated, Literal

from litestar import get, post
from litestar.params import QueryParameter

from heliograph.services import tickets
from heliograph.services.context import Missing
from heliograph.web.api import shapes
from heliograph.web.api.asking import Asked, Cursor, Limit, PathId, context
from heliograph.web.api.cursors import ByTime, decode, encode
from heliograph.web.auth import current
from heliograph.web.policy import API

TicketState = Annotated[Literal["open", "solved"], QueryParameter(name="state")]


@get(f"{API}/tickets", tags=["tickets"], summary="Tickets of one state, the latest changed first")
async def list_tickets(
    request: Asked, wanted: TicketState = "open", cursor: Cursor = None, limit: Limit = 50
) -> shapes.Page[shapes.TicketRow]:
    """A page of tickets."""
    mark = decode(cursor, ByTime) if cursor is not None else None
    before = (mark.at, mark.id) if mark is not None else None
    found = await context(request).store.tickets(current(request).account, state=wanted, before=before, limit=limit + 1)
    following = encode(ByTime(found[limit - 1].updated_at, found[limit - 1].id)) if len(found) > limit else None
    return shapes.Page([shapes.ticket_row(row) for row in found[:limit]], following)


@get(f"{API}/tickets/{{ticket:str}}", tags=["tickets"], summary="One ticket")
async def get_ticket(request: Asked, ticket: PathId) -> shapes.TicketShape:
    """A ticket by its id."""
    return await _ticket(request, ticket)


@post(f"{API}/tickets/{{ticket:str}}/solve", status_code=200, tags=["tickets"], summary="Close a case; replies that wait still go out")
async def solve(request: Asked, ticket: PathId) -> shapes.TicketShape:
    """Solving a solved ticket changes nothing."""
    actor = current(request)
    await tickets.solve(context(request), actor.account, ticket, actor=actor.actor)
    return await _ticket(request, ticket)


@post(f"{API}/tickets/{{ticket:str}}/reopen", status_code=200, tags=["tickets"], summary="Take a case up again")
async def reopen(request: Asked, ticket: PathId) -> shapes.TicketShape:
    """Reopening an open ticket changes nothing."""
    actor = current(request)
    await tickets.reopen(context(request), actor.account, ticket, actor=actor.actor)
    return await _ticket(request, ticket)


async def _ticket(request: Asked, id: str) -> shapes.TicketShape:
    row = await context(request).store.ticket(current(request).account, id)
    if row is None:
        raise Missing("ticket")
    return shapes.ticket(row)


ROUTES = [list_tickets, get_ticket, solve, reopen]
