"""What happens inside one PostgreSQL transaction: the guards of many acts, then the writes of those that passed, table by table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from heliograph.domain.delivery import Delivery
from heliograph.domain.health import Health
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Duplicate, Fenced
from heliograph.storage import ledger
from heliograph.storage.named import Query
from heliograph.storage.postgres.plain import row_written, waves
from heliograph.storage.postgres.sessions import Raced

Lane = tuple[str, str]
#: The lanes that an act touched; why it was refused; or None: it must wait for the acts before it.
Outcome = set[Lane] | Conflict | Duplicate | None
#: Rows that belong to no account.
OF_RELEASES = rows.ReleaseCredential | rows.ReleaseShare


class Queries(NamedTuple):
    """`sql`: statements of this engine. `many`: a put class's name to a statement over arrays. `single`: to one over a row's fields."""

    sql: dict[str, str]
    many: dict[str, Query]
    single: dict[str, Query]


class Found(NamedTuple):
    """What the guards are checked against, kept up to date with the acts that have passed."""

    lanes: dict[Lane, Any]
    deliveries: dict[Lane, int]
    healths: dict[tuple[str, str, str], int]
    documents: dict[tuple[str, str, str], int]
    taken: set[tuple[object, ...]]
    #: Rows that earlier acts of the batch write, and by which class.
    written: dict[tuple[object, ...], type]


class Transaction:
    """Statements of one open transaction."""

    def __init__(self, connection: Any, queries: Queries, release: str, lines: dict[Lane, set[Lane]] | None = None) -> None:
        self._connection = connection
        self._queries = queries
        self._release = release
        #: What this process knows of merged lanes: each with all that share its order, which are locked together.
        self._lines = {} if lines is None else lines

    async def fetch(self, query: str, *parameters: Any) -> list[Any]:
        """Run a named statement and return its rows."""
        return cast(list[Any], await self._connection.fetch(self._queries.sql[query], *parameters))

    async def _run(self, query: str, *parameters: Any) -> int:
        """Run a named statement and return how many rows it changed."""
        tag = await self._connection.execute(self._queries.sql[query], *parameters)
        return int(tag.rpartition(" ")[2])

    # --- acts ------------------------------------------------------------------------------------

    async def apply(self, acts: Sequence[Changes]) -> list[Outcome]:
        """Write the acts as if one after the other. What is refused is taken out before anything is written."""
        found = await self._look(acts)
        outcomes = [_judge(act, found) for act in acts]
        passed = [act for act, outcome in zip(acts, outcomes, strict=True) if isinstance(outcome, set)]
        if passed:
            await self._write(passed, found)
        return outcomes

    async def apply_all(self, acts: Sequence[Changes]) -> set[Lane]:
        """Write acts of which each may build on those before it. Returns the lanes that they touched; raises why one is refused."""
        touched: set[Lane] = set()
        while acts:
            found = await self._look(acts)
            passed: list[Changes] = []
            for act in acts:
                outcome = _judge(act, found)
                if outcome is None:
                    break
                if not isinstance(outcome, set):
                    raise outcome
                passed.append(act)
                touched |= outcome
            await self._write(passed, found)
            acts = acts[len(passed) :]
        return touched

    async def _look(self, acts: Sequence[Changes]) -> Found:
        lanes = await self._lock_lines(acts)
        deliveries: set[Lane] = set()
        healths: set[tuple[str, str, str]] = set()
        for act in acts:
            if any(put[0] not in (act.account, "") for put in act.puts if not isinstance(put, OF_RELEASES)):
                raise ValueError("an act writes rows of another account")
            for fold in ledger.guarded(act):
                row = fold.row
                if row.account not in (act.account, ""):
                    raise ValueError("an act changes rows of another account")
                if isinstance(row, Delivery):
                    deliveries.add((row.account, row.id))
                else:
                    healths.add((row.account, row.kind, row.subject))
        seen = {put[:3] for act in acts for put in act.puts if isinstance(put, rows.Seen)}
        documents = {put[:3] for act in acts for put in act.puts if isinstance(put, rows.Document) and put.version}
        answers = {put[:2] for act in acts for put in act.puts if isinstance(put, rows.Answer)}
        taken: set[tuple[object, ...]] = set()
        if seen:
            taken.update((rows.Seen, *row) for row in await self.fetch("seen_already", *_columns(seen)))
        if answers:
            taken.update((rows.Answer, *row) for row in await self.fetch("answered_already", *_columns(answers)))
        return Found(
            lanes,
            {(r[0], r[1]): r[2] for r in await self.fetch("delivery_versions", *_columns(deliveries))} if deliveries else {},
            {(r[0], r[1], r[2]): r[3] for r in await self.fetch("health_versions", *_columns(healths))} if healths else {},
            {r[:3]: r[3] for r in map(tuple, await self.fetch("document_versions", *_columns(documents)))} if documents else {},
            taken,
            {},
        )

    async def _lock_lines(self, acts: Sequence[Changes]) -> dict[Lane, Any]:
        """Lock the lanes that acts touch, and those that share their order. Raises Raced where that takes another attempt."""
        merging = sorted({(act.account, lane, merge.channel) for act in acts for merge in act.merges for lane in merge[:2]})
        if merging:
            await self._run("lanes_create", *_columns(merging))
        touched = {lane for act in acts for lane in _touched(act)}
        lanes = await self._lock(touched.union(*(self._lines[lane] for lane in touched if lane in self._lines)))
        merged = [lane for lane, row in lanes.items() if row["survivor"]]
        if merged:
            together = {(r[0], r[1]) for r in await self.fetch("lanes_merged", *_columns(merged))}
            if not together <= lanes.keys():
                # Locking the others now, out of turn, could wait for somebody who waits for these.
                self._lines.update((lane, together) for lane in together)
                raise Raced
        return lanes

    async def _lock(self, lanes: Iterable[Lane]) -> dict[Lane, Any]:
        wanted = sorted(lanes)
        return {(r[0], r[1]): r for r in await self.fetch("lanes_lock", *_columns(wanted))} if wanted else {}

    async def _write(self, acts: list[Changes], found: Found) -> None:
        for wave in waves(act.puts for act in acts):
            for cls, puts in wave.items():
                await self._put(cls.__name__, puts)
        tails = await self._tails(acts, found)
        made = _fold(acts, tails, self._release)
        if made.new:
            await self._run("lanes_tail", *_columns((*lane, tail) for lane, tail in sorted(tails.items())))
            await self._run("deliveries_add", *_columns(made.new))
        await self.set_deliveries(made.deliveries)
        for before, health in made.healths:
            if not await self.fetch("healths_set", *health, before):
                raise Raced
        await self.append(made.events)
        for schedule in [(*probe.schedule, *probe.health[:3]) for act in acts for probe in act.probes]:
            await self._run("health_schedule", *schedule)
        releases = [(act.account, release.lane, release.not_before) for act in acts for release in act.releases]
        if releases:
            await self._run("lanes_release", *_columns(releases))
        touched = sorted({lane for act in acts for lane in _touched(act)})
        await self.refresh(touched)
        merges = [(act.account, merge) for act in acts for merge in act.merges]
        for account, merge in merges:
            await self._run("lanes_merge", merge.into, account, merge.lane)
        if merges or any(found.lanes[lane]["survivor"] for lane in touched):
            await self._run("lines_order", *_columns(touched))

    async def _put(self, name: str, puts: Sequence[Any]) -> None:
        if name == "Ticket":
            puts = await self._number(puts)
        if name == "Document":
            for document in puts:
                if not await self.fetch("document_set", *document):
                    raise Raced
            return
        query = self._queries.many.get(name)
        if query is not None:
            await self._connection.execute(query.sql, *([getattr(put, field) for put in puts] for field in query.parameters))
            return
        query = self._queries.single[name]
        await self._connection.executemany(query.sql, [tuple(getattr(put, field) for field in query.parameters) for put in puts])

    async def _number(self, tickets: Sequence[rows.Ticket]) -> list[rows.Ticket]:
        wanted = sorted(Counter(ticket.account for ticket in tickets).items())
        following: dict[str, int] = dict(await self.fetch("ticket_numbers", *_columns(wanted)))
        numbered = []
        for ticket in tickets:
            if ticket.account not in following:
                raise ValueError("a ticket belongs to an account that does not exist")
            numbered.append(ticket._replace(number=following[ticket.account]))
            following[ticket.account] += 1
        return numbered

    async def _tails(self, acts: Iterable[Changes], found: Found) -> dict[Lane, int]:
        """The last place given in each lane that something is queued in; lanes are created with their first delivery."""
        channels = {(act.account, new.lane): new.channel for act in acts for new in act.queue}
        missing = sorted(lane for lane in channels if lane not in found.lanes)
        if missing:
            await self._run("lanes_create", *_columns((*lane, channels[lane]) for lane in missing))
            found.lanes.update(await self._lock(missing))
        return {lane: found.lanes[lane]["tail"] for lane in channels}

    # --- shared with claiming --------------------------------------------------------------------

    async def set_deliveries(self, changed: Sequence[tuple[int, Delivery]]) -> None:
        """Write rows that were folded from the version named beside each. Raises Raced if one has changed since."""
        if not changed:
            return
        columns = _columns(
            (
                d.account, d.id, before, d.state, d.reason, d.code, d.question, d.attempt, d.attempt_open, d.spent, d.epoch, d.returned,
                d.rank, d.provider_id, d.ready_at, d.settle_at, d.started_at, d.accepted_at, d.doubt_since, d.version,
            )
            for before, d in changed
        )  # fmt: skip
        if await self._run("deliveries_set", *columns) != len(changed):
            raise Raced

    async def append(self, events: Sequence[ledger.EventRow]) -> None:
        """Write events, in this order."""
        if events:
            await self._run("events_add", *_columns(events))

    async def refresh(self, lanes: Iterable[Lane]) -> None:
        """Derive head, readiness and blocking of lanes from their deliveries."""
        wanted = sorted(lanes)
        if wanted:
            await self._run("lanes_refresh", *_columns(wanted))


class Folded(NamedTuple):
    """What acts make of the ledger and its rows; rows that change stand beside the version that they are folded from."""

    events: list[ledger.EventRow]
    new: list[Delivery]
    deliveries: list[tuple[int, Delivery]]
    healths: list[tuple[int, Health]]


def _fold(acts: Iterable[Changes], tails: dict[Lane, int], release: str) -> Folded:
    """One act after the other; `tails` moves on with every delivery that is queued."""
    made = Folded([], [], [], [])
    for act in acts:
        for queued in act.queue:
            tails[act.account, queued.lane] += 1
            made.new.append(ledger.begin_delivery(act, queued, tails[act.account, queued.lane], release, made.events))
        for fold in act.folds:
            row = fold.row
            if isinstance(row, Delivery):
                made.deliveries.append((row.version, ledger.fold_delivery(act, row, fold.events, release, made.events)))
            else:
                made.healths.append((row.version, ledger.fold_health(act, row, fold.events, release, made.events)))
        made.events.extend(ledger.loose_row(act, loose, release) for loose in act.loose)
    return made


def _columns(table: Iterable[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(zip(*table, strict=True))


def _touched(act: Changes) -> set[Lane]:
    found = {(act.account, new.lane) for new in act.queue}
    found.update((act.account, release.lane) for release in act.releases)
    found.update((act.account, lane) for merge in act.merges for lane in merge[:2])
    found.update((fold.row.account, fold.row.lane) for fold in act.folds if isinstance(fold.row, Delivery))
    return found


def _judge(act: Changes, found: Found) -> Outcome:
    """Whether the act may be written after those before it; if so, note what it changes."""
    if any(found.written.get(row_written(put), type(put)) is not type(put) for put in act.puts):
        # Two kinds of writes to one row: the next batch keeps them in order.
        return None
    refused = _fenced(act, found) or _conflict(act, found) or _outdated(act, found) or _duplicate(act, found)
    if refused is not None:
        return refused
    for release in act.releases:
        found.lanes[act.account, release.lane] = {**found.lanes[act.account, release.lane], "owner": ""}
    for fold in act.folds:
        row = fold.row
        after = row.version + len(fold.events)
        if isinstance(row, Delivery):
            found.deliveries[row.account, row.id] = after
        else:
            found.healths[row.account, row.kind, row.subject] = after
    for put in act.puts:
        if isinstance(put, rows.Seen | rows.Answer):
            found.taken.add(row_written(put))
        elif isinstance(put, rows.Document):
            found.documents[put[:3]] = put.version
        found.written[row_written(put)] = type(put)
    return _touched(act)


def _fenced(act: Changes, found: Found) -> Conflict | None:
    for release in act.releases:
        lane = found.lanes.get((act.account, release.lane))
        if lane is None or (lane["owner"], lane["fence"]) != (release.worker, release.fence):
            return Fenced(release.lane)
    return None


def _conflict(act: Changes, found: Found) -> Conflict | None:
    for fold in act.folds:
        row = fold.row
        if isinstance(row, Delivery):
            if found.deliveries.get((row.account, row.id)) != row.version:
                return Conflict(row.id)
        elif found.healths.get((row.account, row.kind, row.subject), 0) != row.version:
            return Conflict(row.subject)
    return None


def _outdated(act: Changes, found: Found) -> Conflict | None:
    for put in act.puts:
        if isinstance(put, rows.Document) and put.version and found.documents.get(put[:3], 0) != put.version - 1:
            return Conflict(put.id)
    return None


def _duplicate(act: Changes, found: Found) -> Duplicate | None:
    for put in act.puts:
        if isinstance(put, rows.Seen | rows.Answer) and row_written(put) in found.taken:
            return Duplicate(type(put).__name__.lower())
    return None
