"""The judge tells by the service's record alone which replies were held up."""

from typing import Any

from heliograph.drill.place import Reply
from heliograph.drill.truth import SECOND, Span, by_time

BROKEN = Span(10, 13)


def reply(id: str, at: float, conversation: str = "c", *, asked_at: float = 0.0) -> Reply:
    return Reply(at, "acc", "agt", "tkt", conversation, id, id, asked_at or at)


def message(id: str, at: float, conversation: str = "c") -> dict[str, Any]:
    return {"at": int(at * SECOND), "conversation": conversation, "labels": [f"{id}.1"]}


def call(at: float, *, taken: bool, outcome: str = "201", conversation: str = "c") -> dict[str, Any]:
    return {"at": int(at * SECOND), "conversation": conversation, "taken": taken, "outcome": outcome, "group": "send"}


def test_what_is_taken_at_once_was_not_held_up_and_what_is_late_was() -> None:
    replies = [reply("a", 10), reply("b", 11), reply("c", 12)]
    accepted = [message("a", 10.05), message("b", 11.6), message("c", 14)]
    assert by_time(replies, accepted, [], BROKEN) == ({"c"}, {"b"})


def test_nothing_is_told_of_a_reply_that_was_saved_long_before_its_writer_knew() -> None:
    assert by_time([reply("a", 10, asked_at=9), reply("b", 10, asked_at=9.95)], [message("a", 10.05), message("b", 10.05)], [], BROKEN) == (
        set(),
        {"a"},
    )


def test_what_never_arrives_was_held_up() -> None:
    assert by_time([reply("a", 10)], [], [], BROKEN) == ({"a"}, set())


def test_a_refused_call_was_for_the_first_of_its_conversation_that_was_not_taken() -> None:
    replies = [reply("a", 10), reply("b", 10.1), reply("x", 10, "d")]
    accepted = [message("a", 10.3), message("b", 10.35), message("x", 10.02, "d")]
    assert by_time(replies, accepted, [call(10.05, taken=False, outcome="401")], BROKEN) == ({"a"}, {"b"})


def test_what_was_taken_without_an_answer_was_held_up() -> None:
    calls = [call(10.05, taken=True, outcome="dropped_after"), call(10.5, taken=True, conversation="d")]
    accepted = [message("a", 10.0501), message("x", 10.5, "d")]
    assert by_time([reply("a", 10), reply("x", 10.45, "d")], accepted, calls, BROKEN) == ({"a"}, set())


def test_what_was_written_behind_a_held_one_was_held_up_too() -> None:
    replies = [reply("a", 10), reply("b", 11), reply("x", 11, "d"), reply("c", 11.9)]
    accepted = [message("a", 12), message("b", 12.1), message("x", 12.1, "d"), message("c", 12.2)]
    # c waited no longer than what counts as at once; of x, whose conversation was free, the record does not say what it waited for.
    assert by_time(replies, accepted, [], BROKEN) == ({"a", "b"}, {"x", "c"})


def test_a_slow_machine_holds_nothing_up_while_nothing_is_broken_and_nothing_fails() -> None:
    replies = [reply("a", 5), reply("b", 20), reply("c", 30)]
    accepted = [message("a", 6), message("y", 13.5), message("b", 21), message("c", 31), message("z", 32)]
    calls = [call(13.5, taken=True), call(21, taken=True), call(30.5, taken=False, outcome="503", conversation="d"), call(32, taken=True)]
    assert by_time(replies, accepted, calls, BROKEN) == (set(), {"c"})


def test_trouble_ends_with_the_first_message_that_is_taken_after_the_mending() -> None:
    replies = [reply("a", 13.2), reply("b", 40)]
    accepted = [message("a", 14.5), message("b", 41)]
    assert by_time(replies, accepted, [call(12, taken=True), call(14.5, taken=True)], BROKEN) == (set(), {"a"})
    assert by_time(replies, accepted, [call(12, taken=True)], BROKEN) == (set(), {"a", "b"})
