"""What happens inside one SQLite transaction: guards first, then every write of an act."""

from typing import Any

import apsw

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery
from heliograph.domain.health import Condition, Health
from heliograph.ports import rows
from heliograph.ports.store import SWEEPER, Changes, Claimed, Conflict, Duplicate, Fenced
from heliograph.storage import ledger
from heliograph.storage.named import Query
from heliograph.storage.reads import make_delivery


class Transaction:
    """Statements of one open transaction on the writing connection."""

    def __init__(self, connection: apsw.Connection, queries: dict[str, Query], release: str) -> None:
        self._run = connection.execute
        self._many = connection.executemany
        self._queries = queries
        self._sql = {name: query.sql for name, query in queries.items()}
        self._release = release

    # --- acts ------------------------------------------------------------------------------------

    def apply(self, changes: Changes) -> set[tuple[str, str]]:
        """Write one act. Returns the lanes it touched. Raises Conflict, Fenced or Duplicate before anything is written."""
        self._guard(changes)
        events: list[ledger.EventRow] = []
        touched: set[tuple[str, str]] = set()
        for row in changes.puts:
            self._put(row)
        for new in changes.queue:
            self._queue(changes, new, events)
            touched.add((changes.account, new.lane))
        for fold in changes.folds:
            row = fold.row
            if isinstance(row, Delivery):
                folded = ledger.fold_delivery(changes, row, fold.events, self._release, events)
                self._set_delivery(folded)
                touched.add((folded.account, folded.lane))
            else:
                self._set_health(ledger.fold_health(changes, row, fold.events, self._release, events))
        events.extend(ledger.loose_row(changes, loose, self._release) for loose in changes.loose)
        self._append(events)
        for release in changes.releases:
            self._run(self._sql["lane_release"], (release.not_before, changes.account, release.lane))
            touched.add((changes.account, release.lane))
        for probe in changes.probes:
            h = probe.health
            self._run(self._sql["health_schedule"], (*probe.schedule, h.account, h.kind, h.subject))
        for lane in touched:
            self._run(self._sql["lane_refresh"], lane)
        return touched

    def _guard(self, changes: Changes) -> None:
        for release in changes.releases:
            holder = self._run(self._sql["lane_holder"], (changes.account, release.lane)).fetchone()
            if holder != (release.worker, release.fence):
                raise Fenced(release.lane)
        for fold in ledger.guarded(changes):
            row = fold.row
            if isinstance(row, Delivery):
                found = self._run(self._sql["delivery_version"], (row.account, row.id)).fetchone()
                if found is None or found[0] != row.version:
                    raise Conflict(row.id)
            else:
                found = self._run(self._sql["health_version"], (row.account, row.kind, row.subject)).fetchone()
                if (found[0] if found else 0) != row.version:
                    raise Conflict(row.subject)
        for put in changes.puts:
            if isinstance(put, rows.Seen):
                self._unseen("seen", put[:3])
            elif isinstance(put, rows.Answer):
                self._unseen("answer", put[:2])

    def _unseen(self, query: str, key: tuple[Any, ...]) -> None:
        if self._run(self._sql[query], key).fetchone():
            raise Duplicate(query)

    def _put(self, row: Any) -> None:
        query = self._queries[type(row).__name__]
        self._run(query.sql, tuple(getattr(row, name) for name in query.parameters))
        if isinstance(row, rows.Ticket):
            self._run(self._sql["ticket_number_next"], (row.account,))

    def _queue(self, changes: Changes, new: Any, events: list[ledger.EventRow]) -> None:
        seq = self._run(self._sql["lane_push"], (changes.account, new.lane, new.channel)).fetchone()[0]
        self._run(self._sql["delivery_add"], ledger.begin_delivery(changes, new, seq, self._release, events))

    def _set_delivery(self, d: Delivery) -> None:
        self._run(
            self._sql["delivery_set"],
            (
                d.state, d.reason, d.code, d.question, d.attempt, d.attempt_open, d.spent, d.epoch, d.returned, d.rank, d.provider_id,
                d.ready_at, d.settle_at, d.started_at, d.accepted_at, d.version, d.account, d.id,
            ),
        )  # fmt: skip

    def _set_health(self, row: Health) -> None:
        self._run(self._sql["health_set"], row)

    def _append(self, events: list[ledger.EventRow]) -> None:
        if len(events) == 1:
            self._run(self._sql["event_add"], events[0])
        elif events:
            self._many(self._sql["event_add"], events)

    # --- lanes -----------------------------------------------------------------------------------

    def claim(self, worker: str, now: int, lease_until: int, limit: int, turn: int) -> list[Claimed]:
        """See Store.claim. `turn` rotates which channel comes first."""
        channels = self._run(self._sql["runnable_channels"], (now,)).fetchall()
        if not channels:
            return []
        shift = turn % len(channels)
        claimed: list[Claimed] = []
        trials: set[tuple[str, str]] = set()
        for index, (account, channel, credential, fingerprint, own, shared) in enumerate(channels[shift:] + channels[:shift]):
            share = -(-(limit - len(claimed)) // (len(channels) - index))
            if share <= 0:
                break
            trial = Condition.TRIAL in (own, shared)
            if trial:
                share = self._trial_share(account, channel, credential, shared == Condition.TRIAL, trials)
            if share:
                lanes = self._run(self._sql["runnable_lanes"], (account, channel, now, share)).fetchall()
                version = f"{credential}@{fingerprint}"
                for (lane,) in lanes:
                    self._start(account, lane, version, worker, now, lease_until, int(trial), claimed)
        return claimed

    def _trial_share(self, account: str, channel: str, credential: str, whole_credential: bool, trials: set[tuple[str, str]]) -> int:
        if whole_credential:
            if (account, credential) in trials or self._run(self._sql["credential_busy"], (account, credential)).fetchone():
                return 0
            trials.add((account, credential))
            return 1
        return 0 if self._run(self._sql["channel_busy"], (account, channel)).fetchone() else 1

    def _start(
        self, account: str, lane: str, version: str, worker: str, now: int, lease_until: int, trial: int, into: list[Claimed]
    ) -> None:
        found = self._run(self._sql["lane_head"], (account, lane)).fetchone()
        delivery = make_delivery(found[:26])
        address, control, contact, payload = found[26:]
        overtaken = bool(delivery.returned) and bool(self._run(self._sql["lane_overtaken"], (account, lane, delivery.seq)).fetchone())
        credential, _, fingerprint = version.partition("@")
        changes = Changes(account, now, credential=version)
        events: list[ledger.EventRow] = []
        started = decide.start(delivery, fingerprint=fingerprint, overtaken=overtaken)
        delivery = ledger.fold_delivery(changes, delivery, started, self._release, events)
        self._set_delivery(delivery)
        self._append(events)
        if overtaken:
            self._run(self._sql["lane_refresh"], (account, lane))
            return
        fence = self._run(self._sql["lane_take"], (worker, lease_until, account, lane)).fetchone()[0]
        into.append(Claimed(lane, fence, lease_until, delivery, address, contact, control, payload, fingerprint, credential, trial))

    def expire(self, now: int, lease_until: int) -> list[tuple[str, str, int, Delivery | None]]:
        """Take over lanes whose lease is over: (account, lane, fence, head)."""
        taken: list[tuple[str, str, int, Delivery | None]] = []
        for account, lane in self._run(self._sql["lanes_expired"], (now,)).fetchall():
            fence = self._run(self._sql["lane_take"], (SWEEPER, lease_until, account, lane)).fetchone()[0]
            found = self._run(self._sql["lane_head"], (account, lane)).fetchone()
            taken.append((account, lane, fence, make_delivery(found[:26]) if found else None))
        return taken

    def extend(self, worker: str, now: int, lease_until: int) -> None:
        """See Store.extend."""
        self._run(self._sql["lanes_extend"], (lease_until, worker, now))

    def orphan_all(self) -> None:
        """A new writer knows that nobody else is at work: every lease is over."""
        self._run(self._sql["lanes_orphaned"])
