"""Shared credentials: those of the installation, as the environment or the settings file gives them, and what is wrong with them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from heliograph.providers.registry import PROVIDERS

#: HELIOGRAPH_CREDENTIAL__<NAME>__<FIELD>, and [credential.<name>] in the file.
PREFIX = "HELIOGRAPH_CREDENTIAL__"
TABLE = "credential"
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,31}$")

#: name -> field -> (where it was given, value)
Given = dict[str, dict[str, tuple[str, str]]]


def gather(environ: Mapping[str, str], table: Any, file: str, problems: list[str]) -> Given:
    """All that is given, a variable winning over the file."""
    found: Given = {}
    if not isinstance(table, dict) or not all(isinstance(fields, dict) for fields in table.values()):
        problems.append(f"{TABLE} in {file} must be tables such as [{TABLE}.sunshine].")
        table = {}
    for name, fields in table.items():
        for field, value in fields.items():
            found.setdefault(name, {})[field] = (f"{TABLE}.{name}.{field} in {file}", value)
    for variable in sorted(v for v in environ if v.startswith(PREFIX)):
        name, _, field = variable.removeprefix(PREFIX).lower().partition("__")
        found.setdefault(name, {})[field] = (variable, environ[variable])
    return found


def checked(
    given: Given, problems: list[str], accidental: Callable[[str], str], guess: Callable[[str, list[str]], str]
) -> dict[str, dict[str, str]]:
    """The credentials by name, each with its field `provider`; everything that is wrong is told, by name and never by value."""
    good: dict[str, dict[str, str]] = {}
    for name, fields in given.items():
        before = len(problems)
        first = next(iter(fields.values()))[0]
        if not _NAME.match(name):
            problems.append(f"{first}: a shared credential is called by small letters and digits, followed by __ and the field.")
            continue
        for source, value in fields.values():
            if not isinstance(value, str):
                problems.append(f"{source} must be a text in double quotes.")
            elif fault := accidental(value):
                problems.append(f"{source} {fault}.")
        if len(problems) == before:
            _judge(name, {field: value for field, (_, value) in fields.items()}, fields, problems, guess)
        if len(problems) == before:
            good[name] = {field: value for field, (_, value) in fields.items()}
    return good


def _judge(
    name: str, values: Mapping[str, str], fields: Mapping[str, tuple[str, str]], problems: list[str], guess: Callable[[str, list[str]], str]
) -> None:
    wanted = f"{PREFIX}{name.upper()}__"
    provider = PROVIDERS.get(values.get("provider", ""))
    if provider is None:
        problems.append(f"{wanted}PROVIDER must be one of: {', '.join(sorted(PROVIDERS))}.")
        return
    known = {field.name: field for field in provider.spec.fields}
    for field, (source, _) in fields.items():
        if field != "provider" and field not in known:
            problems.append(f"{source}: {provider.spec.title} has no such field.{guess(field, list(known))}")
    secrets = [field for field in known.values() if field.secret and field.required]
    problems.extend(f"{wanted}{field.name.upper()} is missing." for field in secrets if field.name not in values)
