"""What every candidate has, whatever the store: how it was started, whom it tells, and when it has shown that it can send."""

import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.process import Stop
from heliograph.cli.assembly import Process
from heliograph.cli.options import OPEN, PROBLEM
from heliograph.cli.running import Prepare
from heliograph.cli.standing import sentence
from heliograph.domain import gate
from heliograph.domain.gate import Release, Stage
from heliograph.domain.health import Condition

#: Seconds between two looks; how long the former process is kept after the takeover where nothing is sent that would show whether this
#: one can.
LOOK, WARMTH = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class Candidacy:
    """How a candidate is started. `within`: seconds to be let through. `forced`: a person's reason to pass the gate, "" for none."""

    host: str
    port: int
    within: float
    forced: str
    share: int
    #: Where each step is told, as one JSON object a line; -1 for nowhere.
    report: int
    command: list[str]
    prepare: Prepare
    announce: Callable[[Process], None]


def tell(report: int, **facts: Any) -> None:
    """Say how far it is to whoever started this process, if anybody listens still."""
    if report >= 0:
        with contextlib.suppress(OSError):
            os.write(report, msgspec.json.encode(facts) + b"\n")


class Refused(Exception):
    """The candidate does not take over, and whoever waits is told at once."""

    def __init__(self, how: Candidacy, code: int, facts: dict[str, Any]) -> None:
        super().__init__(facts["said"])
        self.code = code
        tell(how.report, at="ended", code=code, **facts)


def facts_of(row: Release, *, refused: bool) -> dict[str, Any]:
    """How a release stands, for whoever is told."""
    stage = str(row.stage) if refused else "undecided"
    said = sentence(row.id, stage, row.basis, row.subject, row.reason, row.variable)
    return {"release": row.id, "stage": stage, "basis": row.basis, "subject": row.subject, "variable": row.variable, "said": said}


async def in_practice(process: Process, how: Candidacy, stop: Stop, watch: Callable[[], Awaitable[None]] | None = None) -> None:
    """Until first attempts succeed under every shared credential, or long enough where nothing is sent. Raises Refused where it is fenced.

    What an account sends under a key of its own says nothing of the settings that are new.
    """
    keeper = process.gatekeeper
    assert keeper is not None
    clock = process.application.context.clock
    until = clock.now() + int(WARMTH * 1_000_000)
    while True:
        if stop.wanted:
            # Before it has shown anything: who ran before goes on.
            raise Refused(how, OPEN, facts_of(keeper.row or gate.registered(keeper.identity.id), refused=False))
        if watch is not None:
            await watch()
        if keeper.row is not None and keeper.row.stage is Stage.FENCED:
            raise Refused(how, PROBLEM, facts_of(keeper.row, refused=True))
        enough = bool(keeper.accepted) and shared_versions(process.application) <= keeper.accepted
        if (enough or clock.now() >= until) and not await doubtful(process.application):
            return
        await clock.sleep(LOOK)


def shared_versions(application: Application) -> set[str]:
    """The versions of shared credentials that this process holds, as an attempt's event names them."""
    return {f"{shared.name}@{shared.fingerprint}" for shared in application.context.channels.shared.values()}


async def doubtful(application: Application) -> bool:
    """Whether a version of a shared credential that this process holds is on hold."""
    mine = shared_versions(application)
    return any(h.subject in mine and h.condition is not Condition.WELL for h in await application.context.store.healths(""))


async def settled(process: Process, how: Candidacy, stop: Stop) -> None:
    """It has taken over: say so, and run until `stop`."""
    row = process.gatekeeper.row if process.gatekeeper is not None else None
    said = sentence(row.id, "admitted", row.basis, row.subject, row.reason, "") if row is not None else "admitted"
    tell(how.report, at="settled", said=said, release=row.id if row is not None else "")
    process.notify.ready()
    await stop.wait()
