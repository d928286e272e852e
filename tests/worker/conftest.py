"""Real databases, as the tests of the store have them."""

from tests.storage.conftest import engine, postgres, postgres_server, server_folder, sqlite

__all__ = ["engine", "postgres", "postgres_server", "server_folder", "sqlite"]
