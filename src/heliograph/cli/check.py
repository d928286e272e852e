"""`heliograph check`: whether everything is in order, before or beside a running process."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape

from heliograph.bootstrap.checks.rules import RULES, TAGS, Finding, Level, found
from heliograph.bootstrap.checks.run import run
from heliograph.bootstrap.keys import BadKey
from heliograph.bootstrap.settings import SettingsError
from heliograph.cli.options import HERE, OK, OPEN, PROBLEM, USAGE, Fault, Place, config_of, err, out, print_json, quiet, settings_of

MARKS = {Level.INFO: "[green]✓[/]", Level.OPEN: "[yellow]?[/]", Level.WARNING: "[yellow]![/]", Level.ERROR: "[bold red]✗[/]"}
OUTCOMES = {Level.INFO: "ok", Level.OPEN: "open", Level.WARNING: "warning", Level.ERROR: "problem"}


def check(
    *,
    deploy: Annotated[bool, Parameter(negative="", help="Also what only matters in production; a warning then fails.")] = False,
    fail_level: Annotated[
        Literal["error", "warning"] | None, Parameter(help="From which level on it fails. Default: error, and warning with --deploy.")
    ] = None,
    silence: Annotated[Sequence[str], Parameter(help="Id of a finding that is not to count, such as HG.W003; can be repeated.")] = (),
    tag: Annotated[Sequence[str], Parameter(help=f"Only findings of this kind: {', '.join(TAGS)}; can be repeated.")] = (),
    probes: Annotated[bool, Parameter(help="Ask the messaging services too.")] = True,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    place: Place = HERE,
) -> int:
    """Check settings, store, clock, disk, keys, every credential with its identity, webhook secrets, and what differs from the release
    that sends.

    It changes nothing, sends no message, prints no secret, and works beside a running process. Run it with the settings that you are
    about to deploy. Every finding has an id; docs/checks.md lists them all.

    For example:

      heliograph check
      heliograph check --deploy --silence HG.W003 --json

    Exit codes: 0 all is well · 1 a problem, which is told · 2 the command was not understood · 3 nothing wrong was found, but something
    could not be asked.
    """
    quiet()
    unknown = [*(id for id in silence if id not in RULES), *(each for each in tag if each not in TAGS)]
    if unknown:
        err.print(f"There is no finding or tag of that name: {escape(', '.join(unknown))}. See docs/checks.md.")
        return USAGE
    made = [finding for finding in _findings(place, deploy=deploy, probes=probes) if not tag or finding.rule.tag in tag]
    counted = [finding for finding in made if finding.rule.id not in silence]
    failing = Level.WARNING if (fail_level or ("warning" if deploy else "error")) == "warning" else Level.ERROR
    code = _exit_code(counted, failing)
    if json:
        print_json({"ok": code == OK, "exit_code": code, "findings": [_facts(f, silenced=f.rule.id in silence) for f in made]})
    else:
        _tell(counted, silenced=len(made) - len(counted))
    return code


def _exit_code(findings: list[Finding], failing: Level) -> int:
    levels = {finding.rule.level for finding in findings}
    return PROBLEM if max(levels, default=Level.INFO) >= failing else OPEN if Level.OPEN in levels else OK


def _facts(finding: Finding, *, silenced: bool) -> dict[str, object]:
    rule = finding.rule
    return {
        "id": rule.id, "level": rule.level.name.lower(), "tag": rule.tag, "subject": finding.subject, "outcome": OUTCOMES[rule.level],
        "detail": finding.detail, "hint": rule.hint, "silenced": silenced,
    }  # fmt: skip


def _tell(findings: list[Finding], *, silenced: int) -> None:
    hinted: set[str] = set()
    for subject, detail, rule in ((f.subject, f.detail, f.rule) for f in findings):
        id = "" if rule.level is Level.INFO else f" [dim]({rule.id})[/]"
        out.print(f"{MARKS[rule.level]} {escape(subject)}: {escape(detail)}{id}", soft_wrap=True)
        if rule.hint and rule.id not in hinted:
            hinted.add(rule.id)
            out.print(f"    {escape(rule.hint)}", soft_wrap=True)
    if silenced:
        out.print(f"{silenced} findings are silenced.")


def _findings(place: Place, *, deploy: bool, probes: bool) -> list[Finding]:
    try:
        settings = settings_of(place)
    except SettingsError as wrong:
        return [found("HG.E001", "settings", each) for each in wrong.problems]
    findings = [found("HG.I001", "settings")]
    try:
        config = config_of(settings)
    except (BadKey, Fault) as bad:
        return [*findings, found("HG.E030", "master key", str(bad).replace("\n", " "))]
    # A look needs no process of its own to make its calls.
    return findings + asyncio.run(run(settings, replace(config, http_process=False), deploy=deploy, probes=probes))
