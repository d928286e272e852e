"""A town per test, on each engine."""

from tests.incidents.conftest import database, postgres, postgres_server, server_folder

__all__ = ["database", "postgres", "postgres_server", "server_folder"]
