"""The Store on one SQLite file."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from heliograph.domain.delivery import Delivery
from heliograph.ports.store import Changes, Claimed, Release, Room, Unavailable
from heliograph.storage.migrations import Applied, available, pending
from heliograph.storage.named import load
from heliograph.storage.ration import Ration
from heliograph.storage.reads import Reads
from heliograph.storage.sqlite.lanes import Claiming, next_ready
from heliograph.storage.sqlite.role import Role
from heliograph.storage.sqlite.transaction import Transaction
from heliograph.storage.sqlite.writer import Writer

#: Reads that go through whole tables: they are made in a thread, so that the loop goes on.
LONG = frozenset({"counts", "waiting", "waiting_of", "written"})
#: How long the sweeper may take to write down an interrupted attempt, microseconds.
SWEEP_LEASE = 30_000_000


class Opening(NamedTuple):
    """How a file is opened."""

    path: Path
    new_id: str
    release: str
    threaded: bool
    durable: bool


class SqliteStore(Reads):
    """One file in WAL mode. The process that holds the writer role writes and works; others may read."""

    def __init__(self, role: Role, connection: apsw.Connection, reader: apsw.Connection, opening: Opening) -> None:
        self._opening = opening
        self._aside = Path(connection.filename) if opening.threaded else None
        self._reader = reader
        self._queries = load("queries.sql", "writes.sql", "sqlite/ledger.sql", placeholder=lambda n: f"?{n}")
        self._sql = {name: query.sql for name, query in self._queries.items()}
        self._write_with(role, connection)
        #: Called on the loop after a commit that touched lanes.
        self.on_touched: Callable[[], None] | None = None
        #: Called on the loop after each act, with the act: what pages that are open may want to know.
        self.on_committed: Callable[[Changes], None] | None = None

    def _write_with(self, role: Role, connection: apsw.Connection) -> None:
        self._role: Role | None = role
        self._connection = connection
        self._transaction = Transaction(connection, self._queries, self._opening.release)
        self._claiming = Claiming(self._transaction)
        log = Path(connection.filename_wal) if self._opening.threaded else None
        self._writer = Writer(connection, self._transaction, log=log, epoch=role.epoch)

    async def give_up_role(self) -> None:
        """Write what was accepted, then leave the writing to another process; reads go on. Writes raise Moving from now on."""
        if self._role is not None:
            await self._writer.close(moving=True)
            self._connection.close()
            self._role.give_up()
            self._role = None

    def take_role(self, *, now: int) -> None:
        """Write again, once whoever took the role has given it up. Raises WriterElsewhere or Unavailable."""
        if self._role is None:
            self._write_with(*open_writing(self._opening, now=now))
            self._claiming.orphan_all()

    async def _rows(self, query: str, *parameters: Any) -> list[Any]:
        if query in LONG and self._aside is not None:
            return await asyncio.to_thread(_read_aside, self._aside, self._sql[query], parameters)
        return self._reader.execute(self._sql[query], parameters).fetchall()

    async def commit(self, changes: Changes) -> None:
        """See ports.store."""
        self._tell(changes, touched=await self._writer.do(lambda tx: tx.apply(changes)))

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        """See ports.store."""
        touched = await self._writer.do(lambda tx: [tx.apply(changes) for changes in acts])
        for changes, of_lanes in zip(acts, touched, strict=True):
            self._tell(changes, touched=of_lanes)

    async def commit_and_claim(self, changes: Changes, *, worker: str, lease_until: int) -> Claimed | None:
        """See ports.store."""

        claimed: Claimed | None = None

        def go_on(changes: Changes, release: Release, lowest: int) -> bool:
            nonlocal claimed
            claimed = self._claiming.go_on(changes, release, lowest, lease_until)
            return claimed is not None

        touched = await self._writer.do(lambda tx: tx.apply(changes, go_on))
        self._tell(changes, touched=touched and claimed is None)
        return claimed

    def _tell(self, changes: Changes, *, touched: bool) -> None:
        if touched and self.on_touched is not None:
            self.on_touched()
        if self.on_committed is not None:
            self.on_committed(changes)

    async def claim(self, *, worker: str, now: int, lease_until: int, limit: int, room: Room | None = None) -> list[Claimed]:
        """See ports.store."""
        claimed: list[Claimed] = await self._writer.do(lambda _: self._claiming.claim(worker, now, lease_until, limit, Ration(room)))
        return claimed

    async def expire(self, *, now: int) -> list[tuple[str, str, int, Delivery | None]]:
        """See ports.store."""
        if not self._reader.execute(self._sql["lanes_expired"], (now,)).fetchone():
            return []
        taken: list[tuple[str, str, int, Delivery | None]] = await self._writer.do(lambda _: self._claiming.expire(now, now + SWEEP_LEASE))
        return taken

    async def extend(self, *, worker: str, now: int, lease_until: int) -> None:
        """See ports.store."""
        await self._writer.do(lambda _: self._claiming.extend(worker, now, lease_until))

    async def take_turn(self, channel: str) -> bool:
        """See ports.store. Who holds the writer role is alone."""
        return True

    async def end_turn(self, channel: str) -> None:
        """See ports.store."""

    async def next_due(self, now: int, room: Room | None = None) -> int | None:
        """See ports.store."""
        ready = self._transaction.may_send
        moments: list[int | None] = [
            # Who may not send would otherwise ask for what is ready again and again.
            next_ready(self._reader.execute, self._sql, self._transaction.release, now, Ration(room)) if ready else None,
            *map(_moment, self._reader.execute(self._sql["next_due"], (now,)).fetchall()[0]),
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    async def close(self) -> None:
        """See ports.store."""
        if self._role is None:
            self._reader.close()
            return
        await self._writer.close()
        self._reader.close()
        with contextlib.suppress(apsw.BusyError):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._role.give_up()


def _read_aside(path: Path, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
    """One query on a connection of its own."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def _moment(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def open_sqlite(path: Path, *, now: int, new_id: str, release: str, threaded: bool = True, durable: bool = True) -> SqliteStore:
    """Open the file, take the writer role, migrate, and declare every lease of a former process over.

    `durable` False gives up safety against power loss; only for simulations. `new_id` names the installation if the file is new.
    Raises WriterElsewhere, MigrationError or Unavailable.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    opening = Opening(path, new_id, release, threaded, durable)
    role, connection = open_writing(opening, now=now)
    try:
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.set_busy_timeout(5000)
        _keep_plans(reader)
        reader.execute("PRAGMA cache_size = -32768")
    except apsw.Error as broken:
        role.give_up()
        raise Unavailable(f"{path.name} cannot be opened: {type(broken).__name__}") from broken
    store = SqliteStore(role, connection, reader, opening)
    store._claiming.orphan_all()
    return store


def open_writing(opening: Opening, *, now: int) -> tuple[Role, apsw.Connection]:
    """Take the writer role and open the connection that writes. Raises WriterElsewhere, MigrationError or Unavailable."""
    path = opening.path
    role = Role(path)
    # Customers' texts are in it, and SQLite gives its log the same mode. A file that exists is not opened: to close it would drop the locks
    # that this process's other connections hold on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        connection = apsw.Connection(str(path))
        _configure(connection, synchronous="OFF" if not opening.durable else "NORMAL" if opening.threaded else "FULL")
        migrate(connection, now=now)
        connection.execute(
            "INSERT INTO installation (id, created_at) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM installation)", (opening.new_id, now)
        )
        role.begin(connection, now=now)
    except apsw.Error as broken:
        role.give_up()
        raise Unavailable(f"{path.name} cannot be opened: {type(broken).__name__}") from broken
    except BaseException:
        role.give_up()
        raise
    return role, connection


def _configure(connection: apsw.Connection, *, synchronous: str) -> None:
    connection.set_busy_timeout(5000)
    _keep_plans(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode NORMAL loses committed transactions on power loss, unless somebody syncs the log: the writer does.
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA temp_store = MEMORY")


def _keep_plans(connection: apsw.Connection) -> None:
    """Do not plan a statement anew each time its parameters change: that costs more than running it."""
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def migrate(connection: apsw.Connection, *, now: int, phase: str = "expand", up_to: int | None = None) -> list[int]:
    """Apply what is pending, in one exclusive transaction. Contract steps only run when `phase` is "contract"."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration (number INTEGER PRIMARY KEY, phase TEXT NOT NULL, name TEXT NOT NULL, "
        "checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"
    )
    done = []
    connection.execute("BEGIN EXCLUSIVE")
    try:
        applied = [
            Applied(*row) for row in connection.execute("SELECT number, phase, name, checksum FROM schema_migration ORDER BY number")
        ]
        for step in pending(available("sqlite"), applied):
            if (step.phase == "contract" and phase != "contract") or (up_to is not None and step.number > up_to):
                break
            connection.execute(step.sql)
            connection.execute(
                "INSERT INTO schema_migration (number, phase, name, checksum, applied_at) VALUES (?, ?, ?, ?, ?)",
                (step.number, step.phase, step.name, step.checksum, now),
            )
            done.append(step.number)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return done
