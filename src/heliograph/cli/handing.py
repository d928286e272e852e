"""The process that works on a SQLite store, when a candidate wants to take over: judge it, hand the role over, stay warm, take it back."""

import asyncio
from typing import Any

import msgspec

from heliograph.bootstrap.application import WriterElsewhere
from heliograph.bootstrap.control import FILE
from heliograph.bootstrap.handover import WARM, Candidate, HandedOver, HandOver, Judged, Leave, Listening, TakeBack, Witness
from heliograph.bootstrap.operations import Answer, NotDone
from heliograph.bootstrap.process import Stop
from heliograph.cli.assembly import Process
from heliograph.domain import gate
from heliograph.domain.gate import Basis, Finding, Stage, Verdict
from heliograph.services import proving, releases
from heliograph.services.proving import Expected
from heliograph.services.releases import Identity

#: Seconds that calls under way get before the role is given up.
CALLS = 0.7
#: Seconds after which a role that nobody has taken is taken back, and between two looks.
ABANDONED, LOOK = 5.0, 0.25


class Handing:
    """One per process; answers a candidate's questions for as long as it runs."""

    def __init__(self, process: Process, stop: Stop) -> None:
        self._process = process
        self._stop = stop
        self._context = process.application.context
        self._successor = ""
        self._warm: asyncio.Task[None] | None = None
        if process.control is not None and process.application.identity is not None:
            process.control.more = {
                Candidate: self._judge, HandOver: self._hand_over, Listening: self._listening, Witness: self._witness,
                TakeBack: self._take_back, Leave: self._leave,
            }  # fmt: skip

    @property
    def _own(self) -> Identity:
        identity = self._process.application.identity
        assert identity is not None
        return identity

    async def _prove(self) -> list[gate.Proof]:
        return await proving.prove(self._context, Expected(self._process.application.config.installation))

    async def _judge(self, wanted: Candidate) -> Answer:
        """Beside what this process proves at the same moment. Admission is written with the handover; everything else at once."""
        if wanted.id == self._own.id:
            return _told(Judged(Finding.ADMIT, same=True))
        context = self._context
        identity = Identity(wanted.id, wanted.code, wanted.fingerprint, wanted.settings, wanted.credentials)
        row = await releases.register(context, identity)
        await releases.keep_proofs(context, wanted.id, wanted.proofs)
        mine = await self._prove()
        await releases.keep_proofs(context, self._own.id, mine)
        if row.stage is Stage.FENCED:
            return _told(Judged(Finding.REFUSE, row.basis, row.subject, row.reason, row.variable))
        own, _ = await releases.read(context.store, self._own.id)
        trusted = own is not None and own.row.stage in releases.TRUSTED
        witness = {proof.subject: proof.outcome for proof in mine} if trusted else None
        verdict = gate.judge(wanted.proofs, witness, known=row.stage is Stage.RETIRED)
        if verdict.finding is not Finding.ADMIT:
            row = await releases.conclude(context, wanted.id, verdict)
        return _told(Judged(verdict.finding, verdict.basis, verdict.subject, verdict.reason, row.variable))

    async def _hand_over(self, wanted: HandOver) -> Answer:
        """Finish what is under way, write who goes on, and leave the writing to it."""
        role = self._process.application.role
        if role is None or self._warm is not None:
            raise NotDone("The writer role is not this process's to give.")
        calls = await self._process.pause(CALLS)
        try:
            if wanted.forced:
                await releases.force(self._context, wanted.id, reason=wanted.forced, actor="operator")
            else:
                await releases.conclude(self._context, wanted.id, Verdict(Finding.ADMIT, wanted.basis, wanted.subject))
            await proving.note_key(self._context)
            await role.give_up_role()
        except BaseException:
            await self._process.resume()
            raise
        self._process.vitals.draining = True
        self._successor = wanted.id
        assert self._process.control is not None
        self._process.control.move(WARM)
        self._warm = asyncio.create_task(self._keep_warm(), name="warm")
        return _told(HandedOver(self._own.id, calls))

    async def _listening(self, wanted: Listening) -> Answer:
        if self._warm is not None:
            await self._process.stop_serving()
        return {}

    async def _witness(self, wanted: Witness) -> Answer:
        return {"outcomes": {proof.subject: str(proof.outcome) for proof in await self._prove()}}

    async def _leave(self, wanted: Leave) -> Answer:
        self._cool()
        self._stop.request()
        return {}

    async def _take_back(self, wanted: TakeBack) -> Answer:
        self._cool()
        await self._work_again()
        return {}

    def _cool(self) -> None:
        if self._warm is not None:
            self._warm.cancel()
            self._warm = None

    async def _keep_warm(self) -> None:
        """Take the role back if the one that took it is gone before it has shown that it can send."""
        clock = self._context.clock
        await clock.sleep(ABANDONED)
        while True:
            try:
                await self._work_again()
            except WriterElsewhere:
                await clock.sleep(LOOK)
            else:
                self._warm = None
                return

    async def _work_again(self) -> None:
        """Raises WriterElsewhere while another process holds the role."""
        role, context = self._process.application.role, self._context
        assert role is not None and self._process.control is not None
        role.take_role(now=context.clock.now())
        gone, _ = await releases.read(context.store, self._successor)
        if gone is not None and gone.row.stage in gate.SENDING:
            await releases.fence(context, self._successor, self._own.id, basis=Basis.GONE)
        self._process.vitals.draining = False
        self._process.control.move(FILE)
        await self._process.resume()
        await self._process.serve_again()


def _told(answer: msgspec.Struct) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(answer)
    return told
