"""The law: every row is the fold of its events, and nothing leaves the sum. Reusable over any store of either engine."""

from collections import defaultdict
from typing import Any

from heliograph.domain import delivery as deliveries, health as healths
from heliograph.domain.delivery import BLOCKING, OPEN, Delivery, State
from heliograph.domain.events import Event, ReplyQueued
from heliograph.domain.health import Health
from heliograph.ports.rows import EventRead
from heliograph.ports.store import Store
from heliograph.storage.ledger import decode
from heliograph.storage.reads import make_delivery, make_health
from heliograph.storage.sqlite.channels import runnable_channels
from heliograph.storage.sqlite.store import SqliteStore
from tests.storage.engines import inside

EVENT_COLUMNS = ", ".join(EventRead._fields)


async def check_law(store: Store, account: str) -> None:
    """Fails unless all rows of the account follow from its ledger, its lanes from its deliveries, and all replies are accounted for."""
    found = await inside(store, f"SELECT {EVENT_COLUMNS} FROM event WHERE account = $1 AND position IS NOT NULL ORDER BY seq", account)
    histories: dict[str, list[EventRead]] = defaultdict(list)
    for event in map(EventRead._make, found):
        histories[event.subject].append(event)
    for subject, history in histories.items():
        assert [event.position for event in history] == list(range(1, len(history) + 1)), f"{subject}: gaps or disorder in its history"
    rows = [make_delivery(row) for row in await inside(store, "SELECT * FROM delivery WHERE account = $1", account)]
    for row in rows:
        assert row == fold_delivery(row, histories.pop(row.id)), row.id
    for health in [make_health(row) for row in await inside(store, "SELECT * FROM health WHERE account = $1", account)]:
        folded = fold_health(health, histories.pop(f"{health.kind}:{health.subject}"))
        assert health._replace(interval=0, trial_at=0) == folded._replace(interval=0, trial_at=0), health.subject
    assert not histories, f"events of rows that do not exist: {sorted(histories)}"
    await _conserved(store, account, rows)
    await _lanes(store, account, rows)
    await _numbers(store, account)


async def check_all(store: Store) -> None:
    """The law for every account of the store."""
    for (account,) in await inside(store, "SELECT id FROM account"):
        await check_law(store, account)
    if isinstance(store, SqliteStore) and store._role is not None:
        check_awake(store)


def check_awake(store: SqliteStore) -> None:
    """What a SQLite store remembers of its channels leaves out none with a runnable lane."""
    transaction = store._transaction
    # Asked while it has forgotten, it would look, and be right.
    remembered = transaction.awake._known
    assert remembered is None or set(runnable_channels(transaction.run, transaction.sql)) <= remembered


def _events(history: list[EventRead]) -> list[tuple[Event, int]]:
    return [(decode(read), read.recorded_at) for read in history]


def fold_delivery(row: Delivery, history: list[EventRead]) -> Delivery:
    """The row that its events make. Where it belongs (ticket, lane, place) is taken from the row itself."""
    (first, at), *rest = _events(history)
    assert isinstance(first, ReplyQueued)
    folded = deliveries.queued(
        account=row.account, id=row.id, ticket=row.ticket, comment=row.comment, channel=row.channel, lane=row.lane, seq=row.seq,
        event=first, now=at,
    )  # fmt: skip
    for event, at in rest:
        folded = deliveries.evolve(folded, event, at)
    return folded


def fold_health(row: Health, history: list[EventRead]) -> Health:
    """The row that its events make."""
    folded = healths.well(row.account, row.kind, row.subject)
    for event, at in _events(history):
        folded = healths.evolve(folded, event, at)
    return folded


async def _conserved(store: Store, account: str, rows: list[Delivery]) -> None:
    [(written,)] = await inside(store, "SELECT count(*) FROM event WHERE account = $1 AND kind = 'reply_queued'", account)
    counted = await store.counts(account)
    assert written == len(rows) == sum(counted.values()), (written, len(rows), counted)


async def _lanes(store: Store, account: str, rows: list[Delivery]) -> None:
    by_lane: dict[str, list[Delivery]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.seq):
        by_lane[row.lane].append(row)
    columns = "id, tail, head, blocked, ready_at, not_before, survivor"
    lanes: list[Any] = await inside(store, f"SELECT {columns} FROM lane WHERE account = $1", account)
    # A lane without a reply is there only where it shares its order with another.
    assert set(by_lane) == {lane[0] for lane in lanes if lane[1] or not lane[6]}
    survivors = {lane[0]: lane[6] for lane in lanes}
    for id, tail, head, blocked, ready_at, not_before, survivor in lanes:
        members = by_lane[id]
        others = [by_lane[other] for other, its in survivors.items() if survivor and its == survivor and other != id]
        assert [row.seq for row in members] == list(range(1, tail + 1)), f"{id}: places are not 1 to {tail}"
        waiting = next((row for row in members if row.state in OPEN), None)
        if waiting is None:
            assert head is None and not blocked, id
        else:
            expected = (waiting.seq, int(waiting.state in BLOCKING or _waits_for(waiting, others)), max(waiting.ready_at, not_before))
            assert (head, blocked, ready_at) == expected, id


def _waits_for(head: Delivery, others: list[list[Delivery]]) -> bool:
    """Whether in a lane that shares its order something comes first, or may still be with the provider."""
    for members in others:
        waiting = [row for row in members if row.state in OPEN]
        if waiting and (waiting[0].queued_at, waiting[0].id) < (head.queued_at, head.id):
            return True
        if any(row.state in (State.SENDING, State.UNKNOWN) for row in waiting):
            return True
    return False


async def _numbers(store: Store, account: str) -> None:
    numbers = [row[0] for row in await inside(store, "SELECT number FROM ticket WHERE account = $1 ORDER BY number", account)]
    assert numbers == list(range(1, len(numbers) + 1)), f"{account}: ticket numbers have gaps"
