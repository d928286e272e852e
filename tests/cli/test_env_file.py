"""Files of variables: what every reader of them takes alike is taken, everything else is refused by name and never by value."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from heliograph.bootstrap.envfile import BadEnvFile, read_env_file

SECRET = "canary-of-a-secret"


def read(folder: Path, text: str) -> dict[str, str]:
    path = folder / "new.env"
    path.write_text(text)
    return read_env_file(path)


def test_values_quotes_comments_and_empty_lines(tmp_path: Path) -> None:
    text = "# a comment\n\n; another\nA=1\nB=\nC='two words'\nD=\"x=y\"\nE=a'b\nF=#no comment\n"
    assert read(tmp_path, text) == {"A": "1", "B": "", "C": "two words", "D": "x=y", "E": "a'b", "F": "#no comment"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"export A={SECRET}", "export"), (f"A = {SECRET}", "blanks"), (f"A={SECRET} ", "blanks"), (f"A='{SECRET}", "quote"),
        (f'A="{SECRET}" # why', "quote"), (f"A='{SECRET}'x'", "quote"), (f"A={SECRET}\\", "next line"), (SECRET, "NAME=VALUE"),
        (f"1A={SECRET}", "NAME=VALUE"), (f"A=1\nA={SECRET}", "twice"), (f'A="a\\n{SECRET}"', "backslash"),
    ],
)  # fmt: skip
def test_what_readers_disagree_about_is_refused(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadEnvFile, match=said) as refused:
        read(tmp_path, line + "\n")
    assert SECRET not in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadEnvFile, match="cannot be read"):
        read_env_file(tmp_path / "none.env")
    (tmp_path / "new.env").write_bytes(b"A=\xff\n")
    with pytest.raises(BadEnvFile, match="UTF-8"):
        read_env_file(tmp_path / "new.env")


@given(st.text())
def test_whatever_is_in_it_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("env") / "new.env"
    path.write_text(text, "utf-8", errors="replace")
    try:
        found = read_env_file(path)
    except BadEnvFile:
        return
    assert all(name.isidentifier() for name in found)
