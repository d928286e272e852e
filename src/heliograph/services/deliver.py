"""Deliver one claimed message: one call, and its answer written down with all that follows from it."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery, Question
from heliograph.domain.events import ControlRefused, ControlTaken
from heliograph.domain.health import SEND
from heliograph.domain.outcomes import Accepted, Deferred, Refused, SendResult, Unknown
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import Address, Advance, Part
from heliograph.ports.store import Changes, Claimed, Conflict, Fenced, Fold, Loose, Release, Unavailable
from heliograph.services.bulkheads import Call
from heliograph.services.channels import Connected
from heliograph.services.context import ROUNDS, Context
from heliograph.services.holds import Holds, held, hold, prove
from heliograph.services.pacing import UNTOLD
from heliograph.services.parts import load_part
from heliograph.services.relocate import relocate
from heliograph.services.staleness import question_of
from heliograph.services.traffic import Traffic

#: Reasons that make a probe worth while at once.
SUSPICIOUS = frozenset({Reason.PROVIDER_DOWN, Reason.NETWORK, Reason.NO_ANSWER, Reason.BAD_CREDENTIALS, Reason.WRONG_IDENTITY})
HOLDING = frozenset({Effect.HOLD_CREDENTIAL, Effect.HOLD_CHANNEL})
#: Codes of attempts that were recorded and then not made: a hold came in between, or the lease was too short.
NOT_CALLED = frozenset({"not_started", "late_start", decide.KEY_EXPIRED, *Question})
#: Microseconds for which a claim, or a look, vouches for the channel: another process may have put it on hold since.
FRESH = 50_000
#: Seconds between the end of an attempt's last call and the end of its lease.
MARGIN = 2.0
#: Share of a lease, less the margin, that an attempt's calls get at most: the rest is for what comes before them.
SHARE = 0.8


class Delivering:
    """Delivers claimed messages for one worker; `worker` is the name under which it claims."""

    def __init__(
        self, context: Context, holds: Holds, *, worker: str, lease: int, goes_on: Callable[[], bool], traffic: Traffic | None = None
    ) -> None:
        self._context = context
        self._traffic = traffic or Traffic(1)
        self._holds = holds
        self._worker = worker
        self._lease = lease
        self._goes_on = goes_on
        #: When a channel, with a version of its credential, was last looked up and found not to be on hold.
        self._seen_well: dict[tuple[str, str], int] = {}

    async def deliver(self, claimed: Claimed, *, mark: int, call: Call | None = None) -> None:
        """See the module. `mark` is that of the holds before the claim. While nobody else waits, the lane goes on.

        Whoever has counted the `call` already ends it too.

        Never raises for what a provider, a channel's settings or the store do.
        """
        if call is None:
            [call] = self._traffic.begin([claimed], self._context.clock.now())
            try:
                await self.deliver(claimed, mark=mark, call=call)
            finally:
                self._traffic.end(call)
            return
        following: Claimed | None = claimed
        while following is not None:
            before, mark = mark, self._holds.mark()
            following = await self._deliver(following, before, call)
            if following is not None:
                self._traffic.again(call, following.delivery.started_at)

    async def _deliver(self, claimed: Claimed, mark: int, call: Call) -> Claimed | None:
        context = self._context
        await context.failpoint("deliver:after_claim")
        delivery = claimed.delivery
        connected = await context.channels.get(delivery.account, delivery.channel, fingerprint=claimed.fingerprint)
        if connected is None:
            # A claim joins channel and credential, so both were there a moment ago: the lease runs out and the sweeper takes over.
            return None
        self._traffic.know(connected, call, delivery.started_at)
        result = await self._call(claimed, connected, mark)
        if isinstance(result, Accepted) or result.code not in NOT_CALLED:
            self._traffic.answered(call, connected, claimed.lane, result, context.clock.now())
        await context.failpoint("deliver:before_record")
        following = await self._record(claimed, connected, result)
        await context.failpoint("deliver:after_record")
        return following

    async def _call(self, claimed: Claimed, connected: Connected, mark: int) -> SendResult:
        context = self._context
        delivery = claimed.delivery
        try:
            part = load_part(claimed.payload)
            if part.media is not None:
                part = await self._with_file(connected, part)
        except (ValueError, KeyError):
            return Refused(Reason.UNSUPPORTED, "content_gone")
        if part.media is not None and part.data is None and not part.url:
            # It was there when the reply was taken: a setting has gone missing, which is not the reply's fault.
            return Refused(Reason.NOT_PERMITTED, "no_public_url")
        to = Address(claimed.address, claimed.contact)
        if claimed.control == "other":
            await self._take_control(claimed, connected, to, mark)
        await context.failpoint("deliver:before_call")
        if await self._on_hold(claimed, connected, mark):
            return Deferred(Reason.BAD_CREDENTIALS, after=0.0, code="not_started")
        if self._left(claimed) < self._longest(connected):
            return Deferred(Reason.NETWORK, after=0.0, code="late_start")
        started = context.clock.now()
        if (question := await question_of(context, delivery, connected)) is not None:
            return Deferred(Reason.STALE, code=question)
        if delivery.doubt_since:
            policy = await context.policies.of(delivery, connected)
            if decide.key_expired(delivery, policy, now=started + int(connected.spec.timeout * SECOND)):
                return Deferred(Reason.NO_ANSWER, code=decide.KEY_EXPIRED)
        result = await self._send(claimed, connected, to, part)
        await context.failpoint("deliver:after_call")
        reason = "" if isinstance(result, Accepted) else result.reason
        context.observe(
            "attempt_concluded",
            {
                "provider": connected.spec.name, "channel": delivery.channel, "delivery": delivery.id, "attempt": delivery.attempt,
                "outcome": type(result).__name__.lower(), "reason": reason, "code": getattr(result, "code", ""),
                "seconds": (context.clock.now() - started) / SECOND,
            },
        )  # fmt: skip
        return result

    def _left(self, claimed: Claimed) -> float:
        """Seconds until whatever was begun under this claim must have ended."""
        return (claimed.lease_until - self._context.clock.now()) / SECOND - MARGIN

    def _longest(self, connected: Connected) -> float:
        """Seconds that the calls of one attempt may need together: what the provider says, or less where leases are short."""
        return min(connected.spec.timeout, (self._lease / SECOND - MARGIN) * SHARE)

    async def _send(self, claimed: Claimed, connected: Connected, to: Address, part: Part) -> SendResult:
        """All calls of the attempt under one deadline. Each has its own as well, whose answer says more about what has happened."""
        deadline = asyncio.timeout(self._left(claimed))
        try:
            async with deadline:
                result: SendResult = await connected.provider.send(to, part, claimed.delivery.key)
            return result
        except asyncio.CancelledError:
            raise
        except Exception as bug:
            if deadline.expired():
                return Unknown(Reason.NO_ANSWER, "lease_deadline")
            # A provider that raises is a fault of ours, and says nothing about whether the message left.
            self._context.observe("provider_bug", {"provider": connected.spec.name, "error": type(bug).__name__})
            return Unknown(Reason.OTHER, "provider_bug")

    async def _with_file(self, connected: Connected, part: Part) -> Part:
        """With the file's bytes, or with its address where the provider fetches it itself. Raises KeyError."""
        media = part.media
        if media is None or media.file is None:
            return part
        if "file_urls" not in connected.spec.capabilities:
            return replace(part, data=await self._context.files.get(media.file))
        return replace(part, url=self._context.channels.addresses.file(media, now=self._context.clock.now()))

    async def _on_hold(self, claimed: Claimed, connected: Connected, mark: int) -> bool:
        """Whether a hold came between the claim and now, recorded by this process or, if that is a while ago, by any."""
        if self._holds.covers(connected, since=mark):
            return True
        now, subject = self._context.clock.now(), (claimed.delivery.channel, connected.version)
        if now - max(claimed.delivery.started_at, self._seen_well.get(subject, 0)) <= FRESH:
            return False
        try:
            stopped = await held(self._context.store, connected)
        except Unavailable:
            return True
        if not stopped:
            self._seen_well[subject] = now
        return stopped or self._holds.covers(connected, since=mark)

    async def _take_control(self, claimed: Claimed, connected: Connected, to: Address, mark: int) -> None:
        """Before answering, so that no bot answers beside the agent. A refusal is noted and does not keep the reply."""
        if "control" not in connected.spec.capabilities or await self._on_hold(claimed, connected, mark):
            return
        result: SendResult
        try:
            # It must leave the message its time, or a slow answer would keep it from ever being sent.
            async with asyncio.timeout((self._left(claimed) - self._longest(connected)) / 2):
                result = await connected.provider.take_control(to)
        except TimeoutError:
            result = Unknown(Reason.NO_ANSWER, "lease_deadline")
        changes = Changes(claimed.delivery.account, self._context.clock.now())
        if isinstance(result, Accepted):
            changes.puts.append(rows.SetControl(claimed.delivery.account, claimed.lane, "ours"))
            changes.loose.append(Loose("ticket", claimed.delivery.ticket, ControlTaken(), claimed.delivery.channel))
        else:
            refused = ControlRefused(result.reason, result.code)
            changes.loose.append(Loose("ticket", claimed.delivery.ticket, refused, claimed.delivery.channel))
        with contextlib.suppress(Unavailable):
            await self._context.store.commit(changes)

    async def _record(self, claimed: Claimed, connected: Connected, result: SendResult) -> Claimed | None:
        """Write the answer down. If it is the channel's fault, no other call starts on it meanwhile. Returns what follows in the lane."""
        if isinstance(result, Accepted) or not self._is_the_channels(claimed, result):
            return await self._until_written(claimed, connected, result)
        with self._holds.coming(connected, result.reason):
            return await self._until_written(claimed, connected, result)

    async def _until_written(self, claimed: Claimed, connected: Connected, result: SendResult) -> Claimed | None:
        """The store's trouble does not lose it: it is tried until it is written or no longer ours."""
        pause = 0.05
        delivery = claimed.delivery
        rounds = 0
        late = False
        while True:
            try:
                if late:
                    await self._record_late(claimed, result)
                    return None
                if rounds:
                    delivery = await self._context.store.delivery(claimed.delivery.account, claimed.delivery.id) or delivery
                return await self._write(claimed, delivery, connected, result)
            except Fenced:
                late = True
            except Conflict:
                # An echo or a receipt came in between, or the same fault was noticed by another call.
                rounds += 1
                if rounds > ROUNDS:
                    raise
            except Unavailable:
                await self._context.clock.sleep(pause)
                pause = min(pause * 2, 1.0)

    async def _write(self, claimed: Claimed, delivery: Delivery, connected: Connected, result: SendResult) -> Claimed | None:
        context = self._context
        now = context.clock.now()
        changes = Changes(delivery.account, now, credential=f"{claimed.credential}@{claimed.fingerprint}")
        policy = await self._context.policies.of(delivery, connected)
        changes.folds.append(Fold(delivery, decide.conclude(delivery, result, policy, now=now, jitter=context.rng.jitter())))
        pause = int(connected.spec.pause * SECOND) if connected.spec.advance is Advance.AFTER_PAUSE else 0
        not_before = max(now + pause if pause else 0, self._traffic.not_before(claimed, connected))
        changes.releases.append(Release(claimed.lane, self._worker, claimed.fence, not_before))
        await self._consequences(claimed, connected, result, changes, now=now)
        following = None
        if isinstance(result, Accepted) and self._goes_on() and self._traffic.may_go_on(delivery.account, delivery.channel):
            following = await context.store.commit_and_claim(changes, worker=self._worker, lease_until=now + self._lease)
        else:
            await context.store.commit(changes)
        context.breaker.concluded(delivery, result)
        if not isinstance(result, Accepted) and result.reason in SUSPICIOUS:
            context.suspect(delivery.account, delivery.channel)
        return following

    async def _consequences(self, claimed: Claimed, connected: Connected, result: SendResult, changes: Changes, *, now: int) -> None:
        """What an answer means beyond its own message: for the credential, the channel and the conversation."""
        store = self._context.store
        if isinstance(result, Accepted) and result.rest > 0:
            changes.puts.append(rows.Throttle(changes.account, connected.channel.id, now + int(result.rest * SECOND)))
        if isinstance(result, Deferred) and result.readdress:
            await relocate(store, changes, connected.channel.id, claimed.address, result.readdress)
        elif isinstance(result, Deferred) and result.reason is Reason.RATE_LIMITED:
            if not (result.lane or self._traffic.speaks_of_lane(claimed.lane)):
                until = now + int((result.after if result.after is not None else UNTOLD) * SECOND)
                changes.puts.append(rows.Throttle(changes.account, connected.channel.id, until))
        elif not isinstance(result, Accepted) and self._is_the_channels(claimed, result):
            await hold(store, changes, connected, result.reason, result.code, SEND, now=now)
        elif claimed.trial and _got_through(result):
            await prove(store, changes, connected, now=now)

    def _is_the_channels(self, claimed: Claimed, result: Refused | Deferred | Unknown) -> bool:
        """Whether this answer, by itself or after others like it, means that sending does not work on the channel."""
        if result.code in NOT_CALLED:
            return False
        if isinstance(result, Refused) and REASONS[result.reason].effect in HOLDING:
            return True
        if isinstance(result, Refused):
            return False
        # The others of its kind may get through: whoever sends on a share is fenced for that, and no channel is held.
        failing = self._context.breaker.would_open(claimed.delivery, result) and self._context.trusted()
        return bool(claimed.trial) or failing

    async def _record_late(self, claimed: Claimed, result: SendResult) -> None:
        """The lease was lost. An acceptance is still proof, whoever brings it; anything else says nothing any more."""
        context = self._context
        for _ in range(ROUNDS):
            delivery = await context.store.delivery(claimed.delivery.account, claimed.delivery.id)
            if delivery is None:
                return
            events = decide.late_answer(delivery, claimed.delivery.attempt, result)
            if not events:
                return
            changes = Changes(delivery.account, context.clock.now(), credential=f"{claimed.credential}@{claimed.fingerprint}")
            changes.folds.append(Fold(delivery, events))
            try:
                await context.store.commit(changes)
                return
            except Conflict:
                continue


def _got_through(result: SendResult) -> bool:
    """Accepted, or refused for the message's own fault: either way the channel works."""
    return isinstance(result, Accepted) or (isinstance(result, Refused) and REASONS[result.reason].effect is Effect.FAIL)
