"""Put a channel or credential version on hold and take it off again, beside whatever else an act writes."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from heliograph.domain import events as ev, health as rules
from heliograph.domain.health import Condition, Health
from heliograph.domain.outcomes import CheckResult
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.ports.store import Changes, Fold, Probe, Store
from heliograph.services.channels import Connected

STARTS = (ev.HoldStarted, ev.HoldProlonged, ev.TrialPassed)


class Holds:
    """Which holds this process recorded, so that a call which is about to start can still be stopped.

    The store's claim is what keeps held lanes waiting; this covers the moment between a claim and its call. It says nothing about
    later claims: the hold may have been ended since, and by another process.
    """

    def __init__(self) -> None:
        self._noticed = 0
        self._started: dict[tuple[str, str], int] = {}
        self._coming: Counter[tuple[str, str]] = Counter()

    def mark(self) -> int:
        """To be taken before a claim: what is noticed later, the claim may not have seen."""
        return self._noticed

    def noticed(self, changes: Changes) -> None:
        """An act of this process was committed."""
        for fold in changes.folds:
            if isinstance(fold.row, Health) and any(isinstance(event, STARTS) for event in fold.events):
                self._noticed += 1
                self._started[(fold.row.kind, fold.row.subject)] = self._noticed

    @contextmanager
    def coming(self, connected: Connected, reason: Reason) -> Iterator[None]:
        """While a hold is being written down, which can take a busy store longer than a call may still start."""
        kind = kind_for(reason)
        key = (kind, connected.channel.id if kind == "channel" else connected.version)
        self._coming[key] += 1
        try:
            yield
        finally:
            self._coming[key] -= 1
            if not self._coming[key]:
                del self._coming[key]

    def covers(self, connected: Connected, *, since: int) -> bool:
        """Whether a hold on this channel or credential version began after the mark `since`, or is being written down."""
        if since == self._noticed and not self._coming:
            return False
        channel, credential = ("channel", connected.channel.id), ("credential", connected.version)
        if channel in self._coming or credential in self._coming:
            return True
        return max(self._started.get(channel, 0), self._started.get(credential, 0)) > since


async def held(store: Store, connected: Connected) -> bool:
    """Whether the store has the channel or its credential version on hold now, whoever recorded it."""
    return any([(await read(store, connected, kind)).condition is Condition.HELD for kind in ("channel", "credential")])


async def read(store: Store, connected: Connected, kind: str) -> Health:
    """The health row of the channel, or of the credential version it uses."""
    subject = connected.channel.id if kind == "channel" else connected.version
    account = connected.channel.account if kind == "channel" else connected.holder
    return await store.health(account, kind, subject) or rules.well(account, kind, subject)


def kind_for(reason: Reason) -> str:
    """Whether a reason speaks about the credential version or about the channel."""
    return "credential" if REASONS[reason].effect is Effect.HOLD_CREDENTIAL else "channel"


async def hold(store: Store, changes: Changes, connected: Connected, reason: Reason, code: str, operation: str, *, now: int) -> bool:
    """Add the hold that `reason` calls for to `changes`. Returns whether there is anything new."""
    health = await read(store, connected, kind_for(reason))
    events = rules.hold(health, reason, code, operation, now=now)
    if events:
        changes.folds.append(Fold(health, events))
    return bool(events)


async def prove(store: Store, changes: Changes, connected: Connected, *, now: int) -> None:
    """A send got through: end what hold or trial there is."""
    for kind in ("channel", "credential"):
        health = await read(store, connected, kind)
        events = rules.proved(health, now=now)
        if events:
            changes.folds.append(Fold(health, events))


async def probed(
    store: Store, changes: Changes, connected: Connected, result: CheckResult, *, now: int, trusted: bool = True
) -> list[Condition]:
    """Add to `changes` what a probe's answer means for channel and credential. Returns their conditions before.

    One by a release that is not `trusted` speaks about nothing but its own version of a shared credential.
    """
    before = []
    for kind in ("credential", "channel") if trusted else ("credential",) if connected.credential.shared else ():
        health = await read(store, connected, kind)
        before.append(health.condition)
        if not _speaks_about(kind, health, result):
            continue
        events, schedule = rules.probed(health, result, now=now)
        if events:
            changes.folds.append(Fold(health, events))
        if schedule is not None:
            changes.probes.append(Probe(health, schedule))
    return before


def _speaks_about(kind: str, health: Health, result: CheckResult) -> bool:
    reason = getattr(result, "reason", None)
    if reason is None or health.condition is not Condition.WELL:
        return True
    return kind == kind_for(reason)
