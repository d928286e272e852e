"""Commands as a person meets them: help, exit codes, and what they say when something is wrong."""

import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from heliograph.bootstrap.watchdog import STALLED
from heliograph.cli.main import main
from tests.e2e.processes import free_port

KEY = bytes(range(32)).hex()
COMMANDS = [
    ("up",), ("serve",), ("work",), ("check",), ("status",), ("drill",), ("resend",),
    ("token", "issue"), ("token", "list"), ("token", "revoke"),
    ("keys", "new"), ("keys", "status"), ("keys", "rotate"),
    ("account", "create"), ("account", "list"), ("agent", "create"), ("agent", "list"),
    ("channel", "add"), ("channel", "list"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")


class Shell:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        try:
            code = main(list(arguments))
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = self._capsys.readouterr()
        return code, told.out, told.err

    def made(self, *arguments: str) -> dict[str, Any]:
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return dict(json.loads(out))


@pytest.fixture
def heliograph(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_is_for_with_an_example_and_its_exit_codes(heliograph: Shell, command: tuple[str, ...]) -> None:
    code, out, _ = heliograph(*command, "--help")
    assert code == 0
    flat = " ".join(out.split())
    assert f"Usage: heliograph {' '.join(command)}" in flat
    assert "For example:" in flat and "Exit codes: 0" in flat


def test_the_first_page_says_of_every_command_what_it_is_for(heliograph: Shell) -> None:
    _, page, _ = heliograph("--help")
    told = dict(re.findall(r"^│ (\w+) *(.*?) *│$", page, re.M))
    assert {command[0] for command in COMMANDS} <= set(told) and all(told.values())


def test_the_version_is_the_packages(heliograph: Shell) -> None:
    assert heliograph("--version") == (0, version("heliograph") + "\n", "")


@pytest.mark.parametrize("arguments", [("bogus",), ("up", "--prot", "1"), ("status", "--port", "x"), ("token", "issue"), ("resend",)])
def test_what_is_not_understood_ends_with_2(heliograph: Shell, arguments: tuple[str, ...]) -> None:
    code, _, err = heliograph(*arguments)
    assert code == 2
    assert err.strip()


def test_a_wrong_setting_is_told_by_name(heliograph: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_PROT", "canary-value")
    code, out, err = heliograph("status")
    assert code == 1 and "Did you mean HELIOGRAPH_PORT?" in err
    assert "canary" not in out + err
    code, out, err = heliograph("check", "--json")
    assert code == 1 and not json.loads(out)["ok"]


def test_looking_at_nothing_makes_nothing(heliograph: Shell, tmp_path: Path) -> None:
    code, _, err = heliograph("status", "--data", str(tmp_path / "none"))
    assert code == 1 and "no store" in err
    assert not (tmp_path / "none").exists()


def test_an_installation_from_nothing(heliograph: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("--data", str(tmp_path / "desk"))
    made = heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", *place)
    account, admin = made["account"], made["agent"]
    token = heliograph.made("token", "issue", "--account", account, "--agent", admin, "--scopes", "admin", *place)
    listed = heliograph.made("token", "list", "--account", account, *place)["tokens"]
    assert [each["id"] for each in listed] == [token["token"]] and token["text"] not in json.dumps(listed)
    assert heliograph("token", "revoke", token["token"], "--account", account, *place)[0] == 0
    assert heliograph.made("token", "list", "--account", account, *place)["tokens"][0]["revoked_at"] > 0
    assert heliograph.made("account", "list", *place)["accounts"] == [{"id": account, "name": "Lighthouse"}]
    assert heliograph.made("agent", "list", "--account", account, *place)["agents"] == [{"id": admin, "role": "admin", "name": "Sam"}]
    code, _, err = heliograph("agent", "create", "Grace", "--account", "acc_none", *place)
    assert code == 1 and "account list" in err
    code, _, err = heliograph("channel", "add", "webhook", "--account", account, "--set", "nope=1", *place)
    assert code == 1 and err.rstrip().endswith("It needs --set base_url=…, --secret webhook_secret.")
    code, _, err = heliograph("channel", "add", "telegram", "--account", account, *place)
    assert code == 1 and "--secret token" in err
    with (tmp_path / "secrets").open("w+") as typed:
        typed.write("canary:token\n")
        typed.seek(0)
        monkeypatch.setattr("sys.stdin", typed)
        channel = heliograph.made("channel", "add", "telegram", "--account", account, "--secret", "token", *place)
    assert channel["webhook"] == f"/hooks/telegram/{channel['channel']}"
    code, out, _ = heliograph("check", "--no-probes", *place)
    assert code == 0 and channel["channel"] in out and "canary" not in out
    assert heliograph.made("status", *place)["deliveries"] == {}
    code, _, err = heliograph("resend", "dlv_none", "--yes", *place)
    assert code == 1 and "no such delivery" in err
    assert heliograph("resend", "--channel", channel["channel"], *place)[1] == "There are none.\n"


def test_what_to_do_next_can_be_pasted(heliograph: Shell, tmp_path: Path) -> None:
    place = ("--data", str(tmp_path / "my desk"))
    code, out, _ = heliograph("account", "create", "Lighthouse", "--admin", "Sam", *place)
    next_command = shlex.split(out.splitlines()[-1].partition(": heliograph ")[2])
    assert code == 0 and heliograph(*next_command)[1].startswith("hgt_")


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_cannot_be_is_told(heliograph: Shell, tmp_path: Path, port: str) -> None:
    code, _, err = heliograph("up", "--no-browser", f"--port={port}", "--data", str(tmp_path / "desk"))
    assert code == 1 and "no port" in err


def test_check_sees_that_the_master_key_is_another_one(heliograph: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("--data", str(tmp_path))
    account = heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", *place)["account"]
    heliograph.made("channel", "add", "telegram", "--account", account, "--set", "token=1:canary", *place)
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", "ff" * 32)
    code, out, _ = heliograph("check", "--no-probes", *place)
    assert code == 1 and "another master key" in out and "canary" not in out


def test_check_tells_what_is_wrong_from_what_could_not_be_asked(heliograph: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_ALLOW_NETWORKS", "127.0.0.0/8")
    place = ("--data", str(tmp_path))
    account = heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", *place)["account"]
    # Nothing to ask is nothing that was asked in vain.
    assert heliograph("check", *place)[0] == 0
    nobody = f"base_url=http://127.0.0.1:{free_port()}"
    heliograph.made("channel", "add", "telegram", "--account", account, "--set", "token=1:canary", "--set", nobody, *place)
    assert heliograph("check", "--no-probes", *place)[0] == 0
    code, out, _ = heliograph("check", *place)
    assert code == 3 and "could not be told" in out and "canary" not in out
    code, out, _ = heliograph("check", "--json", *place)
    assert code == 3 and json.loads(out)["ok"] is False
    assert [each["id"] for each in json.loads(out)["findings"] if each["outcome"] != "ok"] == ["HG.O050"]
    # What is wrong weighs more than what is open.
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", "ff" * 32)
    assert heliograph("check", *place)[0] == 1
    assert "3 nothing wrong was found, but something could not be asked" in " ".join(heliograph("check", "--help")[1].split())


@pytest.mark.parametrize("command", [("agent", "list"), ("channel", "list"), ("token", "list")], ids=" ".join)
def test_a_list_of_an_account_that_does_not_exist_says_so(heliograph: Shell, tmp_path: Path, command: tuple[str, ...]) -> None:
    place = ("--data", str(tmp_path))
    account = heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", *place)["account"]
    for more in ((), ("--json",)):
        code, out, err = heliograph(*command, "--account", "acc_none", *more, *place)
        assert (code, out) == (1, "")
        assert "no such account" in err and f"heliograph account list --data {tmp_path}" in err
    assert heliograph(*command, "--account", account, *place)[0] == 0


def test_a_key_is_made_the_first_time_only(heliograph: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HELIOGRAPH_MASTER_KEY")
    place = ("--data", str(tmp_path))
    code, _, err = heliograph("account", "create", "Lighthouse", "--admin", "Sam", *place)
    assert code == 0 and "Keep a copy" in err
    (tmp_path / "master.key").unlink()
    code, _, err = heliograph("account", "create", "Second", "--admin", "Sam", *place)
    assert code == 1 and "no master key" in err
    assert not (tmp_path / "master.key").exists(), "a new key would open nothing that the old one sealed"


def test_nobody_is_asked_where_nobody_is(heliograph: Shell, tmp_path: Path) -> None:
    heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", "--data", str(tmp_path))
    code, out, err = heliograph("resend", "dlv_1", "--data", str(tmp_path))
    assert code == 2 and "Nothing was changed" in out and "--yes" in err


def test_a_loop_that_stands_still_is_ended() -> None:
    program = """
import asyncio, threading
from heliograph.bootstrap.watchdog import Watchdog
async def main():
    Watchdog(limit=0.5, interval=0.1).start()
    await asyncio.sleep(1)
    print("alive", flush=True)
    threading.Event().wait(20)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (STALLED, "alive\n")
    assert "loop_stalled" in done.stderr


def test_the_master_key_is_exchanged(heliograph: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("--data", str(tmp_path))
    account = heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", *place)["account"]
    heliograph.made("channel", "add", "telegram", "--account", account, "--set", "token=1:canary", *place)
    before = heliograph.made("keys", "status", *place)
    assert before["held"] == [before["seals_with"]] and before["sealed"][0]["number"] == 1
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", "ab" * 32)
    code, out, _ = heliograph("keys", "status", *place)
    assert code == 1 and "not held" in out and "do not open" in out and "canary" not in out
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY_OLD", KEY)
    assert heliograph.made("keys", "status", *place)["still_needed"] == [before["seals_with"]]
    assert heliograph.made("keys", "rotate", *place)["resealed"] == 1
    monkeypatch.delenv("HELIOGRAPH_MASTER_KEY_OLD")
    after = heliograph.made("keys", "status", *place)
    assert after["still_needed"] == [] and after["rotation"] == {"key": after["seals_with"], "ended": True}
    assert after["seals_with"] != before["seals_with"]
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", "canary")
    code, _, err = heliograph("keys", "rotate", *place)
    assert code == 1 and "keys new" in err and "canary" not in err


def test_an_account_says_how_long_its_replies_may_wait(heliograph: Shell, tmp_path: Path) -> None:
    place = ("--data", str(tmp_path))
    account = heliograph.made("account", "create", "Lighthouse", "--admin", "Sam", *place)["account"]
    assert heliograph.made("account", "ask-after", account, "12", *place)["seconds"] == 43_200
    for wrong in (("account", "ask-after", account, "0"), ("account", "ask-after", "acc_none", "12")):
        code, _, err = heliograph(*wrong, *place)
        assert code == 1 and ("60 to 2592000" in err or "no such account" in err)
