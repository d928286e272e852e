"""What becomes of waiting replies when the store turns out to be an older state or a copy of itself."""

from functools import partial

import msgspec

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery, State
from heliograph.domain.store_events import StoreMoved
from heliograph.ports import rows
from heliograph.ports.store import Changes, Fold, Loose
from heliograph.services.context import Context, retrying

#: The document that says where the store is kept.
KIND, PLACE = "installation", "place"
BATCH = 500


class Place(msgspec.Struct):
    """Where the store is kept. `epoch` is another one after each move; `former`: those before, the latest last."""

    epoch: str
    engine: str
    former: list[str]
    at: int


async def doubt_all(context: Context) -> int:
    """Every reply that is queued may have been sent elsewhere: unknown, until it is looked up or somebody decides. Safe to repeat.

    Attempts under way become unknown with their leases, as after any crash.
    """
    doubted = 0
    for account in await context.store.accounts():
        after = ""
        while batch := await context.store.deliveries(account.id, state=State.QUEUED, channel="", after=after, limit=BATCH):
            after = batch[-1].id
            for delivery in batch:
                doubted += await retrying(partial(_doubt, context, delivery))
                await context.failpoint("moved:after_doubt")
    return doubted


async def _doubt(context: Context, delivery: Delivery) -> bool:
    current = await context.store.delivery(delivery.account, delivery.id)
    if current is None or current.state is not State.QUEUED:
        return False
    policy = await context.policies.of(current, await context.channels.get(current.account, current.channel))
    changes = Changes(current.account, context.clock.now())
    changes.folds.append(Fold(current, decide.moved(current, policy, now=changes.at)))
    await context.store.commit(changes)
    return True


async def settle_in(context: Context, *, engine: str, why: str, doubted: int = 0) -> Place:
    """Write down where the store is kept from now on; with `why`, that it has moved. Raises Conflict where another process was quicker."""
    found = await context.store.document("", KIND, PLACE)
    was = None if found is None else msgspec.json.decode(found.data, type=Place)
    if was is not None and was.engine == engine and not why:
        return was
    now = context.clock.now()
    if was is None or why:
        former = [] if was is None else [*was.former, was.epoch]
        place = Place(context.new_id("epo"), engine, former, now)
    else:
        place = Place(was.epoch, engine, was.former, now)
    version = 1 if found is None else found.version + 1
    changes = Changes("", now, puts=[rows.Document("", KIND, PLACE, version, now, msgspec.json.encode(place).decode())])
    if why:
        changes.loose.append(Loose("account", "", StoreMoved(why, doubted), account=""))
    await context.store.commit(changes)
    return place
