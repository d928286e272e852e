"""`heliograph check`: each finding has an id, a level and a hint, and the exit code is for scripts."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from heliograph.bootstrap.checks import here
from heliograph.bootstrap.checks.rules import RULES, TAGS, Level
from heliograph.bootstrap.checks.run import Dates
from heliograph.cli.main import main
from tests.cli.test_commands import KEY, Shell, clean, heliograph

__all__ = ["clean", "heliograph"]


def findings(shell: Shell, *arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and the findings by id."""
    code, out, _ = shell("check", "--json", *arguments)
    by_id: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(out)["findings"]:
        by_id.setdefault(each["id"], []).append(each)
    return code, by_id


@pytest.fixture
def place(heliograph: Shell, tmp_path: Path) -> tuple[str, ...]:
    """An installation with one account."""
    made = ("--data", str(tmp_path / "desk"))
    heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", *made)
    return made


def test_an_id_tells_its_level_and_is_there_once() -> None:
    assert all(re.fullmatch(r"HG\.[EWOI]\d{3}", id) for id in RULES)
    letters = {"E": Level.ERROR, "W": Level.WARNING, "O": Level.OPEN, "I": Level.INFO}
    assert all(rule.level is letters[id[3]] for id, rule in RULES.items())
    assert all(rule.hint for rule in RULES.values() if rule.level > Level.OPEN)
    assert len({rule.about for rule in RULES.values()}) == len(RULES) and len(TAGS) == 7


def test_all_wrong_settings_are_told_at_once(heliograph: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_PROT", "canary")
    monkeypatch.setenv("HELIOGRAPH_PUBLIC_URL", "canary")
    monkeypatch.setenv("HELIOGRAPH_CREDENTIAL__X__PROVIDER", "canary")
    code, found = findings(heliograph)
    assert code == 1 and len(found["HG.E001"]) == 3 and "canary" not in json.dumps(found)


def test_what_only_matters_in_production_is_asked_with_deploy(heliograph: Shell, place: tuple[str, ...]) -> None:
    code, found = findings(heliograph, *place)
    assert code == 0 and not any(RULES[id].deploy for id in found)
    code, found = findings(heliograph, "--deploy", *place)
    assert code == 1 and {"HG.W001", "HG.W003", "HG.W007"} <= set(found)
    assert findings(heliograph, "--deploy", "--fail-level", "error", *place)[0] == 0


def test_nothing_is_left_to_say_of_a_good_deployment(heliograph: Shell, place: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_PUBLIC_URL", "http://desk.example.com")
    monkeypatch.setenv("HELIOGRAPH_RELEASE", "2.1")
    monkeypatch.setenv("HELIOGRAPH_OPERATORS", "json://ops.example.com")
    monkeypatch.setenv("HELIOGRAPH_INSTALLATION", heliograph.made("status", *place)["installation"])
    code, found = findings(heliograph, "--deploy", *place)
    assert (code, [id for id in found if RULES[id].level > Level.INFO]) == (1, ["HG.W002"])
    monkeypatch.setenv("HELIOGRAPH_PUBLIC_URL", "https://desk.example.com")
    assert findings(heliograph, "--deploy", *place)[0] == 0
    Path(place[1]).chmod(0o755)
    code, found = findings(heliograph, "--deploy", *place)
    assert code == 1 and "755" in found["HG.W011"][0]["detail"]


def test_what_is_silenced_does_not_count_and_is_still_in_the_json(heliograph: Shell, place: tuple[str, ...]) -> None:
    wanted = [id for id, rule in RULES.items() if rule.level is Level.WARNING]
    silence = [argument for id in wanted for argument in ("--silence", id)]
    code, found = findings(heliograph, "--deploy", *silence, *place)
    assert code == 0 and found["HG.W001"][0]["silenced"] is True
    assert "silenced" in heliograph("check", "--deploy", *silence, *place)[1]
    code, _, err = heliograph("check", "--silence", "HG.X999", *place)
    assert code == 2 and "HG.X999" in err
    assert heliograph("check", "--tag", "nothing", *place)[0] == 2


def test_only_what_is_asked_for_is_told(heliograph: Shell, place: tuple[str, ...]) -> None:
    _, found = findings(heliograph, "--tag", "machine", *place)
    assert {each["tag"] for one in found.values() for each in one} == {"machine"}


def test_a_store_that_is_not_the_right_one(
    heliograph: Shell, place: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, found = findings(heliograph, "--data", str(tmp_path / "none"))
    assert code == 0 and "HG.W020" in found and not (tmp_path / "none").exists()
    monkeypatch.setenv("HELIOGRAPH_INSTALLATION", "ins_another")
    code, found = findings(heliograph, *place)
    assert code == 1 and "ins_another" in found["HG.E021"][0]["detail"]
    code, found = findings(heliograph, "--data", str(tmp_path / "none"))
    assert code == 1 and "HG.E023" in found


def store_of(place: tuple[str, ...]) -> apsw.Connection:
    return apsw.Connection(str(Path(place[1]) / "heliograph.db"))


def test_a_schema_that_is_older_or_newer(heliograph: Shell, place: tuple[str, ...]) -> None:
    db = store_of(place)
    db.execute("INSERT INTO schema_migration VALUES (99, 'expand', 'future', 'x', 1)")
    code, found = findings(heliograph, *place)
    assert code == 1 and "newer" in found["HG.E022"][0]["detail"]
    db.execute("DELETE FROM schema_migration WHERE number > 1")
    code, found = findings(heliograph, *place)
    assert code == 3 and "HG.O020" in found and "HG.I030" not in found
    db.execute("DROP TABLE schema_migration")
    assert "HG.W020" in findings(heliograph, *place)[1]
    db.close()
    (Path(place[1]) / "heliograph.db").write_bytes(b"no database at all" * 100)
    code, found = findings(heliograph, *place)
    assert code == 1 and "HG.E020" in found


def test_what_is_recorded_lies_in_the_past() -> None:
    (finding,) = here.of_clock({"the disk": 0}, last_write_at=int((time.time() + 3600) * 1_000_000))
    assert finding.rule.id == "HG.E012" and "3600 s behind what is recorded" in finding.detail
    (finding,) = here.of_clock({}, last_write_at=1)
    assert finding.rule.id == "HG.I012"


def test_clocks_are_compared_in_both_directions() -> None:
    def told(**ahead: int) -> tuple[str, str]:
        (finding,) = here.of_clock({name: seconds * 1_000_000 for name, seconds in ahead.items()}, last_write_at=0)
        return finding.rule.id, finding.detail

    assert told()[0] == told(server=4, disk=-3)[0] == "HG.I012"
    assert told(server=10) == ("HG.W012", "It is 10 s behind the clock of server.")
    assert told(server=10, disk=-90) == ("HG.E012", "It is 90 s ahead of the clock of disk.")


def test_a_provider_tells_the_time() -> None:
    def heard(seconds: float) -> int | None:
        dates = Dates()
        dates.heard({"date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))})
        return dates.ahead

    assert heard(0) == 0 and Dates().ahead is None
    ahead, behind = heard(100), heard(-100)
    assert ahead is not None and behind is not None and 98_000_000 < ahead <= 100_000_000 and -102_000_000 < behind <= -99_000_000
    dates = Dates()
    dates.heard({})
    dates.heard({"date": "nonsense"})
    assert dates.ahead is None


def test_a_folder_without_room_or_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [f.rule.id for f in here.of_folder(tmp_path / "a" / "b", deploy=True)] == ["HG.I010"]
    assert not (tmp_path / "a").exists()
    with monkeypatch.context() as patched:
        for limit, id in (("FULL", "HG.E011"), ("LITTLE", "HG.W010")):
            patched.setattr(here, limit, 1 << 62)
            assert next(iter(here.of_folder(tmp_path, deploy=False))).rule.id == id
            patched.setattr(here, limit, 0)
    (tmp_path / "file").touch()
    assert [f.rule.id for f in here.of_folder(tmp_path / "file", deploy=False)] == ["HG.E010"]
    if os.getuid():
        tmp_path.chmod(0o500)
        assert [f.rule.id for f in here.of_folder(tmp_path, deploy=False)] == ["HG.E010"]


def test_a_key_that_is_none_or_another_or_a_former_one(heliograph: Shell, place: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    account = heliograph.made("account", "list", *place)["accounts"][0]["id"]
    channel = heliograph.made("channel", "add", "telegram", "--account", account, "--set", "token=1:canary", *place)["channel"]
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", "ab" * 32)
    code, found = findings(heliograph, "--no-probes", *place)
    assert code == 1 and channel in found["HG.E032"][0]["subject"] and "HG.E031" in found
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY_OLD", KEY)
    code, found = findings(heliograph, "--no-probes", *place)
    assert code == 0 and "HG.W030" in found
    heliograph.made("keys", "rotate", *place)
    code, found = findings(heliograph, "--deploy", "--no-probes", *place)
    assert "HG.W031" in found and "HG.W030" not in found
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", KEY)
    monkeypatch.delenv("HELIOGRAPH_MASTER_KEY_OLD")
    code, found = findings(heliograph, "--no-probes", *place)
    assert code == 1 and "HG.E031" in found
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", "canary")
    code, found = findings(heliograph, *place)
    assert code == 1 and "HG.E030" in found and "canary" not in json.dumps(found)


def test_the_command_ends_as_a_script_expects(place: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["check", *place]) == 0
    monkeypatch.setenv("HELIOGRAPH_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert main(["check", *place]) == 1
