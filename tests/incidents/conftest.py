"""A town per test, on each engine."""

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """ "" for a file, or the address of a fresh database."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres").dsn)
