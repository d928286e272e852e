"""Settings that look like an accident are refused, by name and never by value."""

import errno
import os
from pathlib import Path

import pytest

from heliograph.bootstrap.failpoints import BadFailpoint, failpoint
from heliograph.bootstrap.keys import BadKey, create_key_file, new_master_key, parse_master_key, read_key_file
from heliograph.bootstrap.settings import FIELDS, SettingsError, load
from heliograph.cli.options import config_of

SECRET = "canary-value"


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(environ)
    return refused.value.problems


def test_defaults_need_nothing() -> None:
    settings = load({"PATH": "/bin", "HOME": "/nowhere"})
    assert (settings.port, settings.host, settings.data) == (8420, "127.0.0.1", "")


def test_who_may_read_the_numbers_is_a_setting() -> None:
    key = {"HELIOGRAPH_MASTER_KEY": "00" * 32}
    default = config_of(load(key))
    assert (default.metrics_open, default.metrics_token) == (False, "")
    given = config_of(load(key | {"HELIOGRAPH_METRICS": "open", "HELIOGRAPH_METRICS_TOKEN": f"{SECRET}-0123"}))
    assert (given.metrics_open, given.metrics_token) == (True, f"{SECRET}-0123") and SECRET not in repr(given)
    [told] = problems(HELIOGRAPH_METRICS_TOKEN=SECRET)
    assert "16 or more" in told and SECRET not in told


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "heliograph.toml"
    file.write_text('port = 1\nhost = "::1"\n')
    settings = load({"HELIOGRAPH_PORT": "2"}, file=file)
    assert (settings.port, settings.host) == (2, "::1")
    assert load({"HELIOGRAPH_CONFIG": str(file)}).port == 1


@pytest.mark.parametrize(
    ("variable", "meant"),
    [("HELIOGRAPH_PROT", "HELIOGRAPH_PORT"), ("HELIOGRAPH__PORT", "HELIOGRAPH_PORT"), ("HELIOGRAPH_MASTERKEY", "HELIOGRAPH_MASTER_KEY")],
)
def test_an_unknown_name_is_an_error_with_a_guess(variable: str, meant: str) -> None:
    assert problems(**{variable: SECRET}) == [f"{variable} is not a setting. Did you mean {meant}?"]


def test_a_name_that_resembles_nothing_gets_the_list() -> None:
    [told] = problems(HELIOGRAPH_ZZZ="1")
    assert all(f"HELIOGRAPH_{name.upper()}" in told for name in FIELDS)


@pytest.mark.parametrize(
    "value",
    [
        "", "  ", f"{SECRET} ", f" {SECRET}", f"{SECRET}\n", f"'{SECRET}'", f'"{SECRET}"', f'"{SECRET}', f"{SECRET}'",
        "${SECRET_canary-value}", "$(cat canary-value)", "{{ canary-value }}", "changeme", "CHANGE-ME",
        "your-canary-value", "<canary-value>", "todo", "xxxx", "None",
    ],
)  # fmt: skip
@pytest.mark.parametrize("variable", ["HELIOGRAPH_MASTER_KEY", "HELIOGRAPH_HOST"])
def test_a_value_that_nobody_can_have_meant_is_refused_unseen(variable: str, value: str) -> None:
    [told] = problems(**{variable: value})
    assert told.startswith(variable)
    assert "canary" not in told


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HELIOGRAPH_PORT", "canary-value"), ("HELIOGRAPH_PORT", "65536"), ("HELIOGRAPH_LEASE_SECONDS", "9"),
        ("HELIOGRAPH_DATABASE_URL", "mysql://canary-value"), ("HELIOGRAPH_LOG_FORMAT", "canary-value"), ("HELIOGRAPH_CONCURRENCY", "-77"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_told_what_it_must_be(variable: str, value: str) -> None:
    [told] = problems(**{variable: value})
    assert told.startswith(f"{variable} must be ") and "different" not in told
    assert value not in told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "heliograph.toml"
    file.write_text('prot = 1\nport = "x"\n')
    with pytest.raises(SettingsError) as refused:
        load({"HELIOGRAPH_HOST": "''", "HELIOGRAPH_NOPE": "1"}, file=file)
    assert len(refused.value.problems) == 4


def test_settings_do_not_show_themselves() -> None:
    settings = load({"HELIOGRAPH_MASTER_KEY": SECRET, "HELIOGRAPH_DATABASE_URL": f"postgresql://u:{SECRET}@h/d"})
    assert "canary" not in repr(settings) + str(settings)


def test_a_key_is_read_as_base64_and_as_hexadecimal() -> None:
    key = bytes(range(32))
    assert parse_master_key(key.hex(), source="it") == key
    assert len(parse_master_key(new_master_key(), source="it")) == 32


@pytest.mark.parametrize("text", ["canary", "00" * 31, "canary" * 10, ""])
def test_a_bad_key_is_refused_unseen(text: str) -> None:
    with pytest.raises(BadKey) as refused:
        parse_master_key(text, source="HELIOGRAPH_MASTER_KEY")
    assert "HELIOGRAPH_MASTER_KEY" in str(refused.value) and "keys new" in str(refused.value) and "canary" not in str(refused.value)


def test_a_key_file_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    assert read_key_file(tmp_path) == ()
    made = create_key_file(tmp_path / "data")
    file = tmp_path / "data" / "master.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_key_file(tmp_path / "data") == (made,)
    with pytest.raises(FileExistsError):
        create_key_file(tmp_path / "data")
    file.chmod(0o640)
    with pytest.raises(BadKey, match="chmod 600"):
        read_key_file(tmp_path / "data")


def test_a_folder_that_takes_no_key_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BadKey, match="cannot be written: Not a directory"):
        create_key_file(tmp_path / "file" / "desk")


def test_no_half_of_a_key_is_left_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken, pytest.raises(BadKey, match="No space left"):
        broken.setattr(os, "fsync", full)
        create_key_file(tmp_path)
    assert read_key_file(tmp_path) == () and (create_key_file(tmp_path),) == read_key_file(tmp_path)


def test_failpoints_are_for_tests_only() -> None:
    with pytest.raises(BadFailpoint, match="HELIOGRAPH_TESTING"):
        failpoint({"HELIOGRAPH_FAILPOINT": "reply:before_commit"})
    with pytest.raises(BadFailpoint, match="reply:after_commit"):
        failpoint({"HELIOGRAPH_FAILPOINT": "reply:nowhere", "HELIOGRAPH_TESTING": "1"})
