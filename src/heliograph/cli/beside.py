"""`heliograph up --beside`: a candidate proves itself beside the process that runs, and takes over, or ends and nothing was stopped."""

import asyncio
import contextlib
import os
import signal
from dataclasses import replace

from heliograph.bootstrap.application import Config
from heliograph.bootstrap.presence import Presence, Present, present
from heliograph.bootstrap.process import Stop, listen
from heliograph.cli.assembly import Process, Roles, assemble
from heliograph.cli.candidacy import LOOK, Candidacy, Refused, facts_of, in_practice, settled, tell
from heliograph.cli.options import OK, OPEN, PROBLEM, say
from heliograph.cli.running import Afterwards, stay
from heliograph.cli.taking_over import take_over
from heliograph.domain import gate
from heliograph.domain.gate import SENDING, Stage
from heliograph.services import releases

#: What a candidate that does not take over ends with: a service manager must not start it again by itself.
NOT_NOW, NEVER = 75, 78


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
        return await take_over(config, roles, how, stop)
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
        tell(how.report, at="ended", code=PROBLEM if refused else OPEN, stays=True, **facts_of(row, refused=refused))


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
        await in_practice(process, how, stop)
        for other in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(other.pid, signal.SIGTERM)
        await settled(process, how, stop)
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
            raise Refused(how, PROBLEM, facts_of(row, refused=True))
        if clock.now() >= until or stop.wanted:
            raise Refused(how, OPEN, facts_of(row or gate.registered(keeper.identity.id), refused=False))
        await clock.sleep(LOOK)
