"""Find out what became of a send that may have been taken, once the provider can be asked."""

from heliograph.domain import decide
from heliograph.domain.decide import Policy
from heliograph.domain.delivery import Delivery, State
from heliograph.domain.outcomes import DedupeClass, FindResult, Inconclusive
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address
from heliograph.ports.store import SWEEPER, Changes, Conflict, Fold, Release, Unavailable
from heliograph.services.channels import Connected
from heliograph.services.context import Context, retrying


async def settle(context: Context, delivery: Delivery) -> None:
    """Look an unknown delivery up, or ask a person where nothing can be proved."""
    connected = await context.channels.get(delivery.account, delivery.channel)
    policy = await context.policies.of(delivery, connected)
    found = await _find(context, delivery, connected, policy)
    await context.failpoint("settle:before_commit")

    async def write() -> None:
        current = await context.store.delivery(delivery.account, delivery.id)
        if current is None or current.state is not State.UNKNOWN or current.attempt != delivery.attempt:
            return
        now = context.clock.now()
        events = decide.settle(current, found, policy, now=now, jitter=context.rng.jitter())
        changes = Changes(current.account, now, credential=connected.version if connected else "")
        changes.folds.append(Fold(current, events))
        await context.store.commit(changes)

    await retrying(write)
    await context.failpoint("settle:after_commit")


async def _find(context: Context, delivery: Delivery, connected: Connected | None, policy: Policy) -> FindResult | None:
    if policy.dedupe is not DedupeClass.LOOKUP or connected is None:
        return None
    conversation = await context.store.conversation(delivery.account, delivery.lane)
    if conversation is None:
        return None
    result: FindResult
    try:
        result = await connected.provider.find(Address(conversation.address), delivery.key, delivery.started_at)
    except Exception as bug:
        context.observe("provider_bug", {"provider": connected.spec.name, "error": type(bug).__name__})
        result = Inconclusive(Reason.OTHER, "provider_bug")
    if isinstance(result, Inconclusive):
        context.suspect(delivery.account, delivery.channel)
    return result


async def expire(context: Context) -> int:
    """Lanes whose lease is over: an open attempt becomes unknown, never queued. Returns how many there were."""
    taken = await context.store.expire(now=context.clock.now())
    for account, lane, fence, head in taken:
        try:
            await _interrupt(context, account, lane, fence, head)
        except Unavailable:
            raise
        except Exception as trouble:
            # It is this lane's alone, which comes again when the sweeper's own lease is over; the others go on.
            context.observe("round_failed" if isinstance(trouble, Conflict) else "round_bug", {"error": type(trouble).__name__})
    return len(taken)


async def _interrupt(context: Context, account: str, lane: str, fence: int, head: Delivery | None) -> None:
    now = context.clock.now()
    changes = Changes(account, now)
    if head is not None and head.state is State.SENDING:
        policy = await context.policies.of(head, await context.channels.get(head.account, head.channel))
        changes.folds.append(Fold(head, decide.interrupted(head, policy, now=now)))
    changes.releases.append(Release(lane, SWEEPER, fence))
    await context.failpoint("expire:before_commit")
    await context.store.commit(changes)
