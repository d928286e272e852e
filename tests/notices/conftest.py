"""A town per test, on each engine."""

from tests.incidents.conftest import database

__all__ = ["database"]
