"""Webhook calls: what is in them, when they are repeated, and how faults spoil them."""

import itertools
import json
from typing import Any

import pytest

from heliograph.sandbox.faults import Fault, Mode
from tests.sandbox.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.hooks()
    return made


def test_the_call_is_signed_by_its_secret_and_names_app_and_webhook(world: World) -> None:
    world.sandbox.sunshine.contacts.text(world.demo.conversation_id, "hi")
    (call,) = world.sandbox.outbox.due()
    assert (call.url, call.headers["x-api-key"], call.timeout) == ("http://desk.invalid/hook", "s3cret", 20.0)
    envelope = json.loads(call.body)
    assert envelope["app"] == {"id": world.demo.app_id}
    assert envelope["webhook"] == {"id": world.demo.webhook_id, "version": "v2"}
    assert envelope["events"][0]["payload"]["message"]["content"]["text"] == "hi"


def test_our_own_sends_come_back_with_their_metadata_and_are_confirmed(world: World) -> None:
    world.send("hello", "r1")
    (echo,) = world.hooks()
    message = echo["events"][0]["payload"]["message"]
    assert (message["metadata"], message["author"]["type"]) == ({"ours": "r1"}, "business")
    world.pass_time(1)
    assert world.kinds() == ["conversation:message:delivery:channel", "conversation:message:delivery:user"]


@pytest.mark.parametrize("answer", [500, 503, 409, None])
def test_a_call_is_made_five_times_in_fifteen_minutes(world: World, answer: int | None) -> None:
    world.sandbox.sunshine.contacts.text(world.demo.conversation_id, "hi")
    started, made = world.time, []
    while True:
        made += [(world.time, e["events"][0]["id"]) for e in world.hooks(answer)]
        due = world.sandbox.outbox.next_due()
        if due is None:
            break
        world.time = due
    assert len(made) == 5
    assert len({id for _, id in made}) == 1
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(made)]
    assert gaps == sorted(gaps) and made[-1][0] - started <= 900_000_000


@pytest.mark.parametrize("answer", [200, 204, 400, 401, 403, 404, 406])
def test_success_and_refusal_end_it(world: World, answer: int) -> None:
    world.sandbox.sunshine.contacts.text(world.demo.conversation_id, "hi")
    world.hooks(answer)
    assert world.sandbox.outbox.next_due() is None


def test_several_events_can_come_in_one_call(world: World) -> None:
    world.sandbox.settings.batch = 10
    for text in "abc":
        world.sandbox.sunshine.contacts.text(world.demo.conversation_id, text)
    (envelope,) = world.hooks()
    assert [e["payload"]["message"]["content"]["text"] for e in envelope["events"]] == ["a", "b", "c"]


def test_duplicated(world: World) -> None:
    world.sandbox.faults.set(Fault("sunshine", Mode.WEBHOOK_DUPLICATED, count=1))
    world.sandbox.sunshine.contacts.text(world.demo.conversation_id, "hi")
    first, second = world.hooks()
    assert first == second


def test_reordered(world: World) -> None:
    world.sandbox.faults.set(Fault("sunshine", Mode.WEBHOOK_REORDERED))
    texts: list[str] = []
    for text in "abcd":
        world.sandbox.sunshine.contacts.text(world.demo.conversation_id, text)
        texts += [e["events"][0]["payload"]["message"]["content"]["text"] for e in world.hooks()]
    assert texts == ["b", "a", "d", "c"]


def test_late_held_and_lost(world: World) -> None:
    def say(mode: Mode, text: str, **more: Any) -> None:
        world.sandbox.faults.set(Fault("sunshine", mode, count=1, **more))
        world.sandbox.sunshine.contacts.text(world.demo.conversation_id, text)

    say(Mode.WEBHOOK_LATE, "late", delay=60.0)
    say(Mode.WEBHOOK_HELD, "held")
    say(Mode.WEBHOOK_LOST, "lost")
    assert world.hooks() == []
    world.pass_time(60)
    assert [e["events"][0]["payload"]["message"]["content"]["text"] for e in world.hooks()] == ["late"]
    assert world.sandbox.outbox.release() == 1
    assert [e["events"][0]["payload"]["message"]["content"]["text"] for e in world.hooks()] == ["held"]
    assert world.sandbox.outbox.waiting() == {"queued": 0, "held": 0}


def test_what_contacts_do_is_told(world: World) -> None:
    contacts, here = world.sandbox.sunshine.contacts, world.demo.conversation_id
    contacts.types(here, on=True)
    contacts.read(here)
    contacts.postback(here, "GO")
    contacts.block(here, blocked=True)
    assert world.kinds() == ["conversation:typing", "conversation:read", "conversation:postback", "client:update"]
    world.send("to a blocked contact")
    world.pass_time(1)
    assert world.kinds() == ["conversation:message", "conversation:message:delivery:failure"]


def test_a_form_is_answered(world: World) -> None:
    fields = [{"type": "text", "name": "n", "label": "Name"}, {"type": "select", "name": "s", "label": "Size"}]
    body = {"author": {"type": "business"}, "content": {"type": "form", "fields": fields}}
    world.ask("POST", f"/conversations/{world.demo.conversation_id}/messages", body)
    (sent,) = world.hooks()
    form = sent["events"][0]["payload"]["message"]["id"]
    world.sandbox.sunshine.contacts.submit_form(world.demo.conversation_id, form, {"n": "Ada", "s": "L"})
    (answered,) = world.hooks()
    content = answered["events"][0]["payload"]["message"]["content"]
    assert content["type"] == "formResponse"
    assert content["textFallback"] == "Name: Ada\nSize: L"


def test_a_merge_replaces_the_conversation(world: World) -> None:
    app = world.sandbox.sunshine.center.apps[world.demo.app_id]
    other = world.sandbox.new_contact(app, "Ada again")
    world.hooks()
    world.sandbox.tally.write(service="sunshine", conversation=other.id, key="r1")
    world.sandbox.sunshine.contacts.merge(world.demo.conversation_id, other.id)
    (told,) = world.hooks()
    merged = told["events"][0]["payload"]["mergedConversations"]
    assert (merged["surviving"]["id"], merged["discarded"]["id"]) == (world.demo.conversation_id, other.id)
    assert world.code(world.send("x", "r1", conversation=other.id)) == 404
    assert world.code(world.send("x", "r1")) == 201
    assert world.sandbox.tally.counts().delivered == 1


def test_standing_by_hides_events_unless_asked_for(world: World) -> None:
    app = world.sandbox.sunshine.center.apps[world.demo.app_id]
    desk = next(m for s in app.switchboards.values() for m in s.members.values() if m.name == "heliograph")
    world.sandbox.faults.set(Fault("sunshine", Mode.BOT_OWNS))
    assert world.kinds() == ["switchboard:passControl"]
    world.sandbox.sunshine.contacts.text(world.demo.conversation_id, "seen")
    assert world.kinds() == ["conversation:message", "conversation:message"]
    desk.deliver_standby = False
    world.sandbox.sunshine.contacts.text(world.demo.conversation_id, "not seen")
    assert world.kinds() == []


def test_telegram_updates_go_to_its_webhook_until_taken(world: World) -> None:
    world.telegram("setWebhook", {"url": "https://desk.invalid/t", "secret_token": "tok"})
    world.sandbox.telegram.contacts.text(world.demo.chat_id, "hi")
    (call,) = world.sandbox.outbox.due()
    assert call.headers["x-telegram-bot-api-secret-token"] == "tok"
    assert json.loads(call.body)["message"]["text"] == "hi"
    world.sandbox.outbox.answered(call, 503)
    world.pass_time(1)
    (again,) = world.sandbox.outbox.due()
    assert again.body == call.body
    world.sandbox.outbox.answered(again, 200)
    world.telegram("deleteWebhook", {})
    assert world.code(world.telegram("getUpdates", {"timeout": 0})) == 200
    assert next(iter(world.sandbox.telegram.center.bots.values())).updates == []
