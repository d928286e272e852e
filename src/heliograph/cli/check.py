"""`heliograph check`: whether everything is in order, before or beside a running process."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from heliograph.bootstrap.application import Application, MigrationError, look
from heliograph.bootstrap.keys import BadKey
from heliograph.bootstrap.settings import SettingsError
from heliograph.cli.options import HERE, OK, OPEN, PROBLEM, Fault, Place, config_of, out, print_json, quiet, settings_of
from heliograph.domain.outcomes import Inconclusive, Invalid, Valid
from heliograph.domain.reasons import REASONS
from heliograph.ports import rows
from heliograph.ports.store import Unavailable
from heliograph.services.probe import check as probe
from heliograph.services.sealed import Sealed


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `outcome`: "ok", "problem", or "open" where it was asked in vain."""

    subject: str
    outcome: str
    detail: str


def check(
    *,
    probes: Annotated[bool, Parameter(help="Ask the messaging services too.")] = True,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    place: Place = HERE,
) -> int:
    """Check the settings, the store and its schema, the master key against every sealed secret, and every channel's credentials.

    It changes nothing, sends no message, prints no secret, and works beside a running process.

    For example:

      heliograph check
      heliograph check --no-probes --json

    Exit codes: 0 all is well · 1 a problem, which is told · 2 the command was not understood · 3 nothing wrong was found, but something
    could not be asked.
    """
    quiet()
    findings = _findings(place, probes=probes)
    if json:
        print_json({
            "ok": _exit_code(findings) == OK,
            "findings": [{"subject": f.subject, "outcome": f.outcome, "detail": f.detail} for f in findings],
        })  # fmt: skip
    else:
        marks = {"ok": "[green]✓[/]", "problem": "[bold red]✗[/]", "open": "[yellow]?[/]"}
        for f in findings:
            out.print(f"{marks[f.outcome]} {escape(f.subject)}: {escape(f.detail)}", soft_wrap=True)
    return _exit_code(findings)


def _exit_code(findings: list[Finding]) -> int:
    outcomes = {f.outcome for f in findings}
    return PROBLEM if "problem" in outcomes else OPEN if "open" in outcomes else OK


def _findings(place: Place, *, probes: bool) -> list[Finding]:
    try:
        settings = settings_of(place)
    except SettingsError as wrong:
        return [Finding("settings", "problem", each) for each in wrong.problems]
    findings = [Finding("settings", "ok", "all known, none looks like an accident")]
    try:
        config = config_of(settings)
    except (BadKey, Fault) as bad:
        return [*findings, Finding("master key", "problem", str(bad).replace("\n", " "))]
    findings.append(Finding("master key", "ok", "well formed"))
    where = "PostgreSQL" if config.database else str(Path(config.data) / "heliograph.db")

    async def everything() -> None:
        application = await look(config)
        try:
            await _look_into(application, where, findings, probes=probes)
        finally:
            await application.close()

    try:
        asyncio.run(everything())
    except (Unavailable, MigrationError) as broken:
        findings.append(Finding("store", "problem", f"{broken}"))
    return findings


async def _look_into(application: Application, where: str, findings: list[Finding], *, probes: bool) -> None:
    store = application.context.store
    installation = await store.installation()
    findings.append(Finding("store", "ok", f"{where}, migrated, installation {installation.id}"))
    channels = await store.all_channels()
    if not channels:
        findings.append(Finding("channels", "ok", "there are none yet: heliograph channel add --help"))
    for channel in channels:
        findings.append(await _channel(application, channel, probes=probes))


async def _channel(application: Application, channel: rows.Channel, *, probes: bool) -> Finding:
    subject = f"channel {channel.id} ({channel.provider})"
    connected = await application.context.channels.get(channel.account, channel.id)
    if connected is None:
        return Finding(subject, "problem", "its credential is gone")
    if isinstance(connected.provider, Sealed):
        return Finding(subject, "problem", "its secrets do not open: they were sealed with another master key, or are damaged")
    if not channel.enabled:
        return Finding(subject, "ok", "its secrets open; it is switched off")
    if not probes:
        return Finding(subject, "ok", "its secrets open; not probed")
    result = await probe(application.context, connected)
    match result:
        case Valid():
            pinned = "as pinned" if connected.credential.identity else "not pinned yet"
            return Finding(subject, "ok", f"credentials are valid, identity {pinned}")
        case Invalid(reason, code):
            return Finding(subject, "problem", f"{REASONS[reason].sentence} {REASONS[reason].remedy} ({reason}, {code})")
        case Inconclusive(reason, code):
            return Finding(subject, "open", f"could not be told: {REASONS[reason].sentence} ({reason}, {code})")
