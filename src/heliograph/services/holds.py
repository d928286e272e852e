"""Put a channel or credential version on hold and take it off again, beside whatever else an act writes."""

from heliograph.domain import events as ev, health as rules
from heliograph.domain.health import Condition, Health
from heliograph.domain.outcomes import CheckResult
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.ports.store import Changes, Fold, Probe, Store
from heliograph.services.channels import Connected

STARTS = (ev.HoldStarted, ev.HoldProlonged)
ENDS = (ev.TrialStarted, ev.HoldEnded)


class Holds:
    """What this process knows to be on hold, so that a call which is about to start can still be stopped.

    The store's claim is what keeps held lanes waiting; this covers the moment between a claim and its call.
    """

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()

    def noticed(self, changes: Changes) -> None:
        """An act of this process was committed."""
        for fold in changes.folds:
            if isinstance(fold.row, Health):
                for event in fold.events:
                    if isinstance(event, STARTS):
                        self._held.add((fold.row.kind, fold.row.subject))
                    elif isinstance(event, ENDS):
                        self._held.discard((fold.row.kind, fold.row.subject))

    def covers(self, connected: Connected) -> bool:
        """Whether nothing may be started on this channel now."""
        return bool(self._held) and (("channel", connected.channel.id) in self._held or ("credential", connected.version) in self._held)


async def read(store: Store, connected: Connected, kind: str) -> Health:
    """The health row of the channel, or of the credential version it uses."""
    subject = connected.channel.id if kind == "channel" else connected.version
    account = connected.channel.account
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


async def probed(store: Store, changes: Changes, connected: Connected, result: CheckResult, *, now: int) -> list[Condition]:
    """Add to `changes` what a probe's answer means for channel and credential. Returns their conditions before."""
    before = []
    for kind in ("credential", "channel"):
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
