"""Real databases, as the tests of the store have them."""

from tests.storage.conftest import engine, sqlite

__all__ = ["engine", "sqlite"]
