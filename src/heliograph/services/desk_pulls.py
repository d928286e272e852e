"""Answers a desk that asks what is new: the same items that are handed over, for when handing over does not get through."""

from collections.abc import Mapping
from typing import Any

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports.desk import Desk, Item, Wanted
from heliograph.services import desk_links
from heliograph.services.context import Context
from heliograph.services.desk_items import FileLater, item_of
from heliograph.services.desk_links import Linked

#: Events that are read for one answer: the desk waits for it.
PAGE = 500
#: Microseconds after which no other item is begun: the desk waits for a minute, and files are fetched meanwhile.
BUDGET = 20 * SECOND


class State(msgspec.Struct):
    """What the desk keeps between two questions."""

    seq: int = 0


async def offer(context: Context, desk: Desk, linked: Linked, wanted: Wanted) -> Mapping[str, Any]:
    """What the desk does not have. What was handed over is never older than what it has asked for. Raises Unavailable."""
    reached, _ = await desk_links.reached(context.store, linked)
    seq = max(_seq(wanted.state), reached)
    items: list[Item] = []
    begun = context.clock.now()
    for event in await context.store.account_events(linked.account, after=seq, limit=PAGE):
        if len(items) >= desk.batch or context.clock.now() - begun > BUDGET:
            break
        try:
            item = await item_of(context, linked, event)
        except FileLater:
            # It gets there with its file by being handed over; here everything behind it would wait.
            item = await item_of(context, linked, event, files=False)
        if item is not None:
            items.append(item)
        seq = event.seq
    return desk.offer(items, msgspec.json.encode(State(seq)).decode())


def _seq(state: str) -> int:
    """Where the desk says it is; somebody else's state, or none, is the beginning."""
    try:
        seq = msgspec.json.decode(state, type=State).seq if state else 0
    except (msgspec.DecodeError, RecursionError):
        return 0
    return seq if 0 <= seq < 2**62 else 0
