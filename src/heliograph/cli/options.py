"""What all commands share: where settings come from, how faults are told, and what exit codes mean."""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Group, Parameter
from rich.console import Console

from heliograph.bootstrap import identity, keys, logs, outside
from heliograph.bootstrap.application import Config
from heliograph.bootstrap.settings import Settings, load

OK, PROBLEM, USAGE, OPEN = 0, 1, 2, 3
#: For people: what was asked for goes to standard output, what went wrong to standard error.
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Fault(Exception):
    """The command cannot go on. Each line is a sentence for the person who gave it."""

    def __init__(self, *lines: str, code: int = PROBLEM) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.code = code


WHERE = Group("Where things are", sort_key=90)


@Parameter(name="*", group=WHERE)
@dataclass(frozen=True, slots=True)
class Place:
    """Options of every command that touches an installation."""

    data: Annotated[Path | None, Parameter(help="Folder of the store, the files and the master key. Default: ./heliograph-data")] = None
    config: Annotated[Path | None, Parameter(help="TOML file with settings; variables HELIOGRAPH_… win over it.")] = None


HERE = Place()


def settings_of(place: Place, **changes: Any) -> Settings:
    """Read the settings; options given on the command line win. Raises SettingsError."""
    settings = load(os.environ, file=place.config)
    given = {name: value for name, value in changes.items() if value is not None}
    if place.data is not None:
        given["data"] = str(place.data)
    return msgspec.structs.replace(settings, **given)


def again(place: Place) -> str:
    """The same place, as it is written on the next command line."""
    given = (("--data", place.data), ("--config", place.config))
    return "".join(f" {option} {shlex.quote(str(path))}" for option, path in given if path is not None)


def release_of(settings: Settings) -> str:
    """What attempts and events are stamped with."""
    return settings.release or version("heliograph")


def keys_of(settings: Settings, *, create_key: bool = False) -> tuple[bytes, ...]:
    """The master keys, the one that seals first. With `create_key`, a folder without store and key gets one. Raises BadKey or Fault."""
    data, old = settings.folder, keys.parse_old_keys(settings.master_key_old)
    if settings.master_key:
        return (keys.parse_master_key(settings.master_key, source=keys.VARIABLE), *old)
    found = keys.read_key_file(data)
    if not found and create_key and not (data / "heliograph.db").exists():
        try:
            found = (keys.create_key_file(data),)
        except FileExistsError:
            raise Fault("Another process made a master key here just now. Start again.") from None
        err.print(f"Made a master key in [bold]{data / keys.FILE}[/]. Keep a copy elsewhere: without it no stored secret opens again.")
    if not found:
        raise Fault(f"There is no master key: neither {keys.VARIABLE} nor {data / keys.FILE}.", "Is this the right folder? See --data.")
    return (*found, *old)


def config_of(settings: Settings, *, create_key: bool = False) -> Config:
    """What the application is built from. With `create_key`, see keys_of. Raises BadKey or Fault."""
    data = settings.folder
    key, *old = keys_of(settings, create_key=create_key)
    return Config(
        data=data, master_key=key, old_keys=tuple(old), database=settings.database_url, release=release_of(settings),
        allow_networks=settings.networks,
        connections=settings.connections, metrics_token=settings.metrics_token, metrics_open=settings.metrics == "open",
        shared=settings.credential, code=settings.release or identity.code(), variables=identity.variables(settings),
        installation=settings.installation or identity.belongs_to(data), ways=outside.ways(settings),
    )  # fmt: skip


def quiet() -> None:
    """Logging of commands that only look: nothing but faults of this software."""
    logs.configure(form="auto", level="error")


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=False) + "\n")


def say(*lines: str) -> None:
    """Write lines that a person or a script reads at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
