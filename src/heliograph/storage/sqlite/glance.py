"""A look at a SQLite file from outside, whatever its schema."""

from pathlib import Path
from typing import Any

import apsw

from heliograph.ports.store import Unavailable
from heliograph.storage.glance import NOTES, NOTHING, Glance
from heliograph.storage.migrations import Applied


def glance_sqlite(path: Path) -> Glance:
    """NOTHING where there is no file. Raises Unavailable where it cannot be read."""
    try:
        there = path.stat()
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except (FileNotFoundError, apsw.CantOpenError):
        return NOTHING
    except OSError as unreadable:
        raise Unavailable(f"{path.name} cannot be read: {unreadable.strerror}") from unreadable
    try:
        connection.set_busy_timeout(5000)
        if not _rows(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'"):
            return NOTHING
        applied = [Applied(*row) for row in _rows(connection, "SELECT number, phase, name, checksum FROM schema_migration ORDER BY number")]
        tables = {name for (name,) in _rows(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not {"installation", "event"} <= tables:
            return Glance(applied=applied)
        notes = "SELECT id, data FROM document WHERE account = '' AND kind = ?"
        (last,) = _rows(connection, "SELECT seq, recorded_at FROM event ORDER BY seq DESC LIMIT 1") or [(0, 0)]
        return Glance(
            installation=next((str(id) for (id,) in _rows(connection, "SELECT id FROM installation")), ""),
            notes=dict(_rows(connection, notes, NOTES)) if "document" in tables else {},
            applied=applied, engine=f"file:{there.st_ino}", last_event=last[0], last_write_at=last[1],
        )  # fmt: skip
    except apsw.Error as broken:
        raise Unavailable(f"{path.name} cannot be opened: {type(broken).__name__}") from broken
    finally:
        connection.close()


def _rows(connection: apsw.Connection, sql: str, *parameters: str) -> list[Any]:
    return list(connection.execute(sql, parameters))
