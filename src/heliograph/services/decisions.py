"""What a person decides about a reply: send it again, treat it as sent, or do not send it."""

from collections.abc import Callable

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery
from heliograph.domain.events import Event
from heliograph.ports.store import Changes, Fold
from heliograph.services.context import Context, Missing, retrying

DECISIONS: dict[str, Callable[[Delivery], list[Event]]] = {
    "resend": decide.resend,
    "mark_sent": decide.mark_sent,
    "cancel": decide.cancel,
}


async def decide_on(context: Context, account: str, delivery_id: str, decision: str, *, actor: str) -> Delivery:
    """Carry out a decision on one delivery and return it as it is then.

    Raises Missing, decide.Refusal where the decision does not fit the state, KeyError for a decision that does not exist.
    """
    rule = DECISIONS[decision]

    async def act() -> None:
        delivery = await context.store.delivery(account, delivery_id)
        if delivery is None:
            raise Missing("delivery")
        changes = Changes(account, context.clock.now(), actor)
        changes.folds.append(Fold(delivery, rule(delivery)))
        await context.store.commit(changes)

    await retrying(act)
    after = await context.store.delivery(account, delivery_id)
    if after is None:
        raise Missing("delivery")
    return after
