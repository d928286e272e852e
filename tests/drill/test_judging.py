"""The judge tells by the service's record alone which replies were held up."""

from typing import Any

from heliograph.drill.place import Reply
from heliograph.drill.truth import SECOND, by_time


def reply(id: str, at: float, conversation: str = "c", *, asked_at: float = 0.0) -> Reply:
    return Reply(at, "acc", "agt", "tkt", conversation, id, id, asked_at or at)


def message(id: str, at: float, conversation: str = "c") -> dict[str, Any]:
    return {"at": int(at * SECOND), "conversation": conversation, "labels": [f"{id}.1"]}


def call(at: float, *, taken: bool, outcome: str = "201", conversation: str = "c") -> dict[str, Any]:
    return {"at": int(at * SECOND), "conversation": conversation, "taken": taken, "outcome": outcome}


def test_what_is_taken_at_once_was_not_held_up_and_what_is_late_was() -> None:
    replies = [reply("a", 10), reply("b", 11), reply("c", 12)]
    accepted = [message("a", 10.05), message("b", 11.6), message("c", 14)]
    assert by_time(replies, accepted, []) == ({"c"}, {"b"})


def test_nothing_is_told_of_a_reply_that_was_saved_long_before_its_writer_knew() -> None:
    assert by_time([reply("a", 10, asked_at=9), reply("b", 10, asked_at=9.95)], [message("a", 10.05), message("b", 10.05)], []) == (
        set(),
        {"a"},
    )


def test_what_never_arrives_was_held_up() -> None:
    assert by_time([reply("a", 10)], [], []) == ({"a"}, set())


def test_a_refused_call_was_for_the_first_of_its_conversation_that_was_not_taken() -> None:
    replies = [reply("a", 10), reply("b", 10.1), reply("x", 10, "d")]
    accepted = [message("a", 10.3), message("b", 10.35), message("x", 10.02, "d")]
    assert by_time(replies, accepted, [call(10.05, taken=False, outcome="401")]) == ({"a"}, {"b"})


def test_what_was_taken_without_an_answer_was_held_up() -> None:
    calls = [call(10.05, taken=True, outcome="dropped_after"), call(10.5, taken=True, conversation="d")]
    accepted = [message("a", 10.0501), message("x", 10.5, "d")]
    assert by_time([reply("a", 10), reply("x", 10.45, "d")], accepted, calls) == ({"a"}, set())
