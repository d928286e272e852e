"""A look into one SQLite file beside the process that holds the writer role."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import apsw

from heliograph.domain.delivery import Delivery
from heliograph.ports.store import Changes, Claimed, Room, Unavailable
from heliograph.storage.migrations import Applied, MigrationError, expect_migrated
from heliograph.storage.named import load
from heliograph.storage.reads import Reads


class SqliteReader(Reads):
    """Answers a store's questions and refuses its writes."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        queries = load("queries.sql", "sqlite/ledger.sql", placeholder=lambda n: f"?{n}")
        self._sql = {name: query.sql for name, query in queries.items()}
        #: Never called: this process changes nothing.
        self.on_touched: Callable[[], None] | None = None
        self.on_committed: Callable[[Changes], None] | None = None

    async def _rows(self, query: str, *parameters: Any) -> list[Any]:
        try:
            return self._connection.execute(self._sql[query], parameters).fetchall()
        except (apsw.BusyError, apsw.IOError, apsw.CantOpenError) as broken:
            raise Unavailable(type(broken).__name__) from broken

    async def commit(self, changes: Changes) -> None:
        """Always raises Unavailable."""
        self._refuse()

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        """Always raises Unavailable."""
        self._refuse()

    async def commit_and_claim(self, changes: Changes, *, worker: str, lease_until: int) -> Claimed | None:
        """Always raises Unavailable."""
        self._refuse()

    async def claim(self, *, worker: str, now: int, lease_until: int, limit: int, room: Room | None = None) -> list[Claimed]:
        """Always raises Unavailable."""
        self._refuse()

    async def expire(self, *, now: int) -> list[tuple[str, str, int, Delivery | None]]:
        """Always raises Unavailable."""
        self._refuse()

    async def extend(self, *, worker: str, now: int, lease_until: int) -> None:
        """Always raises Unavailable."""
        self._refuse()

    async def take_turn(self, channel: str) -> bool:
        """Always raises Unavailable."""
        self._refuse()

    async def end_turn(self, channel: str) -> None:
        """Always raises Unavailable."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Unavailable("opened for reading only")

    async def next_due(self, now: int, room: Room | None = None) -> int | None:
        """See ports.store."""
        [(due,)] = await self._rows("next_due", now)
        return due if due is None else int(due)

    async def close(self) -> None:
        """See ports.store."""
        self._connection.close()


def read_sqlite(path: Path) -> SqliteReader:
    """Open an existing file, changing nothing. Raises Unavailable, or MigrationError where its schema is not this version's."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5000)
        applied = [
            Applied(*row) for row in connection.execute("SELECT number, phase, name, checksum FROM schema_migration ORDER BY number")
        ]
    except apsw.CantOpenError as missing:
        raise Unavailable(f"there is no store at {path}") from missing
    except apsw.SQLError as empty:
        raise MigrationError(f"{path.name} is not a store of Heliograph, or its first start did not end") from empty
    except apsw.Error as broken:
        raise Unavailable(f"{path.name} cannot be opened: {type(broken).__name__}") from broken
    expect_migrated("sqlite", applied)
    return SqliteReader(connection)
