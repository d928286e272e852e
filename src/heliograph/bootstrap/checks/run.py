"""Makes all checks, from the settings inward: what lies behind something that is wrong is not looked at, or would mislead."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from heliograph.bootstrap.application import Application, Config, glance, look
from heliograph.bootstrap.checks import held, here
from heliograph.bootstrap.checks.rules import Finding, found
from heliograph.bootstrap.places import read, verdict
from heliograph.bootstrap.settings import Settings
from heliograph.bootstrap.system import SystemClock
from heliograph.domain.retry import SECOND
from heliograph.ports.store import Unavailable
from heliograph.storage.glance import Glance
from heliograph.storage.migrations import MigrationError, available, pending

WHY = {
    "older": "It is an older state than this folder knows: a backup was restored over it.",
    "elsewhere": "It is kept by another database or file than before: restored, failed over or copied.",
    "stranger": "It has been through another history than this folder knows.",
}


class Dates:
    """Listens to what providers' answers say the time is."""

    def __init__(self) -> None:
        self.ahead: int | None = None

    def heard(self, headers: Mapping[str, str]) -> None:
        """An answer came. Its date has whole seconds."""
        try:
            said = parsedate_to_datetime(headers.get("date", "")).timestamp()
        except (ValueError, TypeError):
            return
        difference = said - SystemClock().now() / SECOND
        ahead = 0 if -1.5 <= difference <= 0.5 else int(difference * SECOND)
        if self.ahead is None or abs(ahead) < abs(self.ahead):
            # The nearest: an answer that was long under way says less.
            self.ahead = ahead


async def run(settings: Settings, config: Config, *, deploy: bool, probes: bool) -> list[Finding]:
    """Everything, in the order of the rules' tags. It changes nothing and spends no message."""
    findings = list(here.of_deploying(settings, pinned=bool(config.installation))) if deploy else []
    findings += here.of_folder(config.data, deploy=deploy)
    try:
        seen = await glance(config)
    except Unavailable as broken:
        return [*findings, found("HG.E020", "store", f"{broken}.")]
    ahead: dict[str, int] = {}
    if seen.clock:
        ahead["the database server"] = seen.clock - SystemClock().now()
    file = here.file_clock(config.data)
    if file is not None:
        ahead["the disk"] = file
    dates = Dates()
    inner = _of_store(config, seen)
    if inner[0].rule.id == "HG.I020":
        try:
            inner += await _inside(config, dates, deploy=deploy, probes=probes)
        except (Unavailable, MigrationError) as broken:
            inner = [found("HG.E020", "store", f"{broken}.")]
    if dates.ahead is not None:
        ahead["the provider"] = dates.ahead
    return [*findings, *here.of_clock(ahead, last_write_at=seen.last_write_at), *inner]


def _of_store(config: Config, seen: Glance) -> list[Finding]:
    where = "PostgreSQL" if config.database else str(config.data / "heliograph.db")
    if not seen.installation:
        if config.installation:
            return [found("HG.E023", "store", f"{where} is no store, and {config.installation} is expected.")]
        return [found("HG.W020", "store", f"There is none yet: {where}.")]
    if config.installation and config.installation != seen.installation:
        return [found("HG.E021", "store", f"{where} is {seen.installation}, and {config.installation} is expected.")]
    try:
        missing = [
            step.number
            for step in pending(available("postgres" if config.database else "sqlite"), list(seen.applied))
            if step.phase == "expand"
        ]
    except MigrationError as other:
        return [found("HG.E022", "store", f"{other}")]
    why = verdict(seen, read(config.data), now=SystemClock().now())
    moved = [found("HG.E024", "store", WHY[why])] if why else []
    if missing:
        return [found("HG.O020", "store", f"{where} lacks steps {missing}; what it holds was not looked into.")]
    return [found("HG.I020", "store", f"{where}, migrated, installation {seen.installation}"), *moved]


async def _inside(config: Config, dates: Dates, *, deploy: bool, probes: bool) -> list[Finding]:
    application: Application = await look(config, heard=dates.heard)
    try:
        findings = [finding async for finding in held.of_keys(application, deploy=deploy)]
        findings += [finding async for finding in held.of_shared(application, probes=probes)]
        findings += await held.of_channels(application, probes=probes)
        findings += [finding async for finding in held.of_webhooks(application)]
        findings += [finding async for finding in held.of_release(application)]
        return findings
    finally:
        await application.close()
