"""`heliograph release`: what it lists, waits for, compares and decides, from outside, on both kinds of stores."""

import json
from pathlib import Path

import pytest

from tests.e2e.processes import command


@pytest.fixture
def place(tmp_path: Path) -> tuple[str, str]:
    return ("--data", str(tmp_path / "desk"))


async def test_without_a_release_it_says_so_and_waiting_ends_undecided(place: tuple[str, str]) -> None:
    code, _, err = await command("account", "create", "Lighthouse", "--admin", "Sam", *place)
    assert code == 0, err
    code, out, _ = await command("release", "list", *place)
    assert code == 0 and "No release" in out
    code, out, _ = await command("release", "wait", "--timeout", "0.3", *place)
    assert code == 3 and out.startswith("undecided")
    code, out, _ = await command("release", "wait", "--timeout", "0", "--latest", "--json", *place)
    assert code == 3 and json.loads(out)["outcome"] == "undecided"
    code, _, err = await command("release", "diff", *place)
    assert code == 1 and "release list" in err
    code, _, err = await command("release", "rollback", *place)
    assert code == 1 and "nothing to go back to" in err
    code, _, err = await command("release", "force", "rel_nobody", "--reason", "because", *place)
    assert code == 1 and "no such release" in err
    code, _, err = await command("release", "force", "rel_nobody", "--reason", "because", "--share", "10", *place)
    assert code == 1 and "SQLite" in err
    code, _, err = await command("release", "wait", "--latest", "--release", "rel_x", *place)
    assert code == 2
