"""The writer role on one SQLite file: a lock on a file beside it, and a row with an epoch that every write compares."""

import fcntl
import os
from pathlib import Path

import apsw
import msgspec

from heliograph.ports.store import Unavailable

#: The document whose version is the epoch; its account is the installation, "".
KIND = ID = "writer"
#: One step in an index.
EPOCH = f"SELECT version FROM document WHERE account = '' AND kind = '{KIND}' AND id = '{ID}'"
_RAISE = (
    "INSERT INTO document (account, kind, id, version, updated_at, data) VALUES ('', ?, ?, 1, ?, ?) "
    "ON CONFLICT (account, kind, id) DO UPDATE SET version = version + 1, updated_at = excluded.updated_at, data = excluded.data "
    "RETURNING version"
)


class WriterElsewhere(Unavailable):
    """Another process holds the writer role on this file."""


class Role:
    """Held from when it is made until `give_up`. Raises WriterElsewhere.

    The lock keeps two processes apart that both are well. The epoch stops one that lost the lock and does not know: whoever takes the
    role raises it, in a transaction, and nothing is written under an old one.
    """

    def __init__(self, path: Path) -> None:
        self._lock = _lock(path)
        self.epoch = 0

    def begin(self, connection: apsw.Connection, *, now: int) -> None:
        """Raise the epoch: from here on nobody who held the role before can write."""
        holder = msgspec.json.encode({"host": os.uname().nodename, "pid": os.getpid()}).decode()
        ((epoch,),) = connection.execute(_RAISE, (KIND, ID, now, holder)).fetchall()
        assert isinstance(epoch, int)
        self.epoch = epoch

    def give_up(self) -> None:
        """Let the next one have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def expect_no_writer(path: Path) -> None:
    """Raises WriterElsewhere where another process holds the writer role. Changes nothing; who opens the file finds out anyway."""
    if Path(f"{path}.writer").exists():
        os.close(_lock(path))


def _lock(path: Path) -> int:
    lock = os.open(f"{path}.writer", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as taken:
        os.close(lock)
        raise WriterElsewhere(
            f"another process is working on {path.name}. Stop it first, or use PostgreSQL to run more than one process."
        ) from taken
    return lock
