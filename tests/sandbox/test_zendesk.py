"""The simulated Zendesk: manifest, accounts, imports, replies, what its integration service's answers lead to."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.zendesk import integrations, shapes
from tests.sandbox.zendesk_world import MANIFEST, SERVICE, World, item


@pytest.fixture
def world() -> World:
    return World()


# --- the manifest ------------------------------------------------------------------------------


def _bad_manifests() -> list[tuple[str, dict[str, Any]]]:
    urls = MANIFEST["urls"]
    return [
        ("name is missing", {k: v for k, v in MANIFEST.items() if k != "name"}),
        ("name must have", {**MANIFEST, "name": "x" * 256}),
        ("id must have", {**MANIFEST, "id": "x" * 512}),
        ("push_client_id must have", {**MANIFEST, "push_client_id": "x" * 129}),
        ("channelback_files must be", {**MANIFEST, "channelback_files": "yes"}),
        ("admin_ui is missing", {**MANIFEST, "urls": {"pull_url": "./pull"}}),
        ("pull_url must be https", {**MANIFEST, "urls": {**urls, "pull_url": "http://service.example/pull"}}),
        ("pull_url must have", {**MANIFEST, "urls": {**urls, "pull_url": "https://service.example/" + "x" * 500}}),
    ]


@pytest.mark.parametrize(("words", "manifest"), _bad_manifests(), ids=[w for w, _ in _bad_manifests()])
def test_a_manifest_against_the_schema_is_refused(world: World, words: str, manifest: dict[str, Any]) -> None:
    world.service.manifest = manifest
    integration = integrations.register(world.center, SERVICE + "/manifest")
    world.run()
    assert integration.manifest is None
    assert any(words in fault for fault in integration.faults), integration.faults


def test_relative_addresses_are_those_of_the_manifest(world: World) -> None:
    found = shapes.manifest(MANIFEST, "https://service.example/zendesk/manifest")
    assert not isinstance(found, list)
    assert found.urls["admin_ui"] == "https://service.example/zendesk/admin"


# --- the account -------------------------------------------------------------------------------


def test_the_round_trip_through_the_admin_page(world: World) -> None:
    integration = integrations.register(world.center, SERVICE + "/manifest")
    world.run()
    address, fields = integrations.begin(world.center, integration, locale="pt-BR")
    assert address == SERVICE + "/admin"
    assert set(fields) == {"subdomain", "locale", "return_url", "instance_push_id", "zendesk_access_token"}
    back = urlsplit(fields["return_url"]).path
    assert world.code(world.handle("POST", back, form={"name": "", "metadata": "m"})) == 422
    assert world.code(world.handle("POST", back, form={"name": "Shop", "metadata": "m" * 5001})) == 422
    assert world.code(world.handle("POST", back, form={"name": "Shop", "metadata": "m", "state": "s"})) == 200
    assert world.code(world.handle("POST", back, form={"name": "Shop", "metadata": "m", "state": "s"})) == 404, "an address works once"
    instance = next(iter(world.center.instances.values()))
    assert (instance.name, instance.metadata, instance.state, instance.active) == ("Shop", "m", "s", True)
    _, again = integrations.begin(world.center, integration, locale="en", instance=instance)
    assert (again["name"], again["metadata"], again["state"]) == ("Shop", "m", "s")
    world.run(3)
    assert world.kinds() == ["create_integration", "create_integration_instance", "activate_integration_instance"]
    assert len(world.calls) == 1, "events of the same moments come in one call"


def test_without_a_push_client_there_is_no_token(world: World) -> None:
    del world.service.manifest["push_client_id"]
    integration = integrations.register(world.center, SERVICE + "/manifest")
    world.run()
    assert set(integrations.begin(world.center, integration, locale="en")[1]) == {"subdomain", "locale", "return_url"}


def test_the_token_is_proved(world: World) -> None:
    instance = world.account()
    path = "/api/v2/any_channel/validate_token"
    good = world.response(world.handle("POST", path, {"instance_push_id": instance.push_id}, token=instance.token))
    assert (good.code, good.body) == (200, b"null")
    assert world.code(world.handle("POST", path, {"instance_push_id": instance.push_id}, token="other")) == 401
    assert world.code(world.handle("POST", path, {"instance_push_id": "push-other"}, token=instance.token)) == 403
    other_scheme = {"authorization": f"Basic {instance.token}"}
    assert world.code(world.handle("POST", path, {"instance_push_id": instance.push_id}, headers=other_scheme)) == 401
    instance.revoked = True
    assert world.code(world.handle("POST", path, {"instance_push_id": instance.push_id}, token=instance.token)) == 401


# --- imports -----------------------------------------------------------------------------------


def test_threads_make_tickets_and_repeats_change_nothing(world: World) -> None:
    instance = world.account()
    assert world.push(instance, item(1), item(2), item(3, thread="t2")) == ["success"] * 3
    assert world.push(instance, item(2), item(4)) == ["already_imported", "success"]
    assert [[c.text for c in t.comments] for t in world.center.tickets.values()] == [["text 1", "text 2", "text 4"], ["text 3"]]
    assert world.push(instance, item(5, thread=None, parent_id="m3")) == ["success"]
    assert world.ticket.comments[-1].text == "text 5"
    world.run(3)
    created = [e for e in world.events if e["type_id"] == "resources_created_from_external_ids"]
    kinds = [r["type_id"] for e in created for r in e["data"]["resource_events"]]
    new, old = "comment_on_new_ticket", "comment_on_existing_ticket"
    assert kinds == [new, old, new, old, old]
    assert [t.labels for t in world.tally.taken("zendesk", "t1")] == [{"m1"}, {"m2"}, {"m4"}]


def test_after_a_failure_the_rest_is_halted(world: World) -> None:
    instance = world.account()
    lost = item(2, thread=None, parent_id="nobody")
    assert world.push(instance, item(1), lost, item(3)) == ["success", "could_not_locate_parent_external_resource", "halted"]
    assert world.push(instance, item(3)) == ["success"], "what was halted is not there"


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": ""}, {"message": "x" * 65_536}, {"external_id": " m1"}, {"external_id": "é"}, {"external_id": "x" * 256},
        {"created_at": "yesterday"}, {"created_at": "2026-05-01T10:00:00"}, {"author": {"name": "Ada"}}, {"parent_id": "m0"},
        {"file_urls": ["http://service.example/a"]}, {"file_urls": ["https://service.example/a"] * 11}, {"internal_note": "yes"},
        {"fields": [{"id": 1}]}, {"display_info": [{"type": "x", "data": 1}]}, {"author": {"external_id": "a", "name": ""}},
    ],
    ids=lambda wrong: f"{next(iter(wrong))}-{len(str(wrong))}",
)  # fmt: skip
def test_a_push_against_the_schema_takes_nothing(world: World, wrong: dict[str, Any]) -> None:
    instance = world.account()
    refused = world.push(instance, item(0), {**item(1), **wrong}, code=400)
    assert refused["details"] and not world.center.tickets


def test_a_push_has_256_resources(world: World) -> None:
    instance = world.account()
    assert world.push(instance, *(item(n) for n in range(257)), code=400)["details"]
    assert world.push(instance, *(item(n) for n in range(256))) == ["success"] * 256


def test_internal_notes_and_follow_ups(world: World) -> None:
    instance = world.account()
    world.push(instance, item(1))
    world.act("state", ticket=1, state="solved")
    world.push(instance, item(2, internal_note=True))
    assert (world.ticket.state, world.ticket.comments[-1].public) == ("solved", False), "a note opens nothing"
    world.push(instance, item(3))
    assert world.ticket.state == "open", "what a customer writes does"
    world.act("state", ticket=1, state="closed")
    world.push(instance, item(4))
    assert (world.ticket.id, world.ticket.follow_up_of) == (2, 1)
    world.push(instance, item(5))
    assert len(world.ticket.comments) == 2, "the thread goes on in the follow-up"
    world.run(3)
    last = [r for e in world.events for r in e["data"].get("resource_events", [])][-2]
    assert (last["type_id"], last["follow_up_ticket_id"]) == ("comment_on_follow_up_ticket", 2)


def test_files_are_fetched_by_post(world: World) -> None:
    instance = world.account()
    world.service.files["/f/photo"] = (200, b"png", {"content-type": "image/png", "content-disposition": 'inline; filename="a.png"'})
    world.service.files["/f/late"] = None
    world.push(instance, item(1, file_urls=[SERVICE + "/f/photo", "/f/late", "/f/gone"]))
    world.run()
    photo, late, gone = world.ticket.comments[0].files
    assert (photo.name, photo.media_type, photo.data) == ("a.png", "image/png", b"png")
    assert ("POST", "/f/photo", []) in world.service.asked
    assert late.problem == "not fetched yet" and "404" in gone.problem
    world.service.files["/f/late"] = (200, b"x", {})
    world.run(6)
    assert late.data == b"x"


def test_a_list_comes_in_numbered_pages(world: World) -> None:
    world.push(world.account(), *(item(n) for n in range(7)))
    seen, path = [], "/api/v2/tickets/1/comments.json?per_page=3"
    while path:
        answer = json.loads(world.response(world.handle("GET", path, token=world.center.api_token)).body)
        seen.append([each["body"] for each in answer["comments"]])
        path = answer["next_page"] and answer["next_page"].removeprefix(world.center.base)
    assert [len(page) for page in seen] == [3, 3, 1] and [text for page in seen for text in page] == [f"text {n}" for n in range(7)]
    last = json.loads(
        world.response(world.handle("GET", "/api/v2/tickets/1/comments.json?sort_order=desc", token=world.center.api_token)).body
    )
    assert [each["body"] for each in last["comments"]][:2] == ["text 6", "text 5"]
    assert world.code(world.handle("GET", "/api/v2/tickets/1/comments.json?per_page=101", token=world.center.api_token)) == 400


# --- pulls -------------------------------------------------------------------------------------


def test_a_pull_every_two_minutes_with_the_state_of_the_last(world: World) -> None:
    answers = iter([
        (200, {"external_resources": [item(1)], "state": "one"}), (503, b""), None, (200, b"<html>"),
        (200, {"external_resources": [item(1), item(2)], "state": "two", "metadata_needs_update": True, "metadata": "new"}),
    ])  # fmt: skip
    world.service.pull = lambda form: next(answers, (200, {"external_resources": []}))
    instance = world.account("old")
    world.run(121)
    assert len(world.service.of("/pull")) == 1
    world.run(600)
    asked = world.service.of("/pull")
    assert [form["state"] for form in asked] == ["", "one", "one", "one", "one", "two"]
    assert instance.active and instance.metadata == "new"
    assert [c.text for c in world.ticket.comments] == ["text 1", "text 2"]
    pulls = [e for e in world.events if e["type_id"] == "pull_request"]
    assert [e.get("error") for e in pulls] == ["answered 503", "network error", "the answer is not JSON", None]
    assert pulls[-1]["data"]["duplicate_external_ids"][0]["external_id"] == "m1"


def test_a_refused_pull_ends_the_account_until_it_is_saved_again(world: World) -> None:
    instance = world.account()
    world.service.pull = lambda form: (401, b"")
    world.run(130)
    assert not instance.active and instance.deactivated_by == "error"
    gone = next(e for e in world.events if e["type_id"] == "deactivate_integration_instance")
    assert gone["data"]["deactivated_by"] == "error" and gone["data"]["metadata"] == instance.metadata
    world.run(600)
    assert len(world.service.of("/pull")) == 1
    assert world.push(instance, item(1), code=403)["error"] == "Forbidden"
    world.service.pull = lambda form: (200, {"external_resources": []})
    world.act("activate", account=instance.id)
    world.run(130)
    assert len(world.service.of("/pull")) == 2


# --- replies -----------------------------------------------------------------------------------


def test_a_reply_is_a_channelback_with_everything(world: World) -> None:
    instance = world.account("meta")
    world.push(instance, item(1), item(2))
    reply = world.reply("On its way")
    world.run(3)
    (form,) = world.service.of("/channelback")
    identifier = form.pop("request_unique_identifier")
    assert form == {"message": "On its way", "metadata": "meta", "parent_id": "m2", "recipient_id": "ada", "thread_id": "t1"}
    assert reply.external_id == "ours-" + identifier and reply.errors == []
    associated = world.events[-1]["data"]["resource_events"][0]
    assert associated == {
        "type_id": "external_id_associated_with_channelback", "external_id": reply.external_id, "comment_id": reply.id, "ticket_id": 1,
    }  # fmt: skip
    echo = {**item(9), "external_id": reply.external_id}
    assert world.push(instance, echo) == ["already_imported"], "the same reply does not come again as a comment"


def test_the_recipient_is_missing_when_the_requester_was_edited(world: World) -> None:
    world.push(world.account(), item(1))
    world.act("requester", ticket=1, name="Somebody else")
    world.reply("Hello")
    world.run()
    assert "recipient_id" not in world.service.of("/channelback")[0]


def test_network_errors_repeat_the_same_request_and_then_give_up(world: World) -> None:
    world.push(world.account(), item(1))
    answers = iter([None, None])
    world.service.channelback = lambda form: next(answers, (200, {"external_id": "o1"}))
    first = world.reply("one")
    world.run(30)
    asked = world.service.of("/channelback")
    assert len(asked) == 3 and asked[0] == asked[1] == asked[2]
    assert first.external_id == "o1" and first.errors == []
    world.service.channelback = lambda form: None
    second = world.reply("two")
    world.run(600)
    assert len(world.service.of("/channelback")) == 3 + 4
    assert second.errors == ["The reply was not sent: network error"]
    assert [e["error"] for e in world.events if e["type_id"] == "channelback"] == ["network error"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((503, b""), "answered 503"), ((400, b""), "answered 400"), ((200, b"OK"), "answer.external_id is missing"),
        ((200, {"external_id": ""}), "answer.external_id must have 1 to 255"), ((200, {"external_id": "m1"}), "another comment"),
    ],
)  # fmt: skip
def test_any_other_answer_is_an_error_at_the_comment(world: World, answer: Any, error: str) -> None:
    instance = world.account()
    world.push(instance, item(1))
    world.service.channelback = lambda form: answer
    reply = world.reply("Hello")
    world.run(200)
    assert len(world.service.of("/channelback")) == 1, "only network errors are repeated"
    assert error in reply.errors[0] and instance.active


def test_a_401_ends_the_account(world: World) -> None:
    instance = world.account()
    world.push(instance, item(1))
    world.service.channelback = lambda form: (401, b"")
    reply = world.reply("Hello")
    world.run(3)
    assert not instance.active and reply.errors
    later = world.reply("Hello?")
    world.run(3)
    assert "switched off" in later.errors[0] and len(world.service.of("/channelback")) == 1


def test_a_late_error_is_reported_to_the_agent(world: World) -> None:
    instance = world.account()
    world.push(instance, item(1))
    reply = world.reply("Hello")
    world.run()
    path = "/api/v2/any_channel/channelback/report_error"
    body = {"instance_push_id": instance.push_id, "external_id": reply.external_id, "description": "The number is blocked"}
    told = world.response(world.handle("POST", path, body, token=instance.token))
    assert (told.code, told.body) == (200, b"")
    assert reply.errors == ["The number is blocked"]
    assert world.code(world.handle("POST", path, {**body, "description": "x" * 512}, token=instance.token)) == 400
    assert world.code(world.handle("POST", path, {**body, "external_id": "m1"}, token=instance.token)) == 404
    shown = json.loads(json.dumps(world.ticket.audits[-1]["events"]))
    assert shown[0]["type"] == "Error"


# --- faults ------------------------------------------------------------------------------------


def test_a_repeated_channelback_must_get_the_same_answer(world: World) -> None:
    world.push(world.account(), item(1))
    world.faults.set(Fault("zendesk", Mode.WEBHOOK_DUPLICATED, operation="channelback"))
    honest = world.reply("Hello")
    world.run()
    assert len(world.service.of("/channelback")) == 2 and honest.errors == []
    numbers = iter(range(9))
    world.service.channelback = lambda form: (200, {"external_id": f"o{next(numbers)}"})
    doubled = world.reply("Hello again")
    world.run()
    assert doubled.errors and world.center.contradictions == 1


def test_a_late_channelback_comes_after_a_later_one(world: World) -> None:
    world.push(world.account(), item(1))
    world.faults.set(Fault("zendesk", Mode.WEBHOOK_LATE, operation="channelback", count=1, delay=5.0))
    late, prompt = world.reply("first written"), world.reply("second written")
    world.run(10)
    assert [form["message"] for form in world.service.of("/channelback")] == ["second written", "first written"]
    assert late.external_id and prompt.external_id


def test_an_answer_that_is_lost_is_a_network_error(world: World) -> None:
    world.push(world.account(), item(1))
    world.faults.set(Fault("zendesk", Mode.ANSWER_LOST, operation="channelback", count=1))
    reply = world.reply("Hello")
    world.run(30)
    asked = world.service.of("/channelback")
    assert len(asked) == 2 and asked[0] == asked[1]
    assert reply.external_id and reply.channelback and reply.channelback.answers == ["none", "200"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("zendesk", Mode.REVOKED), 401), (Fault("zendesk", Mode.RATE_LIMITED, retry_after=7), 429),
        (Fault("zendesk", Mode.ERROR_NOT_TAKEN, code=503), 503), (Fault("zendesk", Mode.NOT_PERMITTED), 403),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)  # fmt: skip
def test_faults_of_the_api_take_nothing(world: World, fault: Fault, code: int) -> None:
    instance = world.account()
    world.faults.set(fault)
    world.push(instance, item(1), code=code)
    assert not world.center.tickets
    world.faults.clear()
    assert world.push(instance, item(1)) == ["success"]


def test_items_fail_one_by_one(world: World) -> None:
    instance = world.account()
    world.faults.set(Fault("zendesk", Mode.ERROR_NOT_TAKEN, operation="import", count=1))
    assert world.push(instance, item(1), item(2)) == ["processing_error", "halted"]
    assert world.push(instance, item(1), item(2)) == ["success", "success"]
    world.faults.set(Fault("zendesk", Mode.ERROR_TAKEN, operation="import", count=1))
    assert world.push(instance, item(3)) == ["processing_error"]
    assert world.push(instance, item(3)) == ["already_imported"], "said to have failed, and there all the same"


def test_events_are_lost_doubled_and_late(world: World) -> None:
    instance = world.account()
    created = "resources_created_from_external_ids"
    world.faults.set(Fault("zendesk", Mode.WEBHOOK_DUPLICATED, operation=created, count=1))
    world.push(instance, item(1))
    world.run(3)
    assert world.kinds().count(created) == 2
    world.faults.set(Fault("zendesk", Mode.WEBHOOK_LOST, operation=created, count=1))
    world.push(instance, item(2))
    world.run(3)
    assert world.kinds().count(created) == 2


def test_the_counts_add_up(world: World) -> None:
    instance = world.account()
    world.push(instance, item(1), item(2), item(3, internal_note=True))
    world.push(instance, item(1))
    world.reply("good")
    world.run(3)
    world.service.channelback = lambda form: (400, b"")
    world.reply("bad")
    world.run(3)
    response = world.response_of_control("GET", "/sandbox/zendesk/counts")
    assert response == {
        "imported": 2, "repeats": 1, "notes": 1, "replies": 2, "replies_taken": 1, "replies_sending": 0, "replies_failed": 1,
        "replies_with_errors": 1, "contradictions": 0,
    }  # fmt: skip
    texts = [(r["text"], r["state"]) for r in world.response_of_control("GET", "/sandbox/zendesk/replies")["replies"]]
    assert texts == [("good", "taken"), ("bad", "failed")]
