"""`heliograph status`: what waits, what is on hold, and why."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from heliograph.bootstrap.application import Application
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, Place, out, print_json
from heliograph.cli.standing import read_all, sentence
from heliograph.domain.gate import SENDING
from heliograph.domain.health import Condition
from heliograph.domain.reasons import REASONS, Reason
from heliograph.domain.retry import SECOND


@dataclass(frozen=True, slots=True)
class Overview:
    """What the command shows. Ids, codes and numbers only."""

    installation: str
    deliveries: dict[str, int]
    waiting: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    #: Releases of which a process runs, or which may send.
    releases: list[dict[str, Any]]


def status(
    *, json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False, place: Place = HERE
) -> int:
    """Say what waits, what is on hold and why, and how many replies are in which state.

    It only reads, and works beside a running process as well as without one. It shows ids, codes and numbers, no content.

    For example:

      heliograph status
      heliograph status --json | jq .waiting

    Exit codes: 0 shown, whatever it says · 1 the store cannot be read.
    """
    found = looking(place, overview)
    if json:
        print_json({
            "installation": found.installation, "deliveries": found.deliveries, "waiting": found.waiting, "holds": found.holds,
            "releases": found.releases,
        })  # fmt: skip
    else:
        _show(found)
    return OK


async def overview(application: Application) -> Overview:
    """Read it."""
    store, now = application.context.store, application.context.clock.now()
    deliveries: dict[str, int] = {}
    holds = []
    accounts = [account.id for account in await store.accounts()]
    for account in accounts:
        for state, number in (await store.counts(account)).items():
            deliveries[state] = deliveries.get(state, 0) + number
    # "" is the installation: credentials that accounts share.
    for account in ("", *accounts):
        for health in await store.healths(account):
            if health.condition is not Condition.WELL:
                holds.append({
                    "account": account, "kind": health.kind, "subject": health.subject, "condition": str(health.condition),
                    "reason": health.reason, "code": health.code, "operation": health.operation,
                    "seconds": max(0, (now - health.held_since) // SECOND),
                })  # fmt: skip
    waiting = [
        {"account": w.account, "channel": w.channel, "state": w.state, "number": w.number,
         "oldest_seconds": max(0, (now - w.oldest_at) // SECOND)}
        for w in await store.waiting()
    ]  # fmt: skip
    standing = [one.facts() for one in await read_all(application) if one.processes or one.kept.row.stage in SENDING]
    return Overview((await store.installation()).id, deliveries, waiting, holds, standing)


def _show(found: Overview) -> None:
    total = sum(found.deliveries.values())
    states = ", ".join(f"{number} {state}" for state, number in sorted(found.deliveries.items())) or "none yet"
    out.print(f"Installation {found.installation}: {total} deliveries ({states})", soft_wrap=True)
    for one in found.releases:
        runs = f"{len(one['processes'])} running" if one["processes"] else "no process of it runs"
        told = sentence(one["release"], one["stage"], one["basis"], one["subject"], one["reason"], one["variable"])
        out.print(f"Release {told} ({runs})", soft_wrap=True)
    if found.releases and not any(one["stage"] in SENDING and one["processes"] for one in found.releases):
        out.print("[bold]Sending is on hold[/]: no release that runs may send.")
    if not found.waiting:
        out.print("Nothing waits.")
    else:
        table = Table("channel", "state", "number", "oldest", box=None, pad_edge=False)
        for row in found.waiting:
            table.add_row(row["channel"], row["state"], str(row["number"]), _age(row["oldest_seconds"]))
        out.print(table)
    for hold in found.holds:
        why = REASONS[Reason(hold["reason"])] if hold["reason"] else None
        out.print(f"[bold]{hold['condition']}[/]: {hold['kind']} {hold['subject']} for {_age(hold['seconds'])}", soft_wrap=True)
        if why is not None:
            out.print(f"  {why.sentence} {why.remedy}", soft_wrap=True)


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
