"""The one writer's bookkeeping: events and the rows they are folded into, made together by one function."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from heliograph.domain import delivery as deliveries, health as healths
from heliograph.domain.delivery import Delivery
from heliograph.domain.events import EVENTS, Event, ReplyQueued
from heliograph.domain.health import Health
from heliograph.ports.rows import EventRead
from heliograph.ports.store import Changes, Fold, Loose, NewDelivery

_encode = msgspec.json.Encoder().encode


class EventRow(NamedTuple):
    """One row of table `event`, without its `seq`, which the engine gives."""

    account: str
    stream: str
    stream_id: str
    subject: str
    position: int | None
    kind: str
    version: int
    recorded_at: int
    occurred_at: int | None
    actor: str
    channel: str
    credential: str
    release: str
    attempt: int | None
    reason: str
    data: str


def fold_delivery(changes: Changes, row: Delivery, events: Iterable[Event], release: str, into: list[EventRow]) -> Delivery:
    """Append the events' rows to `into` and return the row that they make of `row`."""
    for event in events:
        row = deliveries.evolve(row, event, changes.at)
        into.append(
            EventRow(
                changes.account, "ticket", row.ticket, row.id, row.version, event.kind, event.version, changes.at, None,
                changes.actor, row.channel, changes.credential, release,
                getattr(event, "attempt", None), getattr(event, "reason", ""), _encode(event).decode(),
            )
        )  # fmt: skip
    return row


def fold_health(changes: Changes, row: Health, events: Iterable[Event], release: str, into: list[EventRow]) -> Health:
    """The same for a channel's or a credential version's health, on that subject's own stream."""
    for event in events:
        row = healths.evolve(row, event, changes.at)
        is_channel = row.kind == "channel"
        into.append(
            EventRow(
                row.account, row.kind, row.subject.partition("@")[0], f"{row.kind}:{row.subject}", row.version, event.kind,
                event.version, changes.at, None, changes.actor, row.subject if is_channel else "",
                changes.credential if is_channel else row.subject, release,
                getattr(event, "attempt", None), getattr(event, "reason", ""), _encode(event).decode(),
            )
        )  # fmt: skip
    return row


def begin_delivery(changes: Changes, new: NewDelivery, seq: int, release: str, into: list[EventRow]) -> Delivery:
    """The first event of a delivery and its row; `seq` is its place in the lane."""
    event = ReplyQueued(new.part, new.parts)
    row = deliveries.queued(
        account=changes.account, id=new.id, ticket=new.ticket, comment=new.comment, channel=new.channel, lane=new.lane,
        seq=seq, event=event, now=changes.at,
    )  # fmt: skip
    into.append(
        EventRow(
            changes.account, "ticket", row.ticket, row.id, row.version, event.kind, event.version, changes.at, None, changes.actor,
            row.channel, "", release, None, "", _encode(event).decode(),
        )
    )  # fmt: skip
    return row


def loose_row(changes: Changes, loose: Loose, release: str) -> EventRow:
    """The row of an event from which nothing is folded."""
    event = loose.event
    account = changes.account if loose.account is None else loose.account
    return EventRow(
        account, loose.stream, loose.stream_id, "", None, event.kind, event.version, changes.at, loose.occurred_at,
        changes.actor, loose.channel, changes.credential, release,
        getattr(event, "attempt", None), getattr(event, "reason", ""), _encode(event).decode(),
    )  # fmt: skip


def decode(read: EventRead) -> Event:
    """The event as it was. Raises KeyError for a kind that this version does not know."""
    return msgspec.json.decode(read.data, type=EVENTS[read.kind])


def guarded(changes: Changes) -> list[Fold]:
    """The folds, for their guards: a row may appear once in one act."""
    if len(changes.folds) < 2:
        return changes.folds
    names = [(type(fold.row), fold.row.account, getattr(fold.row, "id", ""), getattr(fold.row, "subject", "")) for fold in changes.folds]
    if len(set(names)) != len(names):
        raise ValueError("one act folds the same row twice; give all its events in one Fold")
    return changes.folds
