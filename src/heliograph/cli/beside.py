"""`heliograph up --beside`: a candidate proves itself beside the process that runs, and takes over, or ends and nothing was stopped."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from heliograph.bootstrap.application import Application, Config, WriterElsewhere, look
from heliograph.bootstrap.control import NobodyThere, ask
from heliograph.bootstrap.handover import WARM, Candidate, HandedOver, HandOver, Judged, Leave, Listening, TakeBack, Witness
from heliograph.bootstrap.operations import NotDone
from heliograph.bootstrap.presence import Presence, Present, present
from heliograph.bootstrap.process import Stop, listen
from heliograph.bootstrap.system import SystemClock
from heliograph.cli.assembly import Process, Roles, assemble
from heliograph.cli.handing import Handing
from heliograph.cli.options import OK, OPEN, PROBLEM, say
from heliograph.cli.running import Afterwards, Prepare, stay
from heliograph.cli.standing import sentence
from heliograph.domain.gate import SENDING, Finding, Outcome, Release, Stage
from heliograph.domain.health import Condition
from heliograph.ports.store import Unavailable
from heliograph.services import proving, releases
from heliograph.services.proving import Expected
from heliograph.services.releases import Identity
from heliograph.web.app import create_app
from heliograph.web.vitals import Vitals

#: What a candidate that does not take over ends with: a service manager must not start it again by itself.
NOT_NOW, NEVER = 75, 78
T = TypeVar("T")
#: Seconds between two looks; between two proofs while nobody can tell; how long the former process is kept after the takeover where
#: nothing is sent that would show whether this one can; how long the role may take to become free.
LOOK, AGAIN, WARMTH, TAKING = 0.1, 1.0, 10.0, 5.0


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


async def beside(config: Config, roles: Roles, how: Candidacy) -> int:
    """Take over from the process that runs on this installation, or start as the only one where none does. Returns the exit code."""
    stop = Stop()
    stop.install()
    others = present(config.data)
    if not others:
        listening = listen(how.host, how.port)
        after = Afterwards(how.announce, how.command, lambda process: _told(process, how))
        return await stay(config, replace(roles, web=listening), stop, how.prepare, after)
    tell(how.report, at="started", pid=os.getpid())
    try:
        if config.database:
            return await _on_postgres(config, roles, how, stop, others)
        return await _on_sqlite(config, roles, how, stop)
    except Refused as refused:
        say(str(refused))
        return NOT_NOW if refused.code == OPEN else NEVER


async def _told(process: Process, how: Candidacy) -> None:
    """Tell whoever waits what the gate says; the process goes on serving either way."""
    keeper = process.gatekeeper
    if keeper is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(how.within):
                while not (keeper.may_send or (keeper.judged and keeper.row is not None and keeper.row.stage is Stage.REFUSED)):
                    await process.application.context.clock.sleep(LOOK)
    row = keeper.row if keeper is not None else None
    if row is None or row.stage in SENDING:
        tell(how.report, at="settled", said="admitted: nothing else ran, so it was started.")
    else:
        refused = row.stage is Stage.REFUSED
        tell(how.report, at="ended", code=PROBLEM if refused else OPEN, stays=True, **_facts(row, refused=refused))


def _facts(row: Release, *, refused: bool) -> dict[str, Any]:
    stage = str(row.stage) if refused else "undecided"
    said = sentence(row.id, stage, row.basis, row.subject, row.reason, row.variable)
    return {"release": row.id, "stage": stage, "basis": row.basis, "subject": row.subject, "variable": row.variable, "said": said}


# --- PostgreSQL: both work on the store -----------------------------------------------------------


async def _on_postgres(config: Config, roles: Roles, how: Candidacy, stop: Stop, others: list[Present]) -> int:
    process = await assemble(config, roles, again=True)
    pages, end = await how.prepare(process)
    presence = None
    try:
        await process.work()
        if how.forced:
            keeper = process.gatekeeper
            assert keeper is not None
            await releases.force(process.application.context, keeper.identity.id, reason=how.forced, actor="operator", percent=how.share)
        await _admitted(process, how, stop)
        listening = listen(how.host, how.port, beside=True)
        await process.serve(pages, listening)
        presence = Presence(config.data, how.command)
        how.announce(process)
        tell(how.report, at="listening")
        await _in_practice(process, how, stop)
        for other in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(other.pid, signal.SIGTERM)
        await _settled(process, how, stop)
        return OK
    finally:
        await process.close()
        await end()
        if presence is not None:
            presence.withdraw()


async def _admitted(process: Process, how: Candidacy, stop: Stop) -> None:
    """Wait for the gate. Raises Refused."""
    keeper = process.gatekeeper
    assert keeper is not None
    clock = process.application.context.clock
    until = clock.now() + int(how.within * 1_000_000)
    while True:
        row = keeper.row
        if row is not None and (row.stage is Stage.ADMITTED or (how.forced and row.stage is Stage.SHARING)):
            return
        if row is not None and (row.stage is Stage.FENCED or (row.stage is Stage.REFUSED and keeper.judged)):
            raise Refused(how, PROBLEM, _facts(row, refused=True))
        if clock.now() >= until or stop.wanted:
            raise Refused(how, OPEN, _facts(row or _unknown(keeper.identity.id), refused=False))
        await clock.sleep(LOOK)


def _unknown(id: str) -> Release:
    return Release(id, Stage.UNPROVED, "", "", "", "", "", "", 0, 0, 0, 0, 0)


async def _in_practice(process: Process, how: Candidacy, stop: Stop, watch: Callable[[], Awaitable[None]] | None = None) -> None:
    """Until the first attempts succeed, or long enough where nothing is sent. Raises Refused where it is fenced."""
    keeper = process.gatekeeper
    assert keeper is not None
    clock = process.application.context.clock
    before, until = keeper.accepted, clock.now() + int(WARMTH * 1_000_000)
    while not stop.wanted:
        if watch is not None:
            await watch()
        if keeper.row is not None and keeper.row.stage is Stage.FENCED:
            raise Refused(how, PROBLEM, _facts(keeper.row, refused=True))
        if keeper.accepted > before or (clock.now() >= until and not await _doubtful(process.application)):
            return
        await clock.sleep(LOOK)


async def _doubtful(application: Application) -> bool:
    """Whether a version of a shared credential that this process holds is on hold."""
    mine = {shared.name + "@" + shared.fingerprint for shared in application.context.channels.shared.values()}
    return any(h.subject in mine and h.condition is not Condition.WELL for h in await application.context.store.healths(""))


async def _settled(process: Process, how: Candidacy, stop: Stop) -> None:
    row = process.gatekeeper.row if process.gatekeeper is not None else None
    said = sentence(row.id, "admitted", row.basis, row.subject, row.reason, "") if row is not None else "admitted"
    tell(how.report, at="settled", said=said, release=row.id if row is not None else "")
    process.notify.ready()
    await stop.wait()


# --- SQLite: one writes, and hands over -----------------------------------------------------------


async def _on_sqlite(config: Config, roles: Roles, how: Candidacy, stop: Stop) -> int:
    judged = await _judged(config, how, stop)
    if judged is None:
        tell(how.report, at="settled", said="admitted: it is the release that runs already; nothing was changed.", unchanged=True)
        return OK
    listening = listen(how.host, how.port, beside=True)
    handed = await _ask(config, how, HandOver(judged[0], judged[1].basis, judged[1].subject, how.forced), HandedOver)
    process = await _take(config, roles, how)
    presence = None
    end = None
    try:
        pages, end = await how.prepare(process)
        Handing(process, stop)
        await process.serve(pages, listening)
        await process.work()
        presence = Presence(config.data, how.command)
        how.announce(process)
        await ask(config.data, Listening(), file=WARM)
        tell(how.report, at="listening", calls=handed.calls)
        former = Identity(handed.release, "", "", {}, {})
        try:
            await _in_practice(process, how, stop, lambda: _speak_for(process, config, former))
        except Refused:
            await _hand_back(process, config)
            raise
        with contextlib.suppress(NobodyThere, NotDone):
            await ask(config.data, Leave(), file=WARM)
        await releases.gone(process.application.context, WARM)
        await _settled(process, how, stop)
        return OK
    finally:
        await process.close()
        if end is not None:
            await end()
        if presence is not None:
            presence.withdraw()


async def _judged(config: Config, how: Candidacy, stop: Stop) -> tuple[str, Judged] | None:
    """Prove beside the process that writes until it admits; None where it is this very release. Raises Refused."""
    application = await look(replace(config, http_process=False))
    try:
        identity, clock = application.identity, application.context.clock
        if identity is None:
            raise Refused(how, PROBLEM, {"said": "This code names no release."})
        until = clock.now() + int(how.within * 1_000_000)
        while True:
            proofs = await proving.prove(application.context, Expected(config.installation))
            wanted = Candidate(
                identity.id, identity.code, identity.fingerprint, dict(identity.settings), dict(identity.credentials), proofs
            )  # fmt: skip
            judged = await _ask(config, how, wanted, Judged)
            if judged.same:
                return None
            if judged.finding == Finding.ADMIT or how.forced:
                # What is slow the first time is done before anybody waits for it.
                create_app(application, vitals=Vitals(metrics=_Nothing()))
                return identity.id, judged
            refused = judged.finding == Finding.REFUSE
            if refused or clock.now() >= until or stop.wanted:
                stage = "refused" if refused else "undecided"
                said = sentence(identity.id, stage, judged.basis, judged.subject, judged.reason, judged.variable)
                facts = {"release": identity.id, "stage": stage, "basis": judged.basis, "subject": judged.subject}
                raise Refused(how, PROBLEM if refused else OPEN, {**facts, "variable": judged.variable, "said": said})
            await clock.sleep(AGAIN)
    finally:
        await application.close()


class _Nothing:
    async def render(self, store: Any) -> bytes:
        """Nobody asks."""
        return b""


async def _ask(config: Config, how: Candidacy, wanted: msgspec.Struct, kind: type[T]) -> T:
    """Ask the process that writes. Raises Refused where it does not answer."""
    try:
        async with asyncio.timeout(30):
            return msgspec.convert(await ask(config.data, wanted), kind)
    except (NobodyThere, NotDone, TimeoutError) as silent:
        said = str(silent) or "The process that runs does not answer. Look with: heliograph status"
        raise Refused(how, PROBLEM, {"said": said}) from silent


async def _take(config: Config, roles: Roles, how: Candidacy) -> Process:
    """Take the role that was given up; a command that was quicker has it for a moment only."""
    loop = asyncio.get_running_loop()
    until = loop.time() + TAKING
    while True:
        try:
            return await assemble(config, roles)
        except WriterElsewhere:
            if loop.time() >= until:
                raise
            await SystemClock().sleep(0.01)


async def _speak_for(process: Process, config: Config, former: Identity) -> None:
    """The former process cannot write: note that it runs, and what it proves when that decides whose fault a failure is."""
    context = process.application.context
    with contextlib.suppress(Unavailable, NobodyThere, NotDone, ValueError):
        await releases.beat(context, WARM, former, os.uname().nodename, context.clock.now())
        if await _doubtful(process.application):
            answer = await ask(config.data, Witness(), file=WARM)
            outcomes = msgspec.convert(answer["outcomes"], dict[str, Outcome])
            await releases.keep_outcomes(context, former.id, outcomes)


async def _hand_back(process: Process, config: Config) -> None:
    """Give the role back to the process that had it: this release is fenced."""
    role = process.application.role
    assert role is not None and process.control is not None
    await process.pause(LOOK)
    await releases.gone(process.application.context, WARM)
    await process.control.stop()
    await role.give_up_role()
    await ask(config.data, TakeBack(), file=WARM)
