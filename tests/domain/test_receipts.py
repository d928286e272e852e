"""Receipts are facts that come in any order: what they may change, and what they may not."""

from heliograph.domain import events as ev
from heliograph.domain.delivery import Delivery, State, evolve, queued
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason


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
