"""A town per test, on each engine."""

import pytest

from tests.storage.conftest import postgres, postgres_server, server_folder

__all__ = ["postgres", "postgres_server", "server_folder"]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """ "" for a file, or the address of a fresh database."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres").dsn)
