"""What happens inside one SQLite transaction: guards first, then every write of an act."""

from collections.abc import Sequence
from typing import Any

import apsw

from heliograph.domain.delivery import Delivery
from heliograph.domain.events import Event
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Duplicate, Fenced, NewDelivery
from heliograph.storage import ledger
from heliograph.storage.ledger import EventRow
from heliograph.storage.named import Query


class Transaction:
    """Statements of one open transaction on the writing connection."""

    def __init__(self, connection: apsw.Connection, queries: dict[str, Query], release: str) -> None:
        # Any: every query says by its name what it yields, and the rows' classes give the types.
        self.run: Any = connection.execute
        self._many: Any = connection.executemany
        self._parameters = {name: query.parameters for name, query in queries.items()}
        self.sql = {name: query.sql for name, query in queries.items()}
        self.release = release
        found = self.run(self.sql["release_share"], (release,)).fetchone()
        #: Whether this release may claim lanes at all: this connection is the only writer, so nobody else changes it.
        self.may_send = found is None or found[2] > found[1]

    def apply(self, changes: Changes) -> bool:
        """Write one act. Returns whether it touched a lane. Raises Conflict, Fenced or Duplicate before anything is written."""
        self._guard(changes)
        events: list[EventRow] = []
        #: Lanes whose head may be another now.
        touched: set[tuple[str, str]] = set()
        for put in changes.puts:
            self._put(put)
        for new in changes.queue:
            self._queue(changes, new, events)
        for fold in changes.folds:
            row = fold.row
            if isinstance(row, Delivery):
                self._set_delivery(ledger.fold_delivery(changes, row, fold.events, self.release, events))
                touched.add((row.account, row.lane))
            else:
                self.run(self.sql["health_set"], ledger.fold_health(changes, row, fold.events, self.release, events))
        for loose in changes.loose:
            events.append(ledger.loose_row(changes, loose, self.release))
        self._append(events)
        for release in changes.releases:
            self.run(self.sql["lane_release"], (release.not_before, changes.account, release.lane))
            touched.discard((changes.account, release.lane))
        for probe in changes.probes:
            health = probe.health
            self.run(self.sql["health_schedule"], (*probe.schedule, health.account, health.kind, health.subject))
        for lane in touched:
            self.run(self.sql["lane_refresh"], lane)
        return bool(touched or changes.queue or changes.releases)

    def fold(self, changes: Changes, delivery: Delivery, events: Sequence[Event]) -> Delivery:
        """Append `events` and set the row they make; for acts that read and decide inside the transaction."""
        into: list[EventRow] = []
        folded = ledger.fold_delivery(changes, delivery, events, self.release, into)
        self._set_delivery(folded)
        self._append(into)
        return folded

    def _guard(self, changes: Changes) -> None:
        for release in changes.releases:
            holder = self.run(self.sql["lane_holder"], (changes.account, release.lane)).fetchone()
            if holder != (release.worker, release.fence):
                raise Fenced(release.lane)
        for fold in ledger.guarded(changes):
            row = fold.row
            if isinstance(row, Delivery):
                found = self.run(self.sql["delivery_version"], (row.account, row.id)).fetchone()
                if found is None or found[0] != row.version:
                    raise Conflict(row.id)
            else:
                found = self.run(self.sql["health_version"], (row.account, row.kind, row.subject)).fetchone()
                if (found[0] if found else 0) != row.version:
                    raise Conflict(row.subject)
        for put in changes.puts:
            self._guard_put(put)

    def _guard_put(self, put: Any) -> None:
        if isinstance(put, rows.Seen):
            self._unseen("seen", put[:3])
        elif isinstance(put, rows.Answer):
            self._unseen("answer", put[:2])
        elif isinstance(put, rows.Document) and put.version:
            known = self.run(self.sql["document_version"], put[:3]).fetchone()
            if (known[0] if known else 0) != put.version - 1:
                raise Conflict(put.id)

    def _unseen(self, query: str, key: tuple[Any, ...]) -> None:
        if self.run(self.sql[query], key).fetchone():
            raise Duplicate(query)

    def _put(self, row: Any) -> None:
        name = type(row).__name__
        parameters = self._parameters[name]
        self.run(self.sql[name], row if parameters == row._fields else tuple(getattr(row, field) for field in parameters))
        if isinstance(row, rows.Ticket):
            self.run(self.sql["ticket_number_next"], (row.account,))
        elif isinstance(row, rows.ReleaseShare) and row.release == self.release:
            self.may_send = row.high > row.low

    def _queue(self, changes: Changes, new: NewDelivery, events: list[EventRow]) -> None:
        seq = self.run(self.sql["lane_push"], (changes.account, new.lane, new.channel, changes.at)).fetchone()[0]
        self.run(self.sql["delivery_add"], ledger.begin_delivery(changes, new, seq, self.release, events))

    def _set_delivery(self, d: Delivery) -> None:
        self.run(
            self.sql["delivery_set"],
            (
                d.state, d.reason, d.code, d.question, d.attempt, d.attempt_open, d.spent, d.epoch, d.returned, d.rank, d.provider_id,
                d.ready_at, d.settle_at, d.started_at, d.accepted_at, d.doubt_since, d.version, d.account, d.id,
            ),
        )  # fmt: skip

    def _append(self, events: list[EventRow]) -> None:
        if len(events) == 1:
            self.run(self.sql["event_add"], events[0])
        elif events:
            self._many(self.sql["event_add"], events)
