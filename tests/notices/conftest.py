"""A town per test, on each engine."""

from tests.incidents.conftest import database, empty_database, postgres_server, server_folder

__all__ = ["database", "empty_database", "postgres_server", "server_folder"]
