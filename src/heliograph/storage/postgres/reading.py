"""A PostgreSQL store as it is: opened without migrating it."""

import asyncpg

from heliograph.storage.migrations import Applied, MigrationError, expect_migrated
from heliograph.storage.postgres.sessions import Sessions, store_errors
from heliograph.storage.postgres.store import PostgresStore


async def read_postgres(dsn: str, *, release: str) -> PostgresStore:
    """Open what is there. Raises Unavailable, or MigrationError where its schema is not this version's."""
    with store_errors():
        owner = await asyncpg.connect(dsn, statement_cache_size=0)
        try:
            found = await owner.fetch("SELECT number, phase, name, checksum FROM schema_migration ORDER BY number")
        except asyncpg.UndefinedTableError as empty:
            raise MigrationError("this database is not a store of Heliograph yet; the first start makes it one") from empty
        finally:
            await owner.close()
    expect_migrated("postgres", [Applied(*row) for row in found])
    return PostgresStore(await Sessions.open(dsn, size=2, statement_cache_size=0), dsn=dsn, release=release)
