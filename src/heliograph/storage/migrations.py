"""Numbered migrations: which exist, which are applied, and whether an applied one was changed since."""

import hashlib
import re
from importlib.resources import files
from typing import NamedTuple

NAME = re.compile(r"^(\d{4})_(expand|contract)_([a-z0-9_]+)\.sql$")


class MigrationError(Exception):
    """The schema cannot be brought to where this version needs it. The message says what to do."""


class Migration(NamedTuple):
    """One step. `phase`: "expand" runs before a new release takes work, "contract" after the old one is gone."""

    number: int
    phase: str
    name: str
    sql: str
    checksum: str


class Applied(NamedTuple):
    """A step as the store remembers it."""

    number: int
    phase: str
    name: str
    checksum: str


def available(engine: str) -> list[Migration]:
    """All steps for "sqlite" or "postgres", in order. Raises MigrationError on a gap or a malformed name."""
    found = []
    for file in files(f"heliograph.storage.{engine}").joinpath("migrations").iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = NAME.match(file.name)
        if match is None:
            raise MigrationError(f"{file.name}: a migration is named NNNN_expand_what.sql or NNNN_contract_what.sql")
        sql = file.read_text("utf-8")
        found.append(Migration(int(match[1]), match[2], match[3], sql, hashlib.sha256(sql.encode()).hexdigest()))
    found.sort()
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"migrations of {engine} are not numbered 1, 2, 3 …: {[m.number for m in found]}")
    return found


def pending(steps: list[Migration], applied: list[Applied]) -> list[Migration]:
    """What is left to do. Raises MigrationError where the store's past and ours differ."""
    known = {step.number: step for step in steps}
    for done in applied:
        step = known.get(done.number)
        if step is None:
            raise MigrationError(
                f"the store has migration {done.number} ({done.name}), which this version does not know: it belongs to a newer "
                "Heliograph. Start that version, or restore a backup from before the upgrade."
            )
        if step.checksum != done.checksum:
            raise MigrationError(
                f"migration {done.number} ({done.name}) was changed after it had been applied here. Install an unmodified Heliograph."
            )
    have = {done.number for done in applied}
    return [step for step in steps if step.number not in have]


def expect_migrated(engine: str, applied: list[Applied]) -> None:
    """Raises MigrationError where steps are missing that a release needs before it takes work."""
    missing = [step.number for step in pending(available(engine), applied) if step.phase == "expand"]
    if missing:
        raise MigrationError(f"migrations {missing} are not applied; the next start of a writing process applies them")
