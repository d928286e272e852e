"""Reads a file of variables as systemd's EnvironmentFile= does, but refuses what that would quietly make something else of."""

import re
from pathlib import Path

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class BadEnvFile(ValueError):
    """The file cannot be meant. `problems`: a sentence each, with the line's number and the name, never the value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=VALUE, one a line; empty lines and those that begin with # or ; are left out. A value may stand in one pair of quotes.

    Refused, because shells, systemd and container engines disagree about them: `export`, blanks around the equals sign, a value that
    goes on in the next line, a quote that is not closed, text after the closing quote, a name that comes twice. Raises BadEnvFile.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as unreadable:
        raise BadEnvFile([f"{path} cannot be read: {unreadable.strerror}."]) from unreadable
    except UnicodeDecodeError as binary:
        raise BadEnvFile([f"{path} is not text in UTF-8."]) from binary
    found: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        name, equals, value = line.partition("=")
        where = f"{path.name}, line {number}"
        if fault := _fault(name, equals, value, found):
            problems.append(f"{where}: {fault}")
        else:
            found[name] = value[1:-1] if _quoted(value) else value
    if problems:
        raise BadEnvFile(problems)
    return found


def _quoted(value: str) -> bool:
    return len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]


def _fault(name: str, equals: str, value: str, found: dict[str, str]) -> str:
    if name.strip().startswith("export "):
        return f"leave away export before {name.split()[-1]}; the file is not run by a shell."
    if not equals or not _NAME.match(name.strip()):
        return "write NAME=VALUE."
    if name != name.strip() or value != value.strip():
        return f"{name.strip()} has blanks around the equals sign or at the end."
    if value.endswith("\\"):
        return f"{name} goes on in the next line; write it in one."
    inner = value[1:-1] if _quoted(value) else value
    if (value[:1] in ("'", '"') and not _quoted(value)) or (_quoted(value) and (value[0] in inner or "\\" in inner)):
        return f"{name} has a quote too many or too few, or a backslash between quotes."
    return f"{name} comes twice." if name in found else ""
