"""Daily statements: for each account, that everything it wrote is somewhere; kept, so that a day can be looked up later."""

from collections import Counter

import msgspec

from heliograph.domain.ids import id_value, make_id
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Store
from heliograph.projections.conservation import Statement, statement
from heliograph.services.context import Context

KIND, DONE = "statement", "last"
DAY = 86_400 * SECOND
#: Deliveries that are counted at a time.
ROUNDS = 24


async def now_of(context: Context, account: str) -> Statement:
    """The statement of an account as of this moment."""
    now = context.clock.now()
    return await _made(context.store, account, now - now % DAY, now)


async def kept(store: Store, account: str) -> list[Statement]:
    """The statements of past days, the latest first."""
    found = [Statement(**msgspec.json.decode(document.data)) for document in await store.documents(account, KIND)]
    return sorted(found, key=lambda one: one.day, reverse=True)


async def reconcile(context: Context) -> int:
    """Write down the day that has ended, for each account that has none for it yet. Returns how many were written.

    One question to the store on a day that is written down already.
    """
    store, now = context.store, context.clock.now()
    day = now - now % DAY - DAY
    id = str(day // DAY)
    done = await store.document("", KIND, DONE)
    if done is not None and done.data == id:
        return 0
    written = 0
    for account in await store.accounts():
        if account.created_at >= day + DAY or await store.document(account.id, KIND, id) is not None:
            continue
        made = await _made(store, account.id, day, now)
        data = msgspec.json.encode(made._asdict()).decode()
        await store.commit(Changes(account.id, now, puts=[rows.Document(account.id, KIND, id, 0, now, data)]))
        written += 1
    await store.commit(Changes("", now, puts=[rows.Document("", KIND, DONE, 0, now, id)]))
    return written


async def _made(store: Store, account: str, day: int, now: int) -> Statement:
    # What is queued between two counts would seem lost or surplus: only counts with nothing in between are of one moment.
    before, counts, after = -1, {}, 0
    for _ in range(3):
        before, counts, after = await store.written(account), dict(await store.counts(account)), await store.written(account)
        if before == after:
            break
    today: Counter[str] = Counter()
    for hour in range(ROUNDS):
        low, high = day + hour * DAY // ROUNDS, day + (hour + 1) * DAY // ROUNDS
        if low > now:
            break
        owed = await store.deliveries_between(account, low=_id_at(low), high=_id_at(high))
        today.update(str(one.delivery.state) for one in owed)
    return statement(account, counts, before, today, day=day, at=now)


def _id_at(at: int) -> str:
    return make_id("dlv", id_value(at, 0))
