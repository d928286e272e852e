"""`make drill`: the drill on both stores, with a PostgreSQL of its own that needs nothing installed."""

import sys

from heliograph.cli.main import main
from tools.postgres import postgres


def run(arguments: list[str]) -> int:
    """Start the server, drill, stop it."""
    with postgres() as server:
        return main(["drill", *arguments, "--server", server])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
