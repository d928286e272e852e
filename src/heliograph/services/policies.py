"""How answers are judged: what provider and account say about a delivery whose outcome is open."""

from heliograph.domain.decide import Policy, Standing
from heliograph.domain.delivery import Delivery
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.retry import SECOND
from heliograph.ports.store import Store
from heliograph.services.breaker import Breaker
from heliograph.services.channels import Connected

#: Where a channel's settings cannot be read any more, nothing can be proved: a person is asked.
NOTHING_KNOWN = Policy(DedupeClass.NONE, 0)


class Policies:
    """Makes a Policy from the provider's spec, the channel's settings and the account's standing decision."""

    def __init__(self, store: Store, breaker: Breaker) -> None:
        self._store = store
        self._breaker = breaker

    async def of(self, delivery: Delivery, connected: Connected | None) -> Policy:
        """The policy for this delivery now."""
        if connected is None:
            return NOTHING_KNOWN
        spec = connected.spec
        standing = Standing.ASK
        if spec.dedupe in (DedupeClass.NONE, DedupeClass.ECHO):
            account = await self._store.account(delivery.account)
            standing = account.standing if account is not None else Standing.ASK
        return Policy(
            spec.dedupe,
            connected.settle,
            key_lifetime=int((spec.key_lifetime or 0) * SECOND),
            standing=standing,
            provider_well=self._breaker.message_at_fault(delivery),
        )
