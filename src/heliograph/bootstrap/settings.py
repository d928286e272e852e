"""What an operator may set: read from the environment and one TOML file, and refused loudly where it looks like an accident."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from heliograph.bootstrap import shared

PREFIX = "HELIOGRAPH_"
#: Read by others than Settings: the file itself, and what only tests set.
ELSEWHERE = ("HELIOGRAPH_CONFIG", "HELIOGRAPH_FAILPOINT", "HELIOGRAPH_TESTING")
DEFAULT_DATA = "heliograph-data"

Whole = Annotated[int, Meta(ge=1, le=10_000, description="a whole number from 1 to 10000")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One installation's settings. Each field is a variable HELIOGRAPH_<NAME> and a name in the TOML file."""

    data: Annotated[str, Meta(description="a folder")] = ""
    database_url: Annotated[str, Meta(pattern="^postgres(ql)?://", description="an address postgresql://user@host/name")] = ""
    master_key: Annotated[str, Meta(description="32 bytes in base64 or hexadecimal")] = ""
    #: Former keys, separated by blanks or commas, until `heliograph keys rotate` has sealed everything anew.
    master_key_old: Annotated[str, Meta(description="former master keys, separated by commas")] = ""
    host: Annotated[str, Meta(description="an address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="a whole number from 0 to 65535")] = 8420
    public_url: Annotated[str, Meta(pattern="^https?://[^/]+", description="an address http(s)://…")] = ""
    release: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][\w.+-]{0,63}$", description="a name of letters, digits, dots and dashes")] = ""
    #: Which store is the right one, where the data folder does not remember it.
    installation: Annotated[str, Meta(pattern=r"^ins_[0-9a-z]+$", description="the id that `heliograph status` shows")] = ""
    concurrency: Whole = 100
    connections: Whole = 1000
    # An attempt ends before its lease. From 40 s on it gets the 30 s that a file may take; the least leaves a text its 10 s.
    lease_seconds: Annotated[float, Meta(ge=15, le=3600, description="a number of seconds from 15 to 3600")] = 60.0
    allow_networks: Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:/, ]*$", description="networks such as 10.0.0.0/8, comma separated")] = ""
    metrics: Annotated[Literal["local", "open"], Meta(description="local or open")] = "local"
    metrics_token: Annotated[str, Meta(pattern="^[!-~]{16,}$", description="16 or more characters without blanks")] = ""
    log_format: Annotated[Literal["auto", "json", "pretty"], Meta(description="auto, json or pretty")] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="debug, info, warning or error")] = "info"
    #: Who is told what about incidents. Targets are Apprise addresses with a blank between them.
    operators: Annotated[str, Meta(description="addresses such as slack://… or tgram://…, with a blank between them")] = ""
    announcements: Annotated[str, Meta(description="addresses such as mastodon://…, with a blank between them")] = ""
    alertmanager_url: Annotated[str, Meta(pattern="^https?://[^/]+", description="an address http(s)://…")] = ""
    heartbeat_url: Annotated[str, Meta(pattern="^https?://[^/]+", description="an address http(s)://…")] = ""
    smtp_url: Annotated[str, Meta(pattern="^smtps?://[^/]+", description="an address smtp(s)://user:password@host:port")] = ""
    mail_from: Annotated[str, Meta(pattern="^[^\\r\\n]*[^@ ]@[^@ ]+$", description="a mail address")] = ""

    #: What the public status page calls this installation, and the folder that it is also written to.
    zendesk_client: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,128}$", description="an identifier of at most 128 characters")] = ""
    status_name: Annotated[str, Meta(max_length=80, description="up to 80 characters")] = "Heliograph"
    status_export: Annotated[str, Meta(description="a folder")] = ""

    #: Shared credentials by name, each with its provider and that provider's fields; see bootstrap.shared.
    credential: dict[str, dict[str, str]] = {}

    def __repr__(self) -> str:
        return "Settings(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Nothing: some of it is secret."""
        return []

    @property
    def folder(self) -> Path:
        """Where files, and the store if it is SQLite, live."""
        return Path(self.data or DEFAULT_DATA)

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks off the public internet that providers may be at."""
        return tuple(each.strip() for each in self.allow_networks.split(",") if each.strip())


class SettingsError(ValueError):
    """Some settings are wrong. `problems`: one sentence each, naming the setting and never its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


FIELDS = {field.name: field for field in msgspec.structs.fields(Settings) if field.name != shared.TABLE}
_PLACEHOLDER = re.compile(
    r"^(change[-_ ]?me|replace[-_ ]?me|placeholder|to[-_ ]?do|xxx+|fixme|example|secret|password|none|null|undefined|your[-_ ].*|<.*>)$",
    re.I,
)
_UNEXPANDED = re.compile(r"\$\{|\$\(|\{\{|%\(|^\$[A-Z_]+$")


def load(environ: Mapping[str, str], *, file: Path | None = None) -> Settings:
    """Read the settings; a variable wins over the file. Raises SettingsError with everything that is wrong, not only the first."""
    problems: list[str] = []
    given: dict[str, tuple[str, Any]] = {}
    path = file or (Path(environ["HELIOGRAPH_CONFIG"]) if environ.get("HELIOGRAPH_CONFIG") else None)
    table: Any = {}
    if path is not None:
        for name, value in _read(path, problems).items():
            if name == shared.TABLE:
                table = value
            elif name in FIELDS:
                given[name] = (f"{name} in {path.name}", value)
            else:
                problems.append(f"{path.name} has no setting {name}.{_guess(name, [*FIELDS, shared.TABLE])}")
    variables = [PREFIX + name.upper() for name in FIELDS]
    for variable in sorted(v for v in environ if v.startswith(PREFIX) and v not in ELSEWHERE and not v.startswith(shared.PREFIX)):
        if variable in variables:
            given[variable.removeprefix(PREFIX).lower()] = (variable, environ[variable])
        else:
            problems.append(f"{variable} is not a setting.{_guess(variable, [*variables, *ELSEWHERE])}")
    values = {name: _value(name, source, value, problems) for name, (source, value) in given.items()}
    credentials = shared.gather(environ, table, path.name if path is not None else "", problems)
    values[shared.TABLE] = shared.checked(credentials, problems, looks_accidental, _guess)
    if ("smtp_url" in values) != ("mail_from" in values):
        problems.append("smtp_url and mail_from go together: set both, or neither.")
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as unreadable:
        problems.append(f"{path} cannot be read: {unreadable.strerror}.")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        problems.append(f"{path} is not TOML: write one name = value a line, and text in double quotes.")
    return {}


def _guess(name: str, known: list[str]) -> str:
    # The prefix is the same everywhere and would make everything look alike.
    bare = {each.removeprefix(PREFIX): each for each in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.6)
    return f" Did you mean {bare[close[0]]}?" if close else f" There are: {', '.join(sorted(known))}."


def _value(name: str, source: str, value: Any, problems: list[str]) -> Any:
    if isinstance(value, str) and (fault := looks_accidental(value)):
        problems.append(f"{source} {fault}.")
        return value
    kind = FIELDS[name].type
    try:
        return msgspec.convert(value, kind, strict=not isinstance(value, str))
    except msgspec.ValidationError:
        problems.append(f"{source} must be {described(kind)}.")
        return value


def described(kind: Any) -> str:
    """What a value of a setting must be."""
    return next((meta.description for meta in kind.__metadata__ if isinstance(meta, Meta) and meta.description), "different")


def looks_accidental(value: str) -> str:
    """What is wrong with a text that nobody can have meant, or ""."""
    if not value.strip():
        return "is empty; leave it away to take the default"
    if value != value.strip() or any(char in value for char in "\r\n\t\x00"):
        return "has blanks or line breaks at its ends or inside"
    if len(value) > 1 and value[0] in "'\"`" and value[-1] == value[0]:
        return "is wrapped in quotes that became part of it"
    if value[0] in "'\"`" or value[-1] in "'\"`":
        return "begins or ends with a stray quote"
    if _UNEXPANDED.search(value):
        return "holds a variable that was not replaced"
    if _PLACEHOLDER.match(value):
        return "is a placeholder"
    return ""
