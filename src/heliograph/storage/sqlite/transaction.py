"""What happens inside one SQLite transaction: guards first, then every write of an act."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import apsw

from heliograph.domain.delivery import Delivery
from heliograph.domain.events import Event
from heliograph.domain.health import Health
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Duplicate, Fenced, Merge, NewDelivery, Release
from heliograph.storage import ledger
from heliograph.storage.ledger import EventRow
from heliograph.storage.named import Query
from heliograph.storage.sqlite.awake import Awake
from heliograph.storage.sqlite.channels import runnable_channels

#: Puts that say nothing of whether a channel may be used.
OF_NO_CHANNEL = frozenset({rows.Comment, rows.Body, rows.TouchTicket})
#: Puts that are refused where the same was done before.
GUARDED = frozenset({rows.Seen, rows.Answer, rows.Document})
#: A place in a lane beyond all others: nothing in it was changed.
NOWHERE = 2**62
#: Keeps a lane for its next delivery instead of giving it back, where that may be. Gets the lowest place that was changed.
GoOn = Callable[[Changes, Release, int], bool]
T = TypeVar("T")


class Spoiled(Exception):
    """An act was refused by a guard after it had written something: the transaction must not be committed."""


class Transaction:
    """Statements of one open transaction on the writing connection, which the acts of one batch share."""

    def __init__(self, connection: apsw.Connection, queries: dict[str, Query], release: str) -> None:
        # Any: every query says by its name what it yields, and the rows' classes give the types.
        self.run: Any = connection.execute
        self._many: Any = connection.executemany
        self._changed = connection.changes
        self._changed_in_all = connection.total_changes
        self._parameters = {name: query.parameters for name, query in queries.items()}
        self.sql = {name: query.sql for name, query in queries.items()}
        self.release = release
        found = self.run(self.sql["release_share"], (release,)).fetchone()
        #: Whether this release may claim lanes at all: this connection is the only writer, so nobody else changes it.
        self.may_send = found is None or found[2] > found[1]
        #: Of all acts of this batch, in their order. Nobody reads them inside the transaction, so they are written at its end.
        self._events: list[EventRow] = []
        #: What is known of channels since something was last written that may concern one; see Claiming._usable.
        self.usable: dict[tuple[str, str], Any] = {}
        self._merged: dict[tuple[str, str], str] | None = None
        self.awake = Awake(lambda: runnable_channels(self.run, self.sql))

    @property
    def merged(self) -> dict[tuple[str, str], str]:
        """Lanes that share their order with others, by (account, lane), and the lane whose name that order has. Nobody else writes them."""
        if self._merged is None:
            self._merged = {(account, id): survivor for account, id, survivor in self.run(self.sql["lanes_merged"]).fetchall()}
        return self._merged

    def begin(self) -> None:
        """A batch begins; no event is left of the one before."""
        self._events = []

    def undone(self) -> None:
        """What the batch has written is taken back, and with it what it had seen."""
        self.usable.clear()
        self.awake.forget()
        self._merged = None

    def act(self, job: Callable[["Transaction"], T]) -> T:
        """Let one act of the batch do its job. Raises what it raises, or Spoiled from it: then nothing of the batch may be committed."""
        changed, events = self._changed_in_all(), len(self._events)
        try:
            return job(self)
        except (Conflict, Duplicate) as refused:
            if self._changed_in_all() != changed:
                raise Spoiled from refused
            del self._events[events:]
            raise

    def finish(self) -> None:
        """Write what the acts of the batch have left to be written together."""
        if self._events:
            self._many(self.sql["event_add"], self._events)

    def apply(self, changes: Changes, go_on: GoOn | None = None) -> bool:
        """Write one act. Returns whether it touched a lane. Raises Conflict, Fenced or Duplicate; see `act`."""
        self._guard(changes)
        events: list[EventRow] = []
        touched = self._fold_all(changes, events)
        for put in changes.puts:
            self._put(put)
        for new in changes.queue:
            self._queue(changes, new, events)
        for loose in changes.loose:
            events.append(ledger.loose_row(changes, loose, self.release))
        for probe in changes.probes:
            health = probe.health
            self.run(self.sql["health_schedule"], (*probe.schedule, health.account, health.kind, health.subject))
            self.usable.clear()
        self._events += events
        for release in changes.releases:
            self._give_back(changes, release, touched, go_on)
        for lane, lowest in touched.items():
            self.run(self.sql["lane_refresh"], (*lane, lowest))
        for merge in changes.merges:
            self._merge(changes.account, merge)
        if self.merged:
            self._put_in_line(changes, touched)
        return bool(touched or changes.queue or changes.releases or changes.merges)

    def _give_back(self, changes: Changes, release: Release, touched: dict[tuple[str, str], int], go_on: GoOn | None) -> None:
        if (changes.account, release.lane) not in touched:
            # Nothing here says of which channel it is.
            self.awake.forget()
        lowest = touched.pop((changes.account, release.lane), NOWHERE)
        if go_on is None or not go_on(changes, release, lowest):
            self.write_as_holder(release, "lane_release", (release.not_before, changes.account, release.lane, lowest))

    def _merge(self, account: str, merge: Merge) -> None:
        for lane in (merge.lane, merge.into):
            self.run(self.sql["lane_create"], (account, lane, merge.channel))
        line, survivor = (self.merged.get((account, lane), lane) for lane in (merge.lane, merge.into))
        self.run(self.sql["lanes_merge"], (survivor, account, merge.lane, line))
        self._merged = None
        self.awake.forget()

    def _put_in_line(self, changes: Changes, touched: Iterable[tuple[str, str]]) -> None:
        """What an act has changed in one lane may be another one's turn."""
        named = [each.lane for kind in (changes.queue, changes.releases, changes.merges) for each in kind]
        lanes = {*touched, *((changes.account, lane) for lane in named)}
        for line in sorted({(account, survivor) for account, lane in lanes if (survivor := self.merged.get((account, lane)))}):
            self.run(self.sql["line_order"], line)
            self.awake.forget()

    def _fold_all(self, changes: Changes, events: list[EventRow]) -> dict[tuple[str, str], int]:
        """Returns the lanes whose head may be another now, with the lowest place that was changed in each."""
        touched: dict[tuple[str, str], int] = {}
        for fold in ledger.guarded(changes):
            row = fold.row
            if isinstance(row, Delivery):
                if not self._set_delivery(row.version, ledger.fold_delivery(changes, row, fold.events, self.release, events)):
                    raise self._fenced(changes) or Conflict(row.id)
                lane = (row.account, row.lane)
                touched[lane] = min(row.seq, touched.get(lane, NOWHERE))
                self.awake.add(row.account, row.channel)
            else:
                self.run(self.sql["health_set"], ledger.fold_health(changes, row, fold.events, self.release, events))
                self.usable.clear()
        return touched

    def fold(self, changes: Changes, delivery: Delivery, events: Sequence[Event]) -> Delivery:
        """Append `events` and set the row they make; for acts that read and decide inside the transaction."""
        folded = ledger.fold_delivery(changes, delivery, events, self.release, self._events)
        if not self._set_delivery(delivery.version, folded):
            raise Conflict(delivery.id)
        return folded

    def write_as_holder(self, release: Release, query: str, parameters: tuple[Any, ...]) -> None:
        """Run a statement on a lane which ends with the holder's name and fence. Raises Fenced if it is another's by now."""
        self.run(self.sql[query], (*parameters, release.worker, release.fence))
        if not self._changed():
            raise Fenced(release.lane)

    def _fenced(self, changes: Changes) -> Fenced | None:
        """Whoever has lost the lane is told so, whatever else has changed."""
        for release in changes.releases:
            if self.run(self.sql["lane_holder"], (changes.account, release.lane)).fetchone() != (release.worker, release.fence):
                return Fenced(release.lane)
        return None

    def _guard(self, changes: Changes) -> None:
        """What must be looked up before the act; deliveries and lanes are guarded by the statements that change them."""
        for fold in changes.folds:
            row = fold.row
            if isinstance(row, Health):
                found = self.run(self.sql["health_version"], (row.account, row.kind, row.subject)).fetchone()
                if (found[0] if found else 0) != row.version:
                    raise Conflict(row.subject)
        for put in changes.puts:
            if type(put) in GUARDED:
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
        if type(row) not in OF_NO_CHANNEL:
            self.usable.clear()
        if isinstance(row, rows.Ticket):
            self.run(self.sql["ticket_number_next"], (row.account,))
        elif isinstance(row, rows.ReleaseShare) and row.release == self.release:
            self.may_send = row.high > row.low

    def _queue(self, changes: Changes, new: NewDelivery, events: list[EventRow]) -> None:
        seq = self.run(self.sql["lane_push"], (changes.account, new.lane, new.channel, changes.at)).fetchone()[0]
        self.run(self.sql["delivery_add"], ledger.begin_delivery(changes, new, seq, self.release, events))
        self.awake.add(changes.account, new.channel)

    def _set_delivery(self, before: int, d: Delivery) -> bool:
        """Whether the row was still at version `before`, and so was written."""
        self.run(
            self.sql["delivery_set"],
            (
                d.state, d.reason, d.code, d.question, d.attempt, d.attempt_open, d.spent, d.epoch, d.returned, d.rank, d.provider_id,
                d.ready_at, d.settle_at, d.started_at, d.accepted_at, d.doubt_since, d.version, d.account, d.id, before,
            ),
        )  # fmt: skip
        return self._changed() == 1
