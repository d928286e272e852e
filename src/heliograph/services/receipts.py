"""Match a receipt with its delivery, also when it arrives before we have committed what it speaks about."""

from functools import partial

import msgspec

from heliograph.domain import decide
from heliograph.domain.delivery import RANK, Delivery, State
from heliograph.domain.events import ReceiptReturned, ReceiptStale
from heliograph.domain.health import RECEIPT
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND, backoff
from heliograph.ports import rows
from heliograph.ports.provider import Receipt
from heliograph.ports.store import Changes, Duplicate, Fold, Unavailable
from heliograph.services.context import Context, retrying
from heliograph.services.holds import hold

#: How long a receipt may wait for its message; later ones are about messages that were never ours.
ORPHAN_LIFE = 24 * 3600 * SECOND
#: What says that a message got further than to the provider.
ARRIVING = frozenset({ReceiptLevel.SENT, ReceiptLevel.DELIVERED, ReceiptLevel.READ})
#: How many are looked at in one go.
SHARE = 500
#: Account, channel and event id of the last one that was looked at.
Mark = tuple[str, str, str]
BEGINNING: Mark = ("", "", "")


async def take_receipt(context: Context, channel: rows.Channel, receipt: Receipt, changes: Changes) -> None:
    """Add what the receipt means to `changes`; keep it aside where its message is not known yet."""
    changes.actor = "system"
    if receipt.up_to is not None:
        await _up_to(context, channel, receipt, changes)
        return
    delivery = await _find(context, channel, receipt)
    early = delivery is None or _too_early(delivery, receipt)
    if delivery is not None and not early:
        await _apply(context, channel, receipt, delivery, changes)
    elif receipt.provider_id and not receipt.key:
        kept = msgspec.json.encode(receipt).decode()
        changes.puts.append(rows.Orphan(channel.account, channel.id, receipt.event_id, receipt.provider_id, kept, changes.at))


def _too_early(delivery: Delivery, receipt: Receipt) -> bool:
    """Whether the provider already says that it failed while its answer to the call is still to come."""
    return receipt.level is ReceiptLevel.FAILED and delivery.state is State.SENDING


async def _find(context: Context, channel: rows.Channel, receipt: Receipt) -> Delivery | None:
    if receipt.key:
        found = await context.store.delivery(channel.account, receipt.key.partition(".")[0])
        # A key is ours only on the channel through which it left.
        return found if found is not None and found.channel == channel.id else None
    return await context.store.delivery_by_provider_id(channel.account, channel.id, receipt.provider_id)


async def _apply(context: Context, channel: rows.Channel, receipt: Receipt, delivery: Delivery, changes: Changes) -> None:
    # A receipt does not say for how long; each time that it comes back, longer.
    until = changes.at + backoff(delivery.epoch, context.rng.jitter()) if receipt.level is ReceiptLevel.FAILED else 0
    too_fast = receipt.reason is Reason.RATE_LIMITED
    own = not too_fast and context.breaker.alone_handed_back(delivery)
    events = decide.receive(
        delivery, level=receipt.level, provider_id=receipt.provider_id, key=receipt.key, reason=receipt.reason, code=receipt.code,
        final=receipt.final, spent=int(own), ready_at=until if own or (too_fast and receipt.lane) else 0,
    )  # fmt: skip
    if receipt.level in ARRIVING and not any(isinstance(event, ReceiptStale) for event in events):
        context.breaker.arrived(delivery)
    if not events:
        return
    changes.folds.append(Fold(delivery, events))
    returned = next((e for e in events if isinstance(e, ReceiptReturned)), None)
    if returned is None or delivery.rank > 1:
        return
    if too_fast:
        if not receipt.lane:
            changes.puts.append(rows.Throttle(channel.account, channel.id, until))
        return
    context.breaker.handed_back(delivery)
    if own:
        # What was sent later arrived: no reason to keep the others waiting.
        return
    connected = await context.channels.get(channel.account, channel.id)
    if connected is not None:
        await hold(context.store, changes, connected, returned.reason, returned.code, RECEIPT, now=changes.at)


async def _up_to(context: Context, channel: rows.Channel, receipt: Receipt, changes: Changes) -> None:
    """ "Read up to here": everything of ours before that moment."""
    conversation = await context.store.conversation_at(channel.account, channel.id, receipt.conversation)
    if conversation is None or receipt.up_to is None or receipt.level is ReceiptLevel.FAILED:
        return
    for delivery in await context.store.deliveries_up_to(channel.account, conversation.id, receipt.up_to):
        if delivery.rank < RANK[receipt.level]:
            events = decide.receive(
                delivery, level=receipt.level, provider_id=delivery.provider_id, key="", reason=None, code="", final=True
            )
            if events:
                changes.folds.append(Fold(delivery, events))


async def adopt_orphans(context: Context, after: Mark = BEGINNING) -> Mark:
    """Give receipts that came too early to their deliveries, which are known by now. Returns the mark after which to go on.

    One call looks at a share of them, so that many which belong to nobody (a business also answers elsewhere) neither hide
    the others nor hold up everything else.
    """
    share = await context.store.orphans(SHARE, after=after)
    for orphan in sorted(share, key=lambda one: one.created_at):
        try:
            await retrying(partial(_adopt, context, orphan))
        except Unavailable:
            raise
        except Exception as bug:
            context.observe("round_bug", {"error": type(bug).__name__})
    return share[-1][:3] if len(share) == SHARE else BEGINNING


async def _adopt(context: Context, orphan: rows.Orphan) -> bool:
    now = context.clock.now()
    channel = await context.store.channel(orphan.account, orphan.channel)
    receipt = msgspec.json.decode(orphan.receipt, type=Receipt)
    changes = Changes(orphan.account, now)
    changes.puts.append(rows.DropOrphan(orphan.account, orphan.channel, orphan.event_id))
    delivery = await _find(context, channel, receipt) if channel is not None else None
    if channel is not None and delivery is not None:
        if _too_early(delivery, receipt):
            return False
        await _apply(context, channel, receipt, delivery, changes)
    elif now - orphan.created_at < ORPHAN_LIFE:
        return False
    try:
        await context.store.commit(changes)
    except Duplicate:
        return False
    return delivery is not None
