"""Looks into an installation's store after its processes have ended: the law, and what the ledger says about times."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from tests.e2e.processes import Desk
from tests.storage.engines import AnyStore, PostgresEngine, SqliteEngine, inside
from tests.storage.law import check_all


@contextlib.asynccontextmanager
async def opened(desk: Desk) -> AsyncIterator[AnyStore]:
    """The store as it was left. The law must hold."""
    engine = PostgresEngine(desk.database) if desk.database else SqliteEngine(desk.data / "heliograph.db")
    store = await engine.open()
    try:
        await check_all(store)
        yield store
    finally:
        await store.close()


async def one(store: AnyStore, sql: str, *parameters: Any) -> Any:
    """The only value of the only row."""
    [(value,)] = await inside(store, sql, *parameters)
    return value


async def states(store: AnyStore) -> dict[str, int]:
    """How many deliveries are in which state."""
    return dict(await inside(store, "SELECT state, count(*) FROM delivery GROUP BY state"))


class Revoked(NamedTuple):
    """What happened on a credential after its first 401 was recorded, of a send or of a probe, until sending was tried again on purpose."""

    #: Calls started more than the grace after it.
    late: list[tuple[str, int, int]]
    #: Attempts that a claim had recorded and that were not called any more, because the hold was noticed.
    not_called: int
    #: Calls that had been under way, and were refused too.
    in_flight: int


async def revoked(store: AnyStore, *, grace: int) -> Revoked:
    """Read it from the ledger; `grace` in microseconds."""
    first = await one(store, f"SELECT min(recorded_at) FROM event WHERE {REFUSED} OR kind = 'hold_started'")
    kinds = await inside(store, "SELECT kind, reason, count(*) FROM event GROUP BY kind, reason ORDER BY kind")
    assert first is not None, f"nothing was refused for its credentials: {kinds}"
    trial = await one(store, "SELECT min(recorded_at) FROM event WHERE kind = 'trial_started' AND recorded_at > $1", first)
    assert trial is not None, "the channel never came back by itself"
    started = await inside(
        store, "SELECT subject, attempt, recorded_at FROM event WHERE kind = 'attempt_started' AND recorded_at > $1 AND recorded_at < $2",
        first, trial,
    )  # fmt: skip
    stopped = set(
        await inside(
            store,
            "SELECT subject, attempt FROM event WHERE kind = 'attempt_deferred' AND data LIKE '%not_started%' AND recorded_at > $1",
            first,
        )
    )
    called = [(subject, attempt, at - first) for subject, attempt, at in started if (subject, attempt) not in stopped]
    in_flight = await one(store, f"SELECT count(*) FROM event WHERE {REFUSED} AND recorded_at > $1", first)
    return Revoked([each for each in called if each[2] > grace], len(stopped), in_flight - len(stopped))


REFUSED = "kind = 'attempt_deferred' AND reason = 'bad_credentials'"
