"""A candidate on a SQLite store: judged by the process that writes, it has the writer role handed over, or back where it fails."""

import asyncio
import contextlib
import os
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from heliograph.bootstrap.application import Config, WriterElsewhere, look
from heliograph.bootstrap.control import NobodyThere, ask
from heliograph.bootstrap.handover import WARM, Candidate, HandedOver, HandOver, Judged, Leave, Listening, TakeBack, Witness
from heliograph.bootstrap.operations import NotDone
from heliograph.bootstrap.presence import Presence
from heliograph.bootstrap.process import Stop, listen
from heliograph.bootstrap.system import SystemClock
from heliograph.cli.assembly import Process, Roles, assemble
from heliograph.cli.candidacy import LOOK, Candidacy, Refused, doubtful, in_practice, settled, tell
from heliograph.cli.handing import Handing
from heliograph.cli.options import OK, OPEN, PROBLEM
from heliograph.cli.standing import sentence
from heliograph.domain.gate import Finding, Outcome
from heliograph.ports.store import Unavailable
from heliograph.services import proving, releases
from heliograph.services.proving import Expected
from heliograph.services.releases import Identity
from heliograph.web.app import create_app
from heliograph.web.vitals import Vitals

T = TypeVar("T")
#: Seconds between two proofs while nobody can tell, and that the role may take to become free.
AGAIN, TAKING = 1.0, 5.0


async def take_over(config: Config, roles: Roles, how: Candidacy, stop: Stop) -> int:
    """Prove, take the role, send; returns the exit code once it is stopped. Raises Refused."""
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
            await in_practice(process, how, stop, lambda: _speak_for(process, config, former))
        except Refused:
            await _hand_back(process, config)
            raise
        with contextlib.suppress(NobodyThere, NotDone):
            await ask(config.data, Leave(), file=WARM)
        await releases.gone(process.application.context, WARM)
        await settled(process, how, stop)
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
        if await doubtful(process.application):
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
