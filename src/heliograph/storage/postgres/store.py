"""The Store on PostgreSQL, for any number of processes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from heliograph.domain.delivery import Delivery
from heliograph.ports.store import Changes, Claimed, Room
from heliograph.storage.migrations import Applied, available, pending
from heliograph.storage.named import load
from heliograph.storage.postgres.claiming import Claim
from heliograph.storage.postgres.sessions import EVERY_ACCOUNT, Sessions, store_errors
from heliograph.storage.postgres.transaction import Lane, Queries
from heliograph.storage.postgres.turns import Turns
from heliograph.storage.postgres.wakeup import Wakeup
from heliograph.storage.postgres.writer import Writer
from heliograph.storage.ration import Ration
from heliograph.storage.reads import Reads

T = TypeVar("T")

#: How long the sweeper may take to write down an interrupted attempt, microseconds.
SWEEP_LEASE = 30_000_000
#: Advisory lock of whoever migrates ("heliog" in ASCII).
MIGRATING = 0x68656C696F67
_MIGRATIONS = """CREATE TABLE IF NOT EXISTS schema_migration (number INTEGER PRIMARY KEY, phase TEXT NOT NULL, name TEXT NOT NULL,
checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)"""
_HORIZON = "SELECT event_horizon()"
_INSTALLATION = "INSERT INTO installation (id, created_at) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM installation)"


def _placeholder(position: int) -> str:
    return f"${position}"


class PostgresStore(Reads):
    """A pool of connections as a role that row-level security binds; one transaction at a time for all acts that wait."""

    def __init__(self, sessions: Sessions, *, dsn: str, release: str) -> None:
        self._sessions = sessions
        reads = load("queries.sql", placeholder=_placeholder) | load("postgres/reads.sql", placeholder=_placeholder)
        self._reads = {name: (query.sql, query.parameters[:1] == ("account",)) for name, query in reads.items()}
        #: Where the horizon stands among the parameters of the reads that stop at it.
        self._horizons = {name: query.parameters.index("horizon") for name, query in reads.items() if "horizon" in query.parameters}
        own = load("postgres/batches.sql", "postgres/lanes.sql", placeholder=_placeholder)
        self._queries = Queries(
            {name: query.sql for name, query in own.items()},
            load("postgres/puts.sql", placeholder=_placeholder),
            load("writes.sql", placeholder=_placeholder),
        )
        self._release = release
        self._writer = Writer(sessions, self._queries, release)
        self._wakeup = Wakeup(dsn, self._heard)
        self._turns = Turns(dsn)
        self._turn = 0
        #: Called on the loop after a commit that touched lanes, here or in another process.
        self.on_touched: Callable[[], None] | None = None
        #: Called on the loop after each act of this process, with the act.
        self.on_committed: Callable[[Changes], None] | None = None

    def _heard(self) -> None:
        if self.on_touched is not None:
            self.on_touched()

    async def _rows(self, query: str, *parameters: Any) -> list[Any]:
        sql, of_one_account = self._reads[query]
        at = self._horizons.get(query)
        with store_errors():
            async with self._sessions.reading((parameters[0] or EVERY_ACCOUNT) if of_one_account else EVERY_ACCOUNT) as connection:
                if at is not None:
                    # A statement of its own: what ends before it has ended, the next one sees.
                    parameters = (*parameters[:at], await connection.fetchval(_HORIZON), *parameters[at:])
                found: list[Any] = await connection.fetch(sql, *parameters)
        return found

    async def commit(self, changes: Changes) -> None:
        """See ports.store."""
        self._tell([changes], touched=await self._writer.do(changes))

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        """See ports.store."""
        if len(acts) == 1:
            # With whatever else waits.
            await self.commit(acts[0])
        else:
            self._tell(acts, touched=await self._writer.do_all(acts))

    def _tell(self, acts: Sequence[Changes], *, touched: set[Lane]) -> None:
        if touched:
            self._wakeup.touched()
            self._heard()
        if self.on_committed is not None:
            for changes in acts:
                self.on_committed(changes)

    async def commit_and_claim(self, changes: Changes, *, worker: str, lease_until: int) -> Claimed | None:
        """See ports.store. Claims of many lanes share one statement here, so the next round is the better place."""
        await self.commit(changes)
        return None

    async def claim(self, *, worker: str, now: int, lease_until: int, limit: int, room: Room | None = None) -> list[Claimed]:
        """See ports.store."""
        self._turn += 1
        turn = self._turn
        return await self._take(lambda claim: claim.claim(limit, turn, Ration(room)), worker, now, lease_until)

    async def expire(self, *, now: int) -> list[tuple[str, str, int, Delivery | None]]:
        """See ports.store."""
        if not await self._system("any_expired", now):
            return []
        return await self._take(lambda claim: claim.expire(), "", now, now + SWEEP_LEASE)

    async def extend(self, *, worker: str, now: int, lease_until: int) -> None:
        """See ports.store."""
        await self._take(lambda claim: claim.fetch("lanes_extend", worker, now, lease_until), worker, now, lease_until)

    async def take_turn(self, channel: str) -> bool:
        """See ports.store."""
        return await self._turns.take(channel)

    async def end_turn(self, channel: str) -> None:
        """See ports.store."""
        await self._turns.end(channel)

    async def next_due(self, now: int, room: Room | None = None) -> int | None:
        """See ports.store."""
        found: int | None = (await self._system("next_due", now))[0][0]
        return found

    async def _take(self, work: Callable[[Claim], Awaitable[T]], worker: str, now: int, lease_until: int) -> T:
        async def body(connection: Any) -> T:
            return await work(Claim(connection, self._queries, self._release, worker=worker, now=now, lease_until=lease_until))

        with store_errors():
            return await self._sessions.transact(body)

    async def _system(self, query: str, *parameters: Any) -> list[Any]:
        with store_errors():
            async with self._sessions.reading(EVERY_ACCOUNT) as connection:
                found: list[Any] = await connection.fetch(self._queries.sql[query], *parameters)
        return found

    async def close(self) -> None:
        """See ports.store."""
        await self._writer.close()
        await self._turns.close()
        await self._wakeup.close()
        await self._sessions.close()


async def open_postgres(
    dsn: str,
    *,
    now: int,
    new_id: str,
    release: str,
    owner_dsn: str = "",
    pool_size: int = 8,
    statement_cache_size: int = 200,
) -> PostgresStore:
    """Migrate, and open a pool whose connections work as role heliograph_app. `new_id` names the installation if the store is new.

    `owner_dsn` is for the migrations and for listening, where `dsn` logs in as somebody who may not migrate, or goes through a pooler.
    `statement_cache_size` 0 is for a pooler in transaction mode: nothing is then kept on a connection between transactions.
    Raises MigrationError, or Unavailable where the server cannot be reached or may lose what it has confirmed.
    """
    with store_errors():
        owner = await asyncpg.connect(owner_dsn or dsn, statement_cache_size=0)
        try:
            async with owner.transaction():
                await migrate(owner, now=now)
                await owner.execute(_INSTALLATION, new_id, now)
        finally:
            await owner.close()
    sessions = await Sessions.open(dsn, size=pool_size, statement_cache_size=statement_cache_size)
    store = PostgresStore(sessions, dsn=owner_dsn or dsn, release=release)
    await store._wakeup.open()
    return store


async def migrate(connection: Any, *, now: int, phase: str = "expand", up_to: int | None = None) -> list[int]:
    """Apply what is pending, in one transaction, while every other process that starts waits.

    Contract steps only run when `phase` is "contract".
    """
    done = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATING)
        # A step that moves data must see all of it, for row-level security binds the owner too.
        await connection.execute("SELECT set_config('heliograph.account', $1, true)", EVERY_ACCOUNT)
        await connection.execute(_MIGRATIONS)
        applied = [
            Applied(*row) for row in await connection.fetch("SELECT number, phase, name, checksum FROM schema_migration ORDER BY number")
        ]
        for step in pending(available("postgres"), applied):
            if (step.phase == "contract" and phase != "contract") or (up_to is not None and step.number > up_to):
                break
            await connection.execute(step.sql)
            await connection.execute(
                "INSERT INTO schema_migration (number, phase, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)",
                step.number, step.phase, step.name, step.checksum, now,
            )  # fmt: skip
            done.append(step.number)
    return done
