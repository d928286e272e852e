"""Deliveries: what became of each message that we owe, and what a person decides about those that ask or failed."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter

from heliograph.domain.delivery import State
from heliograph.services.context import Missing
from heliograph.services.decisions import decide_on
from heliograph.web.api import shapes
from heliograph.web.api.asking import Asked, Cursor, Limit, PathId, context
from heliograph.web.api.cursors import ById, decode, encode
from heliograph.web.auth import current
from heliograph.web.policy import API

Wanted = Annotated[State, QueryParameter(name="state")]
Channel = Annotated[str, QueryParameter(pattern=r"^[A-Za-z0-9_-]{0,64}$", description="Only of this channel")]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """What a person decides."""

    decision: Literal["resend", "mark_sent", "cancel"]


@get(f"{API}/deliveries", tags=["deliveries"], summary="Deliveries in one state, oldest first")
async def list_deliveries(
    request: Asked, wanted: Wanted, channel: Channel = "", cursor: Cursor = None, limit: Limit = 50
) -> shapes.Page[shapes.DeliveryShape]:
    """A page of deliveries."""
    after = decode(cursor, ById).id if cursor is not None else ""
    store = context(request).store
    found = await store.deliveries(current(request).account, state=wanted.value, channel=channel, after=after, limit=limit + 1)
    following = encode(ById(found[limit - 1].id)) if len(found) > limit else None
    return shapes.Page([shapes.delivery(row) for row in found[:limit]], following)


@get(f"{API}/deliveries/{{delivery:str}}", tags=["deliveries"], summary="One delivery")
async def get_delivery(request: Asked, delivery: PathId) -> shapes.DeliveryShape:
    """A delivery by its id."""
    row = await context(request).store.delivery(current(request).account, delivery)
    if row is None:
        raise Missing("delivery")
    return shapes.delivery(row)


@post(f"{API}/deliveries/{{delivery:str}}/decide", status_code=200, tags=["deliveries"], summary="Decide what happens with a reply")
async def decide(request: Asked, delivery: PathId, data: JSONBody[Decision]) -> shapes.DeliveryShape:
    """409 where the decision does not fit the delivery's state."""
    return await _decide(request, delivery, data.decision)


@post(f"{API}/deliveries/{{delivery:str}}/resend", status_code=200, tags=["deliveries"], summary="Send it again")
async def resend(request: Asked, delivery: PathId) -> shapes.DeliveryShape:
    """For a delivery that asks, failed or was cancelled."""
    return await _decide(request, delivery, "resend")


@post(f"{API}/deliveries/{{delivery:str}}/mark_sent", status_code=200, tags=["deliveries"], summary="Treat it as sent")
async def mark_sent(request: Asked, delivery: PathId) -> shapes.DeliveryShape:
    """For a delivery that asks."""
    return await _decide(request, delivery, "mark_sent")


@post(f"{API}/deliveries/{{delivery:str}}/cancel", status_code=200, tags=["deliveries"], summary="Do not send it")
async def cancel(request: Asked, delivery: PathId) -> shapes.DeliveryShape:
    """For a delivery that waits or asks."""
    return await _decide(request, delivery, "cancel")


async def _decide(request: Asked, delivery: str, decision: str) -> shapes.DeliveryShape:
    actor = current(request)
    return shapes.delivery(await decide_on(context(request), actor.account, delivery, decision, actor=actor.actor))


ROUTES = [list_deliveries, get_delivery, decide, resend, mark_sent, cancel]
