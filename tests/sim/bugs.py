"""Faults planted in the program on purpose, by name: a simulation that does not catch each of them proves nothing."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import pytest

from heliograph.domain import decide, delivery as deliveries, events as ev
from heliograph.domain.delivery import Delivery
from heliograph.domain.outcomes import Accepted, DedupeClass, Deferred, ReceiptLevel, Unknown
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.ports.store import Claimed
from heliograph.services.channels import Channels, Connected
from heliograph.services.deliver import Delivering
from heliograph.storage.sqlite.store import SqliteStore
from heliograph.storage.sqlite.transaction import Transaction

Patch = pytest.MonkeyPatch
CONCLUDE, TRANSITIONS = decide.conclude, deliveries.TRANSITIONS


def retry_on_timeout(patch: Patch) -> None:
    """No answer is taken for a refusal and the message sent again at once."""

    def conclude(delivery: Delivery, result: Any, policy: Any, **rest: Any) -> list[ev.Event]:
        if isinstance(result, Unknown) and policy.dedupe is DedupeClass.LOOKUP:
            result = Deferred(result.reason, 0.0, result.code)
        return CONCLUDE(delivery, result, policy, **rest)

    patch.setattr(decide, "conclude", conclude)


def blind_retry(patch: Patch) -> None:
    """The same where nothing could prove anything."""

    def conclude(delivery: Delivery, result: Any, policy: Any, **rest: Any) -> list[ev.Event]:
        if isinstance(result, Unknown) and policy.dedupe is DedupeClass.NONE:
            result = Deferred(result.reason, 0.0, result.code)
        return CONCLUDE(delivery, result, policy, **rest)

    patch.setattr(decide, "conclude", conclude)


def sent_before_sending(patch: Patch) -> None:
    """Written down as accepted first, and then sent."""
    call, record = Delivering._call, Delivering._record

    async def early(self: Any, claimed: Claimed, connected: Connected, mark: int) -> Any:
        await record(self, claimed, connected, Accepted("early"))
        await self._context.failpoint("bug:between")
        await call(self, claimed, connected, mark)
        return Accepted("early")

    async def nothing(self: Any, claimed: Claimed, connected: Any, result: Any) -> None:
        return None

    patch.setattr(Delivering, "_call", early)
    patch.setattr(Delivering, "_record", nothing)


def no_settle(patch: Patch) -> None:
    """A look-up right away is believed."""
    get = Channels.get

    async def hasty(self: Any, account: str, channel: str, *, fingerprint: str = "") -> Any:
        connected = await get(self, account, channel, fingerprint=fingerprint)
        return connected and connected._replace(settle=0)

    patch.setattr(Channels, "get", hasty)


#: The statements that find out which delivery is a lane's head.
HEADS = ("lane_refresh", "lane_release", "lane_next")


def _with_sql(patch: Patch, change: Callable[[str], str], *names: str) -> None:
    made = SqliteStore.__init__

    def changed(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        sql = self._transaction.sql
        for name in names:
            assert change(sql[name]) != sql[name]
            sql[name] = change(sql[name])

    patch.setattr(SqliteStore, "__init__", changed)


def no_head_of_line(patch: Patch) -> None:
    """What is unknown or asks keeps nobody waiting."""
    _with_sql(patch, lambda sql: sql.replace(" OR d.state = 'unknown' OR d.state = 'asking'", ""), *HEADS)


def resume_out_of_order(patch: Patch) -> None:
    """After a hold the latest goes first."""
    latest = (("d.seq >= min(", "d.seq >= 0 * min("), ("ORDER BY d.seq LIMIT 1", "ORDER BY d.seq DESC LIMIT 1"))
    _with_sql(patch, lambda sql: reduce(lambda changed, pair: changed.replace(*pair), latest, sql), *HEADS)


def zombie_after_lease(patch: Patch) -> None:
    """A worker that overslept its lease sends all the same."""
    call = Delivering._call

    async def sleepy(self: Any, claimed: Claimed, connected: Connected, mark: int) -> Any:
        return await call(self, claimed._replace(lease_until=claimed.lease_until + 10**12), connected, mark)

    patch.setattr(Delivering, "_call", sleepy)


def unfenced_write(patch: Patch) -> None:
    """Whoever held a lane once may give it back for ever, and writes over whatever has happened since."""
    held = re.compile(r"owner = (\?\d+) AND fence = (\?\d+)")
    _with_sql(patch, lambda sql: held.sub(r"\1 <> '' AND \2 > 0", sql), "lane_release", "lane_go_on")
    patch.setattr(Transaction, "_fenced", lambda self, changes: None)


def receipt_regress(patch: Patch) -> None:
    """The latest receipt counts, not the highest."""

    def received(d: Delivery, e: ev.ReceiptReceived, at: int) -> Delivery:
        return d._replace(rank=deliveries.RANK[e.level], provider_id=d.provider_id or e.provider_id)

    def receive(delivery: Delivery, *, level: ReceiptLevel, provider_id: str, **rest: Any) -> list[ev.Event]:
        if level in (ReceiptLevel.SENT, ReceiptLevel.DELIVERED, ReceiptLevel.READ):
            return [ev.ReceiptReceived(level, provider_id)]
        return said(delivery, level=level, provider_id=provider_id, **rest)

    said = decide.receive
    patch.setitem(deliveries.FOLDS, ev.ReceiptReceived, received)
    patch.setattr(decide, "receive", receive)


def key_past_its_life(patch: Patch) -> None:
    """A provider is trusted to know a key for ever."""
    patch.setattr(decide, "key_expired", lambda delivery, policy, *, now: False)


def budget_on_401(patch: Patch) -> None:
    """Refused credentials cost the message its retries."""

    def conclude(delivery: Delivery, result: Any, policy: Any, **rest: Any) -> list[ev.Event]:
        events = CONCLUDE(delivery, result, policy, **rest)
        return [
            ev.AttemptDeferred(e.attempt, e.reason, e.code, e.ready_at, 1)
            if isinstance(e, ev.AttemptDeferred) and REASONS[e.reason].effect is Effect.HOLD_CREDENTIAL
            else e
            for e in events
        ]

    patch.setattr(decide, "conclude", conclude)


def queued_after_lease(patch: Patch) -> None:
    """A lease that is over means that nothing was sent."""

    def interrupted(delivery: Delivery, policy: Any, *, now: int) -> list[ev.Event]:
        return [ev.AttemptDeferred(delivery.attempt, Reason.OTHER, "", now, 0)]

    patch.setattr(decide, "interrupted", interrupted)


def inbound_twice(patch: Patch) -> None:
    """Nobody remembers what was taken in."""
    patch.setattr(Transaction, "_guard", lambda self, changes: _guard_without_seen(self, changes))
    seen = SqliteStore.seen

    async def never(self: Any, account: str, channel: str, event_id: str) -> bool:
        await seen(self, account, channel, event_id)
        return False

    patch.setattr(SqliteStore, "seen", never)


def _guard_without_seen(transaction: Any, changes: Any) -> None:
    changes.puts = [put for put in changes.puts if type(put).__name__ != "Seen"]


def start_on_hold(patch: Patch) -> None:
    """A hold stops nothing that was claimed before it."""

    async def never(self: Any, claimed: Claimed, connected: Connected, mark: int) -> bool:
        return False

    patch.setattr(Delivering, "_on_hold", never)


def merged_lanes_apart(patch: Patch) -> None:
    """Conversations that were merged have an order each, as before."""
    patch.setattr(Transaction, "_put_in_line", lambda self, changes, touched: None)


BUGS: dict[str, Callable[[Patch], None]] = {
    bug.__name__: bug
    for bug in (
        retry_on_timeout, blind_retry, sent_before_sending, no_settle, no_head_of_line, resume_out_of_order, zombie_after_lease,
        unfenced_write, receipt_regress, key_past_its_life, budget_on_401, queued_after_lease, inbound_twice, start_on_hold,
        merged_lanes_apart,
    )
}  # fmt: skip


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The program with one of them."""
    with pytest.MonkeyPatch.context() as patch:
        BUGS[name](patch)
        yield
