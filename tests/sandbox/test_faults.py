"""Each fault does what its name says, as data that a transport can carry out."""

import json

import pytest

from heliograph.sandbox.faults import BadFault, Fault, Mode, fault_from_json
from heliograph.sandbox.wire import Cut, Drip, Drop, Park, Refuse, Reply
from tests.sandbox.world import World


def taken(world: World) -> list[str]:
    return [t.text for t in world.sandbox.tally.taken()]


@pytest.mark.parametrize(
    ("mode", "code", "is_taken"),
    [
        (Mode.REVOKED, 401, False),
        (Mode.NOT_PERMITTED, 403, False),
        (Mode.RATE_LIMITED, 429, False),
        (Mode.ERROR_NOT_TAKEN, 500, False),
        (Mode.ERROR_TAKEN, 500, True),
        (Mode.GARBAGE, 200, True),
    ],
)
def test_answers(mode: Mode, code: int, is_taken: bool) -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", mode))
    assert world.code(world.send("x")) == code
    assert taken(world) == (["x"] if is_taken else [])


def test_lost_answers_and_lost_requests() -> None:
    world = World()
    fault = world.sandbox.faults.set(Fault("sunshine", Mode.ANSWER_LOST))
    assert world.send("a") == Drop(taken=True)
    world.sandbox.faults.clear(id=fault.id)
    world.sandbox.faults.set(Fault("sunshine", Mode.REQUEST_LOST))
    assert world.send("b") == Drop(taken=False)
    assert taken(world) == ["a"]


def test_down_refuses_connections() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.DOWN))
    assert world.send("a") == Refuse()
    assert world.telegram("sendMessage", {"chat_id": world.demo.chat_id, "text": "other service"}) != Refuse()
    assert taken(world) == ["other service"]


def test_slow_is_taken_at_once_and_answered_later() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.SLOW, delay=7.0))
    outcome = world.send("a")
    assert isinstance(outcome, Reply)
    assert (outcome.delay, outcome.response.code, taken(world)) == (7.0, 201, ["a"])


def test_taken_late_is_taken_after_its_delay() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.TAKEN_LATE, delay=30.0, count=1))
    outcome = world.send("late")
    assert isinstance(outcome, Park) and not outcome.wakeable
    assert outcome.until == world.time + 30_000_000
    world.send("meanwhile")
    world.pass_time(30)
    assert world.code(outcome.again()) == 201
    assert taken(world) == ["meanwhile", "late"]


def test_truncated_and_dripping_bodies() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.TRUNCATED, count=1))
    cut = world.send("a")
    assert isinstance(cut, Cut) and 0 < cut.keep < len(cut.response.body)
    world.sandbox.faults.set(Fault("sunshine", Mode.DRIP, count=1, delay=0.5))
    drip = world.send("b")
    assert isinstance(drip, Drip) and drip.interval == 0.5
    assert json.loads(drip.response.body)["messages"]
    assert taken(world) == ["a", "b"]


def test_retry_after_only_when_asked_for() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.RATE_LIMITED, count=1))
    world.sandbox.faults.set(Fault("sunshine", Mode.RATE_LIMITED, count=1, retry_after=9))
    first, second = world.send("a"), world.send("b")
    assert isinstance(first, Reply) and "retry-after" not in first.response.headers
    assert isinstance(second, Reply) and second.response.headers["retry-after"] == "9"


def test_a_count_is_spent_and_a_state_stays() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.ERROR_NOT_TAKEN, count=2))
    assert [world.code(world.send("x")) for _ in range(4)] == [500, 500, 201, 201]
    assert world.sandbox.faults.active() == []


def test_an_operation_and_a_key_limit_a_fault() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.ERROR_NOT_TAKEN, operation="ListMessages"))
    assert world.code(world.send("x")) == 201
    assert world.code(world.ask("GET", f"/conversations/{world.demo.conversation_id}/messages")) == 500
    world.sandbox.faults.clear()
    world.sandbox.faults.set(Fault("sunshine", Mode.REVOKED, key=world.demo.account_key_id))
    assert world.code(world.ask("GET", "")) == 200
    assert world.code(world.ask("GET", "", key=world.demo.account_key_id, secret=world.demo.account_key_secret)) == 401


def test_probability_is_about_right_and_repeats_with_the_seed() -> None:
    runs = []
    for _ in range(2):
        world = World(seed=7)
        world.sandbox.faults.set(Fault("sunshine", Mode.ERROR_NOT_TAKEN, probability=0.3))
        runs.append([world.code(world.send("x")) for _ in range(400)])
    assert runs[0] == runs[1]
    assert 80 < runs[0].count(500) < 160


def test_a_receipt_refuses_what_was_accepted() -> None:
    world = World()
    world.sandbox.faults.set(Fault("sunshine", Mode.RECEIPT_FAILURE, count=1, error_code="unauthorized"))
    assert world.code(world.send("x", "k1")) == 201
    world.pass_time(1)
    events = [e for envelope in world.hooks() for e in envelope["events"]]
    assert [e["type"] for e in events] == ["conversation:create", "conversation:message", "conversation:message:delivery:failure"]
    assert events[2]["payload"]["error"]["code"] == "unauthorized"
    assert events[2]["payload"]["message"] == {"id": events[1]["payload"]["message"]["id"]}


def test_a_bot_owns_the_conversations_and_gives_them_back() -> None:
    world = World()
    place = f"/conversations/{world.demo.conversation_id}"

    def owner() -> str:
        outcome = world.ask("GET", place)
        assert isinstance(outcome, Reply)
        return json.loads(outcome.response.body)["conversation"]["activeSwitchboardIntegration"]["name"]

    fault = world.sandbox.faults.set(Fault("sunshine", Mode.BOT_OWNS))
    assert owner() == "answer-bot"
    world.sandbox.sunshine.contacts.text(world.demo.conversation_id, "hello?")
    listed = world.ask("GET", place + "/messages")
    assert isinstance(listed, Reply)
    assert [m["author"].get("displayName") for m in json.loads(listed.response.body)["messages"]] == ["Ada", "answer-bot"]
    world.sandbox.faults.clear(id=fault.id)
    assert owner() == "heliograph"
    assert taken(world) == []


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"service": "sunshine"},
        {"service": "sunshine", "mode": "nonsense"},
        {"service": "fax", "mode": "down"},
        {"service": "sunshine", "mode": "down", "count": 3},
        {"service": "sunshine", "mode": "slow", "count": 0},
        {"service": "sunshine", "mode": "slow", "count": True},
        {"service": "sunshine", "mode": "slow", "probability": 2},
        {"service": "sunshine", "mode": "slow", "surprise": 1},
        {"service": "telegram", "mode": "receipt_failure"},
        {"service": "messenger", "mode": "receipt_failure"},
        "slow",
    ],
)
def test_senseless_faults_are_refused(bad: object) -> None:
    with pytest.raises(BadFault):
        fault_from_json(bad)
