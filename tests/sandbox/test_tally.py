"""The judge counts lost, doubled and overtaken from what was taken alone."""

import pytest
from hypothesis import given, strategies as st

from heliograph.sandbox.tally import BadReport, Counts, Tally
from tests.sandbox.world import World


def tally() -> Tally:
    return Tally(lambda: None)


def take(judge: Tally, key: str | None, text: str = "x", conversation: str = "c") -> None:
    metadata = {"any_name": key, "other": 1} if key else None
    judge.take(at=0, service="sunshine", conversation=conversation, message_id="m", text=text, metadata=metadata)


def write(judge: Tally, *keys: str, conversation: str = "c") -> None:
    for key in keys:
        judge.write(service="sunshine", conversation=conversation, key=key)


def test_all_well() -> None:
    judge = tally()
    write(judge, "a", "b")
    take(judge, "a")
    assert judge.counts() == Counts(written=2, delivered=1, waiting=1, accepted=1)
    take(judge, "b")
    assert judge.counts() == Counts(written=2, delivered=2, accepted=2)


def test_lost_only_at_the_end_or_when_the_desk_claims_it_was_delivered() -> None:
    judge = tally()
    write(judge, "a", "b", "c", "d")
    judge.claim(service="sunshine", conversation="c", key="a", claim="accepted")
    judge.claim(service="sunshine", conversation="c", key="b", claim="failed")
    assert judge.counts() == Counts(written=4, waiting=2, lost=1, given_up=1)
    judge.finish()
    assert judge.counts() == Counts(written=4, lost=3, given_up=1)


def test_doubled_counts_every_copy_too_many() -> None:
    judge = tally()
    write(judge, "a")
    for _ in range(3):
        take(judge, "a")
    assert judge.counts().doubled == 2
    take(judge, "phantom")
    take(judge, "phantom")
    assert (judge.counts().doubled, judge.counts().unexpected) == (3, 1)


def test_overtaken_is_what_came_after_a_later_one() -> None:
    judge = tally()
    write(judge, "a", "b", "c", "d")
    for key in ("b", "a", "d", "c"):
        take(judge, key)
    assert judge.counts().overtaken == 2


def test_a_repetition_does_not_overtake() -> None:
    judge = tally()
    write(judge, "a", "b")
    for key in ("a", "b", "a"):
        take(judge, key)
    assert (judge.counts().overtaken, judge.counts().doubled) == (0, 1)


def test_a_report_may_come_after_the_message() -> None:
    judge = tally()
    take(judge, "b")
    take(judge, "a")
    assert judge.counts().unexpected == 2
    write(judge, "a", "b")
    assert judge.counts() == Counts(written=2, delivered=2, overtaken=1, accepted=2)


def test_texts_without_keys_match_in_order_and_twice_written_is_not_doubled() -> None:
    judge = tally()
    for text in ("ok", "bye", "ok"):
        judge.write(service="telegram", conversation="7", text=text)
    for text in ("ok", "bye", "ok"):
        judge.take(at=0, service="telegram", conversation="7", message_id="m", text=text, metadata=None)
    assert judge.counts() == Counts(written=3, delivered=3, accepted=3)
    judge.take(at=0, service="telegram", conversation="7", message_id="m", text="ok", metadata=None)
    assert judge.counts().doubled == 1


def test_without_reports_the_same_text_twice_is_doubled() -> None:
    judge = tally()
    take(judge, None, "hello")
    take(judge, None, "hello")
    take(judge, None, "hello", conversation="other")
    assert judge.counts().doubled == 1


def test_reports_that_make_no_sense() -> None:
    judge = tally()
    with pytest.raises(BadReport):
        judge.write(service="sunshine", conversation="c")
    with pytest.raises(BadReport):
        judge.claim(service="sunshine", conversation="c", key="nobody", claim="accepted")
    write(judge, "a", "a")
    assert judge.counts().written == 1


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_every_written_reply_is_in_exactly_one_column(order: list[int], copies: list[int]) -> None:
    judge = tally()
    write(judge, *(f"k{n}" for n in range(6)))
    for number in order[:4] + [c for c in copies if c in order[:4]]:
        take(judge, f"k{number}")
    counts = judge.counts()
    assert counts.written == counts.delivered + counts.waiting + counts.lost + counts.given_up
    assert counts.doubled == sum(1 for c in copies if c in order[:4])
    assert (counts.overtaken == 0) == (order[:4] == sorted(order[:4]))


def test_the_journal_tells_what_came_after_the_first_refusal() -> None:
    world = World()
    world.send("a")
    key = world.sandbox.sunshine.center.keys[world.demo.key_id]
    key.revoked = True
    world.send("b")
    world.pass_time(0.05)
    world.send("c")
    journal = world.sandbox.journal
    first = journal.first_with_outcome("401")
    assert first is not None
    after = journal.find(service="sunshine", operation="send", after=first)
    assert [(r["at"] - world.time, r["key"], r["outcome"], r["taken"]) for r in after] == [(0, world.demo.key_id, "401", False)]
    assert [r["outcome"] for r in journal.find(operation="PostMessage")] == ["201", "401", "401"]
