"""Paces the gate of one process: it registers, proves itself until it may send, stands witness for others, and sees bad ones fenced."""

import asyncio
from collections.abc import Awaitable, Callable

from heliograph.domain import events as ev, gate
from heliograph.domain.detectors.attribution import Verdict
from heliograph.domain.gate import Basis, Finding, Outcome, Release, Stage
from heliograph.domain.health import Condition
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.domain.retry import SECOND
from heliograph.ports.store import Changes, Conflict, Unavailable
from heliograph.services import detection, proving, releases
from heliograph.services.context import Context
from heliograph.services.proving import Expected
from heliograph.services.releases import Identity, Kept

#: Seconds between rounds, and between proofs of a release that was refused.
ROUND, AGAIN = 0.25, 5.0
#: The share of lanes, of 100, on which a proved release is tried beside the running one, and for how long at most.
SHARE, TRIAL = 10, 20 * SECOND
#: First attempts in a row that prove a release in practice (sequential test: 2 % against 50 %, errors of 1 in 1,000).
ENOUGH = 11


FAILURES = (ev.AttemptRefused, ev.AttemptDeferred, ev.AttemptUnknown)
#: What a fault of the release looks like; a contact who has blocked us, or a throttle, says nothing about it.
SUSPECT = frozenset({Effect.HOLD_CREDENTIAL, Effect.HOLD_CHANNEL, Effect.SPEND})


class Gatekeeper:
    """One per process. `shares`: whether two releases can work at the same time, which only PostgreSQL can.

    `again`: this process was started to take over, also where its release has retired before.
    """

    def __init__(
        self,
        context: Context,
        identity: Identity,
        expected: Expected,
        *,
        process: str,
        host: str,
        shares: bool,
        again: bool = False,
        admitted: Callable[[], None] = lambda: None,
    ) -> None:
        self._context = context
        self.identity = identity
        self._expected = expected
        self._process = process
        self._host = host
        self._shares = shares
        self._again = again
        #: Called when this process may send from now on.
        self._admitted = admitted
        self._started_at = context.clock.now()
        self._look_again = False
        self._beaten_at = self._proved_at = self._shared_at = 0
        #: First attempts of this process in a row that were accepted, and those that failed for a fault that may be the release's.
        self._succeeded = self._failed = 0
        #: Whether the gate has said something about what this process proved.
        self.judged = False
        #: Versions of credentials under which a first attempt of this process was accepted.
        self.accepted: set[str] = set()
        context.trusted = lambda: self.row is not None and self.row.stage is Stage.ADMITTED
        #: The row as it was last seen; None until the store has answered.
        self.row: Release | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def may_send(self) -> bool:
        """Whether this process's release is let through."""
        return self.row is not None and self.row.stage in gate.SENDING

    def start(self) -> None:
        """Begin on the running event loop, also after a stop."""
        self._beaten_at = 0
        self._task = asyncio.create_task(self._run(), name="gatekeeper")

    async def stop(self) -> None:
        """End, and say that this process is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._guarded(lambda: releases.gone(self._context, self._process))

    def noticed(self, changes: Changes) -> None:
        """An act of this process was committed: count what became of first attempts."""
        for fold in changes.folds:
            for event in fold.events:
                if isinstance(event, ev.AttemptAccepted) and event.attempt == 1:
                    self._succeeded += 1
                    self.accepted.add(changes.credential)
                elif isinstance(event, FAILURES) and event.attempt == 1 and REASONS[event.reason].effect in SUSPECT:
                    self._succeeded, self._failed = 0, self._failed + 1

    async def register(self) -> None:
        """Have the store know of this release, before its first claim; waits until the store can write."""
        while not await self._guarded(self._register):
            await self._context.clock.sleep(ROUND)

    async def _run(self) -> None:
        while True:
            await self._guarded(self.round)
            await self._context.clock.sleep(ROUND)

    async def _guarded(self, once: Callable[[], Awaitable[object]]) -> bool:
        try:
            await once()
        except (Unavailable, Conflict) as passing:
            self._context.observe("round_failed", {"error": type(passing).__name__})
        except Exception as bug:
            self._context.observe("round_bug", {"error": type(bug).__name__})
        else:
            return True
        return False

    async def _register(self) -> None:
        self._see(await releases.register(self._context, self.identity))

    def _see(self, row: Release) -> None:
        could, trusted = self.may_send, self._context.trusted()
        self.row = row
        if self._context.trusted() and not trusted:
            # What was seen before had no say.
            self._look_again = True
        if self.may_send and not could:
            self._admitted()

    async def round(self) -> None:
        """What is to be done now; safe to repeat."""
        context, now = self._context, self._context.clock.now()
        if now - self._beaten_at >= releases.BEAT:
            await releases.beat(context, self._process, self.identity, self._host, self._started_at)
            self._beaten_at = now
        kept, _ = await releases.read(context.store, self.identity.id)
        if kept is None:
            return
        self._see(kept.row)
        if kept.row.stage is Stage.SHARING:
            await self._try_in_practice(kept)
        elif kept.row.stage not in (Stage.ADMITTED, Stage.FENCED):
            await self._ask_to_be_admitted(kept)
        if kept.row.stage in releases.TRUSTED:
            await self._stand_witness()
        if self._look_again:
            for channel in await context.store.all_channels():
                if channel.enabled:
                    context.suspect(channel.account, channel.id)
            self._look_again = False
        if kept.row.stage is Stage.ADMITTED:
            await self._take_back()
            await self._compare_attempts()
        await self._fence_the_bad()

    # --- to be admitted ---------------------------------------------------------------------------

    async def _ask_to_be_admitted(self, kept: Kept) -> None:
        context, now = self._context, self._context.clock.now()
        pause = AGAIN if kept.row.stage in (Stage.REFUSED, Stage.RETIRED) else 0.0
        witness = await releases.witness_of(context.store, self.identity.id, now)
        known = kept.row.stage is Stage.RETIRED
        if known and self._again and witness is not None:
            # It sent here once, and is asked to do so again: the one that sends now is its witness.
            known, pause = False, 0.0
        sends = witness is not None and witness.row.stage in gate.SENDING
        if (known and sends) or now - self._proved_at < pause * SECOND:
            return
        proofs = await (proving.prove_local if known else proving.prove)(context, self._expected)
        await releases.keep_proofs(context, self.identity.id, proofs)
        self._proved_at = context.clock.now()
        others = None
        if witness is not None:
            others = await self._answer_of(witness.row.id, since=now)
            if others is None:
                # It runs and does not answer: the next round asks again, or finds that it is gone.
                return
        verdict = gate.judge(proofs, others, known=known)
        if self._shares and witness is not None and (verdict.finding, verdict.basis) == (Finding.ADMIT, Basis.PROVED):
            self._see(await releases.share(context, self.identity.id, witness.row.id, SHARE))
            self._shared_at = context.clock.now()
            return
        self._see(await releases.conclude(context, self.identity.id, verdict))
        self.judged = True
        if self.may_send:
            await proving.note_key(context)

    async def _answer_of(self, witness: str, *, since: int) -> dict[str, Outcome] | None:
        """What the witness proves now."""
        deadline = self._context.clock.now() + 5 * SECOND
        while self._context.clock.now() < deadline:
            proved = await releases.proved(self._context.store, witness)
            if proved is not None and proved.at >= since:
                return proved.outcomes
            await self._context.clock.sleep(0.05)
        return None

    async def _try_in_practice(self, kept: Kept) -> None:
        """The sequential test on the share of lanes; where too little is sent to tell, the proofs decide."""
        now = self._context.clock.now()
        self._shared_at = self._shared_at or now
        if self._succeeded >= ENOUGH or (now - self._shared_at >= TRIAL and not self._failed):
            verdict = gate.Verdict(Finding.ADMIT, Basis.PROVED)
            self._see(await releases.conclude(self._context, self.identity.id, verdict))
            await proving.note_key(self._context)

    # --- for others -------------------------------------------------------------------------------

    async def _stand_witness(self) -> None:
        """Prove again as soon as somebody needs to compare: a release that asks, or a version that was found bad."""
        context = self._context
        mine = await releases.proved(context.store, self.identity.id)
        at = mine.at if mine is not None else 0
        alive = await releases.running(context.store, context.clock.now())
        asked = [held.held_since for held in await context.store.healths("") if held.condition is not Condition.WELL]
        for kept in await releases.releases(context.store):
            # One that has retired asks too where it is deployed once more; only the one that sends answers it.
            retired = kept.row.stage is Stage.RETIRED and self.row is not None and self.row.stage is Stage.ADMITTED
            if kept.row.id in alive and kept.row.id != self.identity.id and (retired or kept.row.stage not in releases.TRUSTED):
                proved = await releases.proved(context.store, kept.row.id)
                asked.append(proved.at if proved is not None else 0)
        if max(asked, default=0) > at:
            await releases.keep_proofs(context, self.identity.id, await proving.prove(context, self._expected))

    async def _take_back(self) -> None:
        """What a release on trial was given, and died with."""
        context = self._context
        alive = await releases.running(context.store, context.clock.now())
        for kept in await releases.releases(context.store):
            if kept.row.stage is Stage.SHARING and kept.row.id not in alive:
                await releases.fence(context, kept.row.id, self.identity.id, basis=Basis.GONE)

    async def _compare_attempts(self) -> None:
        """Fence a release on a share of the lanes whose attempts fail where this one's succeed, whatever its probes say."""
        context = self._context
        for kept in await releases.releases(context.store):
            if kept.row.stage is not Stage.SHARING:
                continue
            found = await detection.compare(context.store, kept.row.id)
            if found.attribution.verdict is Verdict.RELEASE and found.other == self.identity.id:
                evidence = releases.Evidence(
                    found.mine.failed, found.mine.succeeded, found.others.failed, found.others.succeeded, found.attribution.likelihood
                )
                await releases.fence(context, kept.row.id, self.identity.id, basis=Basis.ATTEMPTS, evidence=evidence)

    async def _fence_the_bad(self) -> None:
        """A version of a shared credential that is on hold while a release that runs holds one that passes: its release is at fault."""
        context = self._context
        held = [h for h in await context.store.healths("") if h.condition is not Condition.WELL and _speaks_of_credentials(h.reason)]
        if not held:
            return
        all_releases = await releases.releases(context.store)
        alive = await releases.running(context.store, context.clock.now())
        for health in held:
            name, _, fingerprint = health.subject.partition("@")
            holding = [k.row for k in all_releases if k.row.stage in gate.SENDING and k.credentials.get(name) == fingerprint]
            bad = [row.id for row in holding if not row.forced_at or await releases.sent_in_vain(context.store, health, row.forced_at)]
            if health.condition is Condition.HELD and self.identity.id in {row.id for row in holding} - set(bad):
                await releases.set_probe_aside(context, health)
                self._admitted()
            good = [k for k in all_releases if k.row.stage in releases.TRUSTED and k.row.id in alive and k.row.id not in bad]
            for other in sorted(good, key=lambda k: -k.row.admitted_at) if bad else []:
                proved = await releases.proved(context.store, other.row.id)
                if proved is not None and proved.at > health.held_since and proved.outcomes.get(name) is Outcome.VALID:
                    for id in bad:
                        await releases.fence(context, id, other.row.id, basis=Basis.WITNESS_PASSES, subject=name, reason=health.reason)
                    break


def _speaks_of_credentials(reason: str) -> bool:
    return REASONS[Reason(reason)].effect is Effect.HOLD_CREDENTIAL
