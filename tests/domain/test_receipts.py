"""Receipts are facts that come in any order: what they may change, and what they may not."""

from heliograph.domain import decide, events as ev
from heliograph.domain.delivery import Delivery, Question, State, evolve, queued
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import BUDGET


def sending() -> Delivery:
    row = queued(account="a", id="d", ticket="t", comment="c", channel="h", lane="l", seq=1, event=ev.ReplyQueued(1, 1), now=1)
    return evolve(row, ev.AttemptStarted(1, "f"), 2)


def test_a_failure_that_arrives_before_the_answer_changes_neither_key_nor_state() -> None:
    before = sending()
    for early in (ev.ReceiptReturned(Reason.NOT_PERMITTED, "x", "p"), ev.ReceiptFailed(Reason.BLOCKED, "x", "p")):
        after = evolve(before, early, 3)
        assert (after.state, after.key, after.rank, after.version) == (State.SENDING, before.key, before.rank, before.version + 1)


def test_receipts_in_any_order_give_the_same_state() -> None:
    accepted = evolve(sending(), ev.AttemptAccepted(1, "p"), 3)
    read, delivered = ev.ReceiptReceived(ReceiptLevel.READ, "p"), ev.ReceiptReceived(ReceiptLevel.DELIVERED, "p")
    one = evolve(evolve(accepted, read, 4), delivered, 5)
    other = evolve(evolve(accepted, delivered, 4), read, 5)
    assert one.state == other.state == State.READ


def returned(row: Delivery, *, spent: int, ready_at: int = 0) -> list[ev.Event]:
    return decide.receive(
        row, level=ReceiptLevel.FAILED, provider_id="p", key="", reason=Reason.PROVIDER_DOWN, code="131000", final=True, spent=spent,
        ready_at=ready_at,
    )  # fmt: skip


def accepted_again(row: Delivery) -> Delivery:
    row = evolve(row, ev.AttemptStarted(row.attempt + 1, "f"), 4)
    return evolve(row, ev.AttemptAccepted(row.attempt, "p"), 5)


def test_what_the_provider_hands_back_while_others_arrive_ends_in_a_question() -> None:
    row = evolve(sending(), ev.AttemptAccepted(1, "p"), 3)
    rounds = 0
    while row.state is State.ACCEPTED:
        for event in returned(row, spent=1, ready_at=50):
            row = evolve(row, event, 6)
        rounds += 1
        assert row.ready_at == 50
        if row.state is State.QUEUED:
            row = accepted_again(row)
    assert (rounds, row.state, row.question, row.spent) == (BUDGET, State.ASKING, Question.EXHAUSTED, BUDGET)
    again = evolve(row, decide.resend(row)[0], 7)
    assert (again.state, again.spent, again.returned) == (State.QUEUED, 0, 0)


def test_what_is_handed_back_for_the_channel_s_fault_is_never_spent() -> None:
    row = evolve(sending(), ev.AttemptAccepted(1, "p"), 3)
    for _ in range(5 * BUDGET):
        [event] = returned(row, spent=0)
        row = evolve(row, event, 6)
        assert (row.state, row.spent, row.ready_at) == (State.QUEUED, 0, 6)
        row = accepted_again(row)


def test_a_message_that_has_arrived_asks_nothing_however_often_it_is_handed_back() -> None:
    row = evolve(sending(), ev.AttemptAccepted(1, "p"), 3)
    row = evolve(row, ev.ReceiptReceived(ReceiptLevel.DELIVERED, "p"), 4)._replace(spent=BUDGET)
    for event in returned(row, spent=1):
        row = evolve(row, event, 6)
    assert (row.state, row.spent) == (State.DELIVERED, BUDGET)
