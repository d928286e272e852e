"""Whatever happens in whatever order: the rows follow from the ledger, and nothing overtakes in its conversation."""

import asyncio
from collections.abc import Coroutine
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from heliograph.domain import decide
from heliograph.domain.delivery import OPEN, TAKEN, Delivery, State
from heliograph.domain.outcomes import Absent, Accepted, Deferred, Found, ReceiptLevel, Refused, Unknown
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports.store import SWEEPER, Changes, Claimed, Conflict, Fenced, Fold, Release
from heliograph.storage.sqlite.store import SqliteStore
from tests.databases import TEMPLATE, fresh_database
from tests.storage.acts import ASKS, LEASE, LOOKS_UP, NOW, Place, folding, found_account, reply, result
from tests.storage.engines import AnyStore, Engine, PostgresEngine, SqliteEngine, inside
from tests.storage.law import check_awake, check_law

T = TypeVar("T")
WORKERS = st.sampled_from(["w1", "w2"])
OUTCOMES = st.sampled_from(
    [
        Accepted("p"), Accepted("p"), Refused(Reason.TOO_LARGE, "413"), Deferred(Reason.RATE_LIMITED, after=3.0),
        Deferred(Reason.BAD_CREDENTIALS), Deferred(Reason.BAD_REQUEST), Unknown(Reason.NO_ANSWER),
    ]
)  # fmt: skip
POLICIES = st.sampled_from([ASKS, LOOKS_UP])


class StoreMachine(RuleBasedStateMachine):
    """Random acts of agents, workers, providers and the sweeper on two accounts with two conversations each."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = NOW
        self.made = 0
        self.hands: list[tuple[str, Claimed]] = []
        self.store: AnyStore = self.run(self.engine.open())
        self.places: list[Place] = [
            *self.run(found_account(self.store, "acc_a", lanes=2)),
            *self.run(found_account(self.store, "acc_b", lanes=2)),
        ]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def pick(self, place: int, which: int) -> Delivery | None:
        """Some delivery of a place."""
        chosen = self.places[place]
        found = self.run(self.store.deliveries_of(chosen.account, chosen.ticket))
        return found[which % len(found)] if found else None

    @rule(place=st.integers(0, 3), parts=st.integers(1, 2), others=st.integers(0, 2))
    def agents_reply(self, place: int, parts: int, others: int) -> None:
        async def write() -> None:
            acts = []
            for n in range(others + 1):
                self.made += 1
                chosen = self.places[(place + n) % 4]
                acts.append(self.store.commit(reply(chosen, f"r{self.made:04}", parts=parts, at=self.now)))
            await asyncio.gather(*acts)

        self.run(write())

    @rule(worker=WORKERS, limit=st.integers(1, 4))
    def worker_claims(self, worker: str, limit: int) -> None:
        lease = self.now + LEASE
        for claimed in self.run(self.store.claim(worker=worker, now=self.now, lease_until=lease, limit=limit)):
            self.hands.append((worker, claimed))

    @precondition(lambda self: self.hands)
    @rule(which=st.integers(0, 9), outcome=OUTCOMES, policy=POLICIES)
    def provider_answers(self, which: int, outcome: Any, policy: decide.Policy) -> None:
        worker, claimed = self.hands.pop(which % len(self.hands))
        if isinstance(outcome, Accepted):
            outcome = Accepted(f"p-{claimed.delivery.key}")
        act = result(claimed, outcome, worker=worker, at=self.now, policy=policy)
        try:
            self.run(self.store.commit(act))
        except Fenced:
            # Too late: the sweeper or another worker has it. What the answer proves is still taken.
            self.late(claimed, outcome)
        except Conflict:
            # An echo came first: decide again on the row as it is.
            self.again(worker, claimed, outcome, policy)

    def late(self, claimed: Claimed, outcome: Any) -> None:
        row = self.run(self.store.delivery(claimed.delivery.account, claimed.delivery.id))
        assert row is not None
        events = decide.late_answer(row, claimed.delivery.attempt, outcome)
        if events:
            self.run(self.store.commit(folding(row, events, at=self.now)))

    def again(self, worker: str, claimed: Claimed, outcome: Any, policy: decide.Policy) -> None:
        row = self.run(self.store.delivery(claimed.delivery.account, claimed.delivery.id))
        assert row is not None
        self.run(self.store.commit(result(claimed._replace(delivery=row), outcome, worker=worker, at=self.now, policy=policy)))

    @rule(place=st.integers(0, 3), which=st.integers(0, 9), how=st.sampled_from([decide.cancel, decide.resend, decide.mark_sent]))
    def agent_decides(self, place: int, which: int, how: Any) -> None:
        row = self.pick(place, which)
        if row is None:
            return
        try:
            events = how(row)
        except decide.Refusal:
            return
        self.run(self.store.commit(folding(row, events, at=self.now, actor="agent:agt_1")))

    @rule(
        place=st.integers(0, 3),
        which=st.integers(0, 9),
        level=st.sampled_from(list(ReceiptLevel)),
        reason=st.sampled_from([Reason.BLOCKED, Reason.NOT_PERMITTED]),
        by_key=st.booleans(),
    )
    def receipt_arrives(self, place: int, which: int, level: ReceiptLevel, reason: Reason, by_key: bool) -> None:
        row = self.pick(place, which)
        if row is None or not row.attempt:
            return
        key, provider_id = (row.key, "") if by_key else ("", row.provider_id)
        events = decide.receive(row, level=level, provider_id=provider_id, key=key, reason=reason, code="c", final=True)
        if events:
            self.run(self.store.commit(folding(row, events, at=self.now, actor="contact")))

    @rule(answer=st.sampled_from([Found("p-found"), Absent(), None]))
    def settling_falls_due(self, answer: Any) -> None:
        for row in self.run(self.store.due_settlements(self.now, 3)):
            events = decide.settle(row, answer, LOOKS_UP, now=self.now, jitter=0.5)
            self.run(self.store.commit(folding(row, events, at=self.now)))

    @rule()
    def sweeper_comes(self) -> None:
        for account, lane, fence, head in self.run(self.store.expire(now=self.now)):
            act = Changes(account, self.now, releases=[Release(lane, SWEEPER, fence)])
            if head is not None and head.state is State.SENDING:
                act.folds.append(Fold(head, decide.interrupted(head, ASKS, now=self.now)))
            self.run(self.store.commit(act))

    @rule(seconds=st.sampled_from([1, 5, 40]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(worker=WORKERS)
    def worker_prolongs(self, worker: str) -> None:
        self.run(self.store.extend(worker=worker, now=self.now, lease_until=self.now + LEASE))

    @invariant()
    def the_law_holds(self) -> None:
        for account in ("acc_a", "acc_b"):
            self.run(check_law(self.store, account))
        if isinstance(self.store, SqliteStore):
            check_awake(self.store)

    @invariant()
    def nothing_overtakes(self) -> None:
        """A reply that was never decided about by a person or a receipt is accepted after all that were written before it."""
        for place in self.places:
            lane = sorted(self.run(self.store.deliveries_of(place.account, place.ticket)), key=lambda row: row.seq)
            for earlier, later in combinations(lane, 2):
                if later.state in TAKEN and earlier.state in OPEN:
                    assert earlier.epoch, (earlier, later)

    @invariant()
    def a_lane_has_one_attempt_under_way(self) -> None:
        found = self.run(inside(self.store, "SELECT account, lane, count(*) FROM delivery WHERE attempt_open = 1 GROUP BY account, lane"))
        assert [row for row in found if row[2] > 1] == []

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()


def play(make: type[StoreMachine], *, histories: int, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    """Each step is checked in full, so that few histories find much."""
    few = settings(max_examples=histories, stateful_step_count=40, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(make, settings=few)


def test_any_history_on_sqlite() -> None:
    class OnSqlite(StoreMachine):
        def __init__(self) -> None:
            self.folder = TemporaryDirectory()
            self.engine = SqliteEngine(Path(self.folder.name) / "heliograph.db")
            super().__init__()

        def teardown(self) -> None:
            super().teardown()
            self.folder.cleanup()

    play(OnSqlite, histories=100)


def test_any_history_on_postgres(postgres_server: Any) -> None:
    class OnPostgres(StoreMachine):
        def __init__(self) -> None:
            self.database = fresh_database(postgres_server, TEMPLATE)
            self.engine = PostgresEngine(asyncio.run(self.database.__aenter__()))
            super().__init__()

        def teardown(self) -> None:
            super().teardown()
            asyncio.run(self.database.__aexit__())

    # Every history costs a database: what fails is told as it is, not made shorter.
    play(OnPostgres, histories=10, phases=(Phase.generate,))
