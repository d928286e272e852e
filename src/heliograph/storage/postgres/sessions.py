"""Connections that work as the app role for one account or for all, and transactions whose outcome is always learned."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from heliograph.ports.store import Conflict, Duplicate, Unavailable

T = TypeVar("T")

ROLE = "heliograph_app"
#: The setting of the installation itself, which serves all accounts.
EVERY_ACCOUNT = "*"
#: A statement that takes longer means that the database does not answer.
TIMEOUT = 30.0
#: For how long, and how far apart in seconds, a lost commit is asked after. A restart after a crash takes seconds.
ASK_FOR, ASK_PAUSE = 20.0, 0.25
#: A transaction that lost against another one is run again this often.
RETRIES = 5

#: The database cannot be asked now. Before COMMIT was sent, nothing is written. asyncpg calls it an internal error of its own when a
#: connection dies just before it is used.
GONE = (
    OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.IdleInTransactionSessionTimeoutError,
)  # fmt: skip
UNABLE = (*GONE, asyncpg.InsufficientResourcesError, asyncpg.ReadOnlySQLTransactionError, asyncpg.QueryCanceledError)
#: Another transaction was in the way; the same again may well succeed.
AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError, asyncpg.InvalidCachedStatementError)

_CHECK = """
SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), r.rolsuper, r.rolbypassrls,
  EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('event') AND relowner = r.oid)
FROM pg_roles r WHERE r.rolname = current_user
"""
#: The server's timeline: another one means another history, in which a transaction's number proves nothing.
_TIMELINE = "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END"
#: A queue's statistics are always out of date; its queries are written for its indexes.
_PLANS = """SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan"""


class Raced(Exception):
    """A row changed between guard and write; the transaction is run again and its guards decide."""


class Lost(Exception):
    """The connection broke while COMMIT was on its way."""


class Session(asyncpg.Connection):  # type: ignore[misc]
    """A connection that remembers for which account it works."""

    scope = ""

    async def work_for(self, account: str) -> None:
        """Let row-level security show this account's rows only, or all with EVERY_ACCOUNT."""
        if self.scope != account:
            self.scope = ""
            await self.fetchval("SELECT set_config('heliograph.account', $1, false)", account)
            self.scope = account


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise what the port promises. asyncpg's own messages quote the rows, so they stay here."""
    try:
        yield
    except UNABLE as unable:
        raise Unavailable(f"PostgreSQL: {type(unable).__name__}") from None
    except asyncpg.UniqueViolationError as twice:
        if twice.table_name in {"seen", "answer"}:
            raise Duplicate(twice.table_name) from None
        # A row that two acts wanted to create: whoever comes second reads again.
        raise Conflict(str(twice.constraint_name)) from None
    except asyncpg.IntegrityConstraintViolationError as wrong:
        raise ValueError(f"{wrong.table_name}: {wrong.constraint_name or wrong.column_name} is violated") from None
    except (Raced, *AGAIN) as raced:
        raise Conflict(type(raced).__name__) from None
    except asyncpg.PostgresError as wrong:
        raise RuntimeError(f"PostgreSQL refused a statement: {type(wrong).__name__} {wrong.sqlstate}") from None


class Sessions:
    """A pool. `pooler`: connections are shared with others between transactions, so that nothing may be set beyond one."""

    def __init__(self, pool: asyncpg.Pool, *, pooler: bool) -> None:
        self._pool = pool
        self._pooler = pooler
        self._timeline = ""

    @classmethod
    async def open(cls, dsn: str, *, size: int, statement_cache_size: int) -> "Sessions":
        """Connect. Raises Unavailable where the server may lose what it confirmed, or the role is not bound by row-level security."""
        pooler = statement_cache_size == 0
        timelines: list[str] = []

        async def nothing_to_reset(connection: Any) -> None:
            """Settings beyond a transaction are meant to stay."""

        async def prepare(connection: Any) -> None:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL ROLE {ROLE}")
                refuse_unsafe(await connection.fetchrow(_CHECK))
                if timelines and await connection.fetchval(_TIMELINE) not in ("", *timelines):
                    # A failover may have lost what was confirmed: whoever starts finds out what to doubt; this process must not go on.
                    raise Unavailable("PostgreSQL went on with another history. Start again.")
            if not pooler:
                await connection.execute(f"SET ROLE {ROLE}; {_PLANS}")

        with store_errors():
            pool = await asyncpg.create_pool(
                dsn, min_size=1, max_size=size, statement_cache_size=statement_cache_size, connection_class=Session,
                init=prepare, reset=nothing_to_reset, command_timeout=TIMEOUT, timeout=TIMEOUT,
            )  # fmt: skip
            sessions = cls(pool, pooler=pooler)
            sessions._timeline = await pool.fetchval(_TIMELINE)
            timelines.append(sessions._timeline)
        return sessions

    @asynccontextmanager
    async def reading(self, account: str) -> AsyncIterator[Any]:
        """A connection on which only this account's rows exist."""
        async with self._pool.acquire() as connection:
            if not self._pooler:
                await connection.work_for(account)
                yield connection
                return
            async with connection.transaction(readonly=True):
                await self._set_locally(connection, account)
                yield connection

    async def transact(self, body: Callable[[Any], Awaitable[T]]) -> T:
        """Run `body` in a transaction for all accounts and commit. Run again if it lost against another one.

        Raises what `body` raises, or Unavailable: also where the connection broke during COMMIT and its fate could not be learned.
        """
        for _ in range(RETRIES):
            with suppress(Raced, *AGAIN):
                return await self._once(body)
        return await self._once(body)

    async def _once(self, body: Callable[[Any], Awaitable[T]]) -> T:
        written: str | None = None
        result: T
        try:
            async with self._pool.acquire() as connection:
                await self._begin(connection)
                try:
                    result = await body(connection)
                    written = await connection.fetchval("SELECT pg_current_xact_id_if_assigned()::text")
                except BaseException:
                    await _roll_back(connection)
                    raise
                await self._commit(connection)
                return result
        except Lost:
            if written is None or await self._was_committed(written):
                return result
            raise Raced from None

    async def _begin(self, connection: Any) -> None:
        if self._pooler:
            await connection.execute("BEGIN")
            await self._set_locally(connection, EVERY_ACCOUNT)
        else:
            await connection.work_for(EVERY_ACCOUNT)
            await connection.execute("BEGIN")

    async def _set_locally(self, connection: Any, account: str) -> None:
        await connection.execute(f"SET LOCAL ROLE {ROLE}")
        await connection.fetchval("SELECT set_config('heliograph.account', $1, true)", account)

    async def _commit(self, connection: Any) -> None:
        try:
            tag = await connection.execute("COMMIT")
        except GONE as broken:
            _discard(connection)
            raise Lost from broken
        if tag != "COMMIT":
            raise Raced

    async def _was_committed(self, transaction: str) -> bool:
        """Ask the server, which remembers the fate of its recent transactions across a crash."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_FOR):
                while True:
                    with suppress(*UNABLE, asyncpg.PostgresError):
                        async with self._pool.acquire() as connection:
                            if await connection.fetchval(_TIMELINE) != self._timeline:
                                break
                            fate = await connection.fetchval("SELECT pg_xact_status($1::text::xid8)", transaction)
                        if fate in {"committed", "aborted"}:
                            return bool(fate == "committed")
                    await _pause(ASK_PAUSE)
        raise Unavailable("the connection broke during COMMIT and the outcome could not be learned; every act is safe to repeat")

    async def close(self) -> None:
        """Close the connections once they are free."""
        await self._pool.close()


async def _roll_back(connection: Any) -> None:
    try:
        await connection.execute("ROLLBACK")
    except (*UNABLE, asyncpg.PostgresError):
        _discard(connection)


def _discard(connection: Any) -> None:
    """Whatever it is doing, this connection is not to be used again; the pool may have noticed before us."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _pause(seconds: float) -> None:
    """Give a real server real time; no simulation gets here."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    handle = loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        handle.cancel()


def refuse_unsafe(found: Any) -> None:
    """Raises Unavailable where the server can lose what it has confirmed, or where one account could see another's rows."""
    fsync, full_page_writes, synchronous_commit, superuser, bypasses, owner = found
    off = [
        name
        for name, value in (("fsync", fsync), ("full_page_writes", full_page_writes), ("synchronous_commit", synchronous_commit))
        if value == "off"
    ]
    if off:
        raise Unavailable(f"PostgreSQL runs with {', '.join(off)} = off: it could lose replies that it has confirmed. Switch it on.")
    if superuser or bypasses or owner:
        raise Unavailable(
            f"the role {ROLE} is a superuser, bypasses row-level security or owns the tables; one account could see another's. "
            f"ALTER ROLE {ROLE} NOSUPERUSER NOBYPASSRLS, and let another role own the tables."
        )
