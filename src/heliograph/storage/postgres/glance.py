"""A look at a PostgreSQL database from outside, whatever its schema."""

from typing import Any

import asyncpg

from heliograph.storage.glance import NOTES, NOTHING, Glance
from heliograph.storage.migrations import Applied
from heliograph.storage.postgres.sessions import EVERY_ACCOUNT, store_errors

#: The cluster's number from when it was made, and its timeline: another one after a failover or a restore.
_ENGINE = """SELECT s.system_identifier::text || ':' || c.timeline_id::text || ':' || d.oid::text
FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database()"""
#: Without a look at the ledger itself, which has no index by number alone. A crash may leave numbers out, and never gives one twice.
_LAST = "SELECT pg_sequence_last_value(pg_get_serial_sequence('event', 'seq')::regclass)"
_TABLES = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL"
_WANTED = ["schema_migration", "installation", "event", "document"]


async def glance_postgres(dsn: str) -> Glance:
    """NOTHING where the database is not a store of ours yet. Raises Unavailable."""
    with store_errors():
        connection = await asyncpg.connect(dsn, statement_cache_size=0)
        try:
            async with connection.transaction(readonly=True):
                # Row-level security binds the owner too.
                await connection.execute("SELECT set_config('heliograph.account', $1, true)", EVERY_ACCOUNT)
                return await _look(connection)
        finally:
            await connection.close()


async def _look(connection: Any) -> Glance:
    tables = {row[0] for row in await connection.fetch(_TABLES, _WANTED)}
    if "schema_migration" not in tables:
        return NOTHING
    applied = [
        Applied(*row) for row in await connection.fetch("SELECT number, phase, name, checksum FROM schema_migration ORDER BY number")
    ]
    if not {"installation", "event"} <= tables:
        return Glance(applied=applied)
    notes = await connection.fetch("SELECT id, data FROM document WHERE account = '' AND kind = $1", NOTES) if "document" in tables else []
    latest = "SELECT coalesce(max(updated_at), 0) FROM document"
    return Glance(
        installation=str(await connection.fetchval("SELECT id FROM installation") or ""),
        notes={row[0]: row[1] for row in notes},
        applied=applied, engine=f"postgres:{await connection.fetchval(_ENGINE)}",
        clock=int(await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")),
        last_event=int(await connection.fetchval(_LAST) or 0),
        last_write_at=int(await connection.fetchval(latest)) if "document" in tables else 0,
    )  # fmt: skip
