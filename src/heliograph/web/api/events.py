"""Events: everything that happened on a ticket or in the account, in the order in which it was recorded."""

from collections.abc import Sequence

from litestar import get

from heliograph.ports import rows
from heliograph.services.context import Missing
from heliograph.web.api import shapes
from heliograph.web.api.asking import Asked, Cursor, Limit, PathId, context
from heliograph.web.api.cursors import BySeq, decode, encode
from heliograph.web.auth import current
from heliograph.web.policy import API


@get(f"{API}/tickets/{{ticket:str}}/events", tags=["events"], summary="Events of a ticket, oldest first")
async def ticket_events(request: Asked, ticket: PathId, cursor: Cursor = None, limit: Limit = 50) -> shapes.Page[shapes.EventShape]:
    """A page of events."""
    account, store = current(request).account, context(request).store
    if await store.ticket(account, ticket) is None:
        raise Missing("ticket")
    found = await store.events(account, stream="ticket", stream_id=ticket, after=_after(cursor), limit=limit + 1)
    return _page(found, limit)


@get(f"{API}/events", tags=["events"], summary="Events of the account, oldest first")
async def account_events(request: Asked, cursor: Cursor = None, limit: Limit = 50) -> shapes.Page[shapes.EventShape]:
    """A page of events."""
    found = await context(request).store.account_events(current(request).account, after=_after(cursor), limit=limit + 1)
    return _page(found, limit)


def _after(cursor: str | None) -> int:
    return decode(cursor, BySeq).seq if cursor is not None else 0


def _page(found: Sequence[rows.EventRead], limit: int) -> shapes.Page[shapes.EventShape]:
    following = encode(BySeq(found[limit - 1].seq)) if len(found) > limit else None
    return shapes.Page([shapes.event(row) for row in found[:limit]], following)


ROUTES = [ticket_events, account_events]
