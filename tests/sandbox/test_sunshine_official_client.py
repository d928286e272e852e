"""The vendor's own Python client accepts the simulated Sunshine Conversations as real."""

# The client declares every member of every answer as optional.
# mypy: disable-error-code="union-attr, arg-type, attr-defined, index, call-arg"

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sunshine_conversations_client as sc
from sunshine_conversations_client.api_client import ApiClient
from sunshine_conversations_client.exceptions import ApiException, ConflictException, NotFoundException, UnauthorizedException
from sunshine_conversations_client.model.destination import Destination

from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.sunshine.state import Message
from heliograph.sandbox.world import Demo


@dataclass
class Setup:
    """A running sandbox, its demo credentials and the official client for them."""

    running: RunningSandbox
    demo: Demo
    client: ApiClient

    def as_key(self, username: str, password: str) -> ApiClient:
        return ApiClient(sc.Configuration(host=self.running.sunshine_url, username=username, password=password))


@pytest.fixture
def setup() -> Iterator[Setup]:
    """The server has a loop in a thread of its own: the official client blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    sandbox = new_sandbox(seed=1)
    running = asyncio.run_coroutine_threadsafe(start(host="127.0.0.1", port=0, sandbox=sandbox), loop).result(10)
    demo = sandbox.seed_demo(webhook_url="http://127.0.0.1:9/hook")
    made = Setup(running, demo, None)
    made.client = made.as_key(demo.key_id, demo.key_secret)
    yield made
    asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def post(setup: Setup, content: dict, *, metadata: dict | None = None, destination: Destination | None = None):
    body = sc.MessagePost.from_dict({"author": {"type": "business"}, "content": content, "metadata": metadata})
    body.destination = destination
    return sc.MessagesApi(setup.client).post_message(setup.demo.app_id, setup.demo.conversation_id, body)


def test_app_key_reads_its_app(setup: Setup) -> None:
    app = sc.AppsApi(setup.client).get_app(setup.demo.app_id).app
    assert (app.id, app.display_name) == (setup.demo.app_id, "Demo desk")


def test_integration_key_may_not_read_the_app_but_its_webhooks(setup: Setup) -> None:
    client = setup.as_key(setup.demo.integration_key_id, setup.demo.integration_key_secret)
    with pytest.raises(ApiException) as refused:
        sc.AppsApi(client).get_app(setup.demo.app_id)
    assert refused.value.status == 403
    assert [w.id for w in sc.WebhooksApi(client).list_webhooks(setup.demo.app_id, "me").webhooks] == [setup.demo.webhook_id]
    with pytest.raises(NotFoundException) as missing:
        sc.UsersApi(client).get_user(setup.demo.app_id, "nobody")
    assert json.loads(missing.value.body)["errors"][0]["code"] == "user_not_found"


def test_account_key_makes_apps_and_keys(setup: Setup) -> None:
    client = setup.as_key(setup.demo.account_key_id, setup.demo.account_key_secret)
    app = sc.AppsApi(client).create_app(sc.AppCreateBody(displayName="Second")).app
    key = sc.AppKeysApi(client).create_app_key(app.id, sc.AppKeyCreateBody(displayName="K")).key
    assert key.id.startswith("app_")
    own = setup.as_key(key.id, key.secret)
    assert sc.AppsApi(own).get_app(app.id).app.display_name == "Second"
    with pytest.raises(ApiException) as foreign:
        sc.AppsApi(own).get_app(setup.demo.app_id)
    assert foreign.value.status == 403
    assert {a.id for a in sc.AppsApi(client).list_apps().apps} == {setup.demo.app_id, app.id}


def test_wrong_secret_is_unauthorized(setup: Setup) -> None:
    with pytest.raises(UnauthorizedException) as refused:
        sc.AppsApi(setup.as_key(setup.demo.key_id, "wrong")).get_app(setup.demo.app_id)
    assert json.loads(refused.value.body) == {"errors": [{"code": "unauthorized", "title": "Authorization is required"}]}


@pytest.mark.parametrize(("scope", "alg", "accepted"), [("app", "HS256", True), ("account", "HS256", False), ("app", "none", False)])
def test_signed_token(setup: Setup, scope: str, alg: str, accepted: bool) -> None:
    def part(value: dict) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": alg, "typ": "JWT", "kid": setup.demo.key_id}) + b"." + part({"scope": scope})
    mark = base64.urlsafe_b64encode(hmac.new(setup.demo.key_secret.encode(), signed, hashlib.sha256).digest()).rstrip(b"=")
    client = ApiClient(sc.Configuration(host=setup.running.sunshine_url, access_token=(signed + b"." + mark).decode()))
    if accepted:
        assert sc.AppsApi(client).get_app(setup.demo.app_id).app.id == setup.demo.app_id
    else:
        with pytest.raises(UnauthorizedException):
            sc.AppsApi(client).get_app(setup.demo.app_id)


ITEM = {"title": "Tacos", "description": "Today", "actions": [{"type": "link", "text": "More", "uri": "https://example.org"}]}


@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "text": "Grüße 👋", "actions": [{"type": "reply", "text": "Yes", "payload": "Y"}]},
        {"type": "image", "mediaUrl": "https://example.org/a.png", "altText": "a"},
        {"type": "file", "mediaUrl": "https://example.org/a.pdf"},
        {"type": "location", "coordinates": {"lat": 45.5, "long": -73.5}},
        {"type": "carousel", "items": [ITEM]},
        {"type": "list", "items": [ITEM, ITEM]},
        {"type": "form", "fields": [{"type": "text", "name": "n", "label": "Name?"}]},
        {"type": "template", "template": {"name": "hello"}},
    ],
    ids=lambda c: c["type"],
)
def test_every_kind_of_content_is_taken_and_listed(setup: Setup, content: dict) -> None:
    sent = post(setup, content, metadata={"heliograph": "r1"}).messages
    assert len(sent) == 1
    assert sent[0].source.type == "api:conversations"
    listed = sc.MessagesApi(setup.client).list_messages(setup.demo.app_id, setup.demo.conversation_id)
    assert [m.id for m in listed.messages] == [sent[0].id]
    assert listed.messages[0].metadata == {"heliograph": "r1"}
    assert listed.messages[0].content.actual_instance.type == content["type"]


@pytest.mark.parametrize(
    "body",
    [
        {"content": {"type": "text", "text": "x"}},
        {"author": {"type": "business"}},
        {"author": {"type": "robot"}, "content": {"type": "text", "text": "x"}},
        {"author": {"type": "user"}, "content": {"type": "text", "text": "x"}},
        {"author": {"type": "business"}, "content": {"type": "text", "text": "x" * 4097}},
        {"author": {"type": "business"}, "content": {"type": "text", "text": ""}},
        {"author": {"type": "business"}, "content": {"type": "dance"}},
        {"author": {"type": "business"}, "content": {"type": "image"}},
        {"author": {"type": "business"}, "content": {"type": "list", "items": []}},
        {"author": {"type": "business"}, "content": {"type": "text", "text": "x"}, "metadata": {"a": {"b": 1}}},
        {"author": {"type": "business"}, "content": {"type": "text", "text": "x"}, "metadata": {"a": "x" * 4100}},
        [],
    ],
)
def test_bad_requests_are_refused_and_not_stored(setup: Setup, body: object) -> None:
    path = f"/v2/apps/{setup.demo.app_id}/conversations/{setup.demo.conversation_id}/messages"
    answer = raw(setup, "POST", path, json.dumps(body).encode())
    assert answer.status == 400
    assert all(e["code"] == "bad_request" and e["title"] for e in json.loads(answer.data)["errors"])
    assert sc.MessagesApi(setup.client).list_messages(setup.demo.app_id, setup.demo.conversation_id).messages == []


def raw(setup: Setup, method: str, path: str, body: bytes):
    headers = {"Content-Type": "application/json", **basic(setup)}
    return setup.client.rest_client.pool_manager.request(
        method, setup.running.sunshine_url + path, body=body, headers=headers, retries=False
    )


def basic(setup: Setup) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{setup.demo.key_id}:{setup.demo.key_secret}".encode()).decode()}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 50_000])
def test_malformed_bodies_are_a_bad_request(setup: Setup, body: bytes) -> None:
    path = f"/v2/apps/{setup.demo.app_id}/conversations/{setup.demo.conversation_id}/messages"
    assert raw(setup, "POST", path, body).status == 400


def test_large_body_is_refused(setup: Setup) -> None:
    path = f"/v2/apps/{setup.demo.app_id}/conversations/{setup.demo.conversation_id}/messages"
    assert raw(setup, "POST", path, b'{"x":"' + b"y" * 100_001 + b'"}').status == 413


def test_paging_is_backwards_by_a_hundred_and_takes_the_clients_own_page_parameter(setup: Setup) -> None:
    api = sc.MessagesApi(setup.client)
    ids = [post(setup, {"type": "text", "text": str(n)}).messages[0].id for n in range(130)]
    newest = api.list_messages(setup.demo.app_id, setup.demo.conversation_id)
    assert [m.id for m in newest.messages] == ids[30:]
    assert newest.meta.has_more is True
    older = api.list_messages(setup.demo.app_id, setup.demo.conversation_id, page=sc.Page(before=newest.meta.before_cursor))
    assert [m.id for m in older.messages] == ids[:30]
    assert older.meta.has_more is False
    by_link = json.loads(raw(setup, "GET", newest.links.prev.removeprefix(setup.running.sunshine_url), b"").data)
    assert [m["id"] for m in by_link["messages"]] == ids[:30]
    forward = api.list_messages(setup.demo.app_id, setup.demo.conversation_id, page=sc.Page(after=ids[100]))
    assert [m.id for m in forward.messages] == ids[101:]


def test_a_full_conversation_is_locked_until_it_is_emptied(setup: Setup) -> None:
    setup.running.sandbox.settings.message_limit = 2
    for text in ("1", "2"):
        post(setup, {"type": "text", "text": text})
    with pytest.raises(ApiException) as locked:
        post(setup, {"type": "text", "text": "3"})
    assert locked.value.status == 423
    assert json.loads(locked.value.body)["errors"][0] == {"code": "locked", "title": "Message limit of 2 per conversation reached."}
    sc.MessagesApi(setup.client).delete_all_messages(setup.demo.app_id, setup.demo.conversation_id)
    post(setup, {"type": "text", "text": "3"})


def test_unknown_things_have_the_documented_codes(setup: Setup) -> None:
    body = sc.MessagePost.from_dict({"author": {"type": "business"}, "content": {"type": "text", "text": "x"}})
    calls = {
        "conversation_not_found": lambda: sc.MessagesApi(setup.client).post_message(setup.demo.app_id, "f" * 24, body),
        "not_found": lambda: sc.MessagesApi(setup.client).list_messages(setup.demo.app_id, "f" * 24),
        "user_not_found": lambda: sc.ConversationsApi(setup.client).list_conversations(
            setup.demo.app_id, filter=sc.ConversationListFilter(userId="nobody")
        ),
        "integration_not_found": lambda: sc.WebhooksApi(setup.client).list_webhooks(setup.demo.app_id, "f" * 24),
    }
    for code, call in calls.items():
        with pytest.raises(NotFoundException) as missing:
            call()
        assert json.loads(missing.value.body)["errors"][0]["code"] == code


def test_users_and_conversations(setup: Setup) -> None:
    users, places = sc.UsersApi(setup.client), sc.ConversationsApi(setup.client)
    user = users.create_user(setup.demo.app_id, sc.UserCreateBody(externalId="u/1", profile=sc.Profile(givenName="Bo"))).user
    with pytest.raises(ConflictException):
        users.create_user(setup.demo.app_id, sc.UserCreateBody(externalId="u/1"))
    assert users.get_user(setup.demo.app_id, "u/1").user.id == user.id
    users.update_user(setup.demo.app_id, user.id, sc.UserUpdateBody(metadata={"tier": "gold"}))
    assert users.get_user(setup.demo.app_id, user.id).user.metadata == {"tier": "gold"}
    person = sc.ParticipantSubSchema(sc.ParticipantWithUserExternalId(userExternalId="u/1"))
    body = sc.ConversationCreateBody(type="personal", participants=[person])
    first = places.create_conversation(setup.demo.app_id, body).conversation
    second = places.create_conversation(setup.demo.app_id, body).conversation
    assert (first.is_default, second.is_default) == (True, False)
    listed = places.list_conversations(setup.demo.app_id, filter=sc.ConversationListFilter(userId=user.id))
    assert [c.id for c in listed.conversations] == [first.id, second.id]
    places.update_conversation(setup.demo.app_id, second.id, sc.ConversationUpdateBody(displayName="Second"))
    assert places.get_conversation(setup.demo.app_id, second.id).conversation.display_name == "Second"
    with pytest.raises(ApiException) as default:
        places.delete_conversation(setup.demo.app_id, first.id)
    assert default.value.status == 400
    places.delete_conversation(setup.demo.app_id, second.id)
    with pytest.raises(NotFoundException):
        places.get_conversation(setup.demo.app_id, second.id)
    people = sc.ParticipantsApi(setup.client).list_participants(setup.demo.app_id, first.id).participants
    assert [p.user_id for p in people] == [user.id]
    users.delete_user(setup.demo.app_id, user.id)
    with pytest.raises(NotFoundException):
        places.get_conversation(setup.demo.app_id, first.id)


def test_clients_show_that_a_contact_has_blocked_us(setup: Setup) -> None:
    api = sc.ClientsApi(setup.client)
    assert [c.status for c in api.list_clients(setup.demo.app_id, setup.demo.user_id).clients] == ["active"]
    setup.running.sandbox.sunshine.contacts.block(setup.demo.conversation_id, blocked=True)
    assert [c.status for c in api.list_clients(setup.demo.app_id, setup.demo.user_id).clients] == ["blocked"]


def test_attachments_are_uploaded_served_and_removed(setup: Setup) -> None:
    api = sc.AttachmentsApi(setup.client)
    made = api.upload_attachment(setup.demo.app_id, "public", ("My File.txt", b"hello"), var_for="message").attachment
    assert made.media_type.startswith("text/plain")
    pool = setup.client.rest_client.pool_manager
    assert pool.request("GET", made.media_url).data == b"hello"
    sent = post(setup, {"type": "file", "mediaUrl": made.media_url}).messages[0]
    assert sent.content.actual_instance.media_size == 5
    api.delete_attachment(setup.demo.app_id, sc.AttachmentDeleteBody(mediaUrl=made.media_url))
    assert pool.request("GET", made.media_url).status == 404


def test_activity_shows_on_the_phone(setup: Setup) -> None:
    api = sc.ActivitiesApi(setup.client)
    for kind in ("typing:start", "conversation:read"):
        api.post_activity(
            setup.demo.app_id, setup.demo.conversation_id, sc.ActivityPost.from_dict({"author": {"type": "business"}, "type": kind})
        )
    place = sc.ConversationsApi(setup.client).get_conversation(setup.demo.app_id, setup.demo.conversation_id).conversation
    assert place.business_last_read is not None


def test_integrations_and_webhooks(setup: Setup) -> None:
    integrations, hooks = sc.IntegrationsApi(setup.client), sc.WebhooksApi(setup.client)
    body = {"type": "custom", "displayName": "Mine", "webhooks": [{"target": "http://127.0.0.1:9/x", "triggers": ["conversation:message"]}]}
    made = integrations.create_integration(setup.demo.app_id, sc.Integration.from_dict(body)).integration
    assert made.id in {i.id for i in integrations.list_integrations(setup.demo.app_id).integrations}
    hook = hooks.list_webhooks(setup.demo.app_id, made.id).webhooks[0]
    assert hook.secret and hook.version == "v2"
    with pytest.raises(ApiException) as second:
        hooks.create_webhook(setup.demo.app_id, made.id, sc.WebhookCreateBody(target="http://127.0.0.1:9/y", triggers=["*"]))
    assert second.value.status == 400
    hooks.update_webhook(setup.demo.app_id, made.id, hook.id, sc.WebhookBody(target="http://127.0.0.1:9/z"))
    assert hooks.get_webhook(setup.demo.app_id, made.id, hook.id).webhook.target == "http://127.0.0.1:9/z"
    hooks.delete_webhook(setup.demo.app_id, made.id, hook.id)
    assert hooks.list_webhooks(setup.demo.app_id, made.id).webhooks == []


def test_control_of_a_conversation_changes_hands(setup: Setup) -> None:
    actions, places = sc.SwitchboardActionsApi(setup.client), sc.ConversationsApi(setup.client)
    here = (setup.demo.app_id, setup.demo.conversation_id)

    def owner() -> str | None:
        active = places.get_conversation(*here).conversation.active_switchboard_integration
        return active.name if active else None

    assert owner() == "heliograph"
    actions.pass_control(*here, sc.PassControlBody(switchboardIntegration="answer-bot"))
    assert owner() == "answer-bot"
    actions.offer_control(*here, sc.OfferControlBody(switchboardIntegration="next"))
    assert owner() == "answer-bot"
    integration = setup.as_key(setup.demo.integration_key_id, setup.demo.integration_key_secret)
    sc.SwitchboardActionsApi(integration).accept_control(*here, sc.AcceptControlBody())
    assert owner() == "heliograph"
    with pytest.raises(ApiException) as nothing_offered:
        sc.SwitchboardActionsApi(integration).accept_control(*here, sc.AcceptControlBody())
    assert nothing_offered.value.status == 403
    actions.release_control(*here)
    assert owner() is None
    with pytest.raises(NotFoundException):
        actions.pass_control(*here, sc.PassControlBody(switchboardIntegration="nobody"))


def test_destination_must_be_a_channel_of_the_contact(setup: Setup) -> None:
    post(setup, {"type": "text", "text": "x"}, destination=Destination(sc.IntegrationType(integrationType="whatsapp")))
    with pytest.raises(ApiException) as refused:
        post(setup, {"type": "text", "text": "x"}, destination=Destination(sc.IntegrationType(integrationType="viber")))
    assert refused.value.status == 400


def test_revoked_keys_hit_every_authenticated_call(setup: Setup) -> None:
    sandbox = setup.running.sandbox
    fault = sandbox.faults.set(Fault("sunshine", Mode.REVOKED))
    for call in (
        lambda: sc.AppsApi(setup.client).get_app(setup.demo.app_id),
        lambda: post(setup, {"type": "text", "text": "x"}),
        lambda: sc.MessagesApi(setup.client).list_messages(setup.demo.app_id, setup.demo.conversation_id),
        lambda: sc.AttachmentsApi(setup.client).upload_attachment(setup.demo.app_id, "public", ("a.txt", b"a")),
    ):
        with pytest.raises(UnauthorizedException):
            call()
    sandbox.faults.clear(id=fault.id)
    assert sandbox.tally.counts().accepted == 0
    post(setup, {"type": "text", "text": "x"})


def test_sending_not_permitted_leaves_the_rest_working(setup: Setup) -> None:
    setup.running.sandbox.faults.set(Fault("sunshine", Mode.NOT_PERMITTED, code=402))
    with pytest.raises(ApiException) as refused:
        post(setup, {"type": "text", "text": "x"})
    assert refused.value.status == 402
    assert sc.AppsApi(setup.client).get_app(setup.demo.app_id).app.id == setup.demo.app_id


def test_the_clients_event_models_read_our_events(setup: Setup) -> None:
    sandbox = setup.running.sandbox
    events: list[dict] = []
    sandbox.outbox.put = lambda target, kind, event, after=0.0: events.append(event)  # type: ignore[method-assign]
    message: Message = sandbox.sunshine.contacts.text(setup.demo.conversation_id, "hello")
    sandbox.faults.set(Fault("sunshine", Mode.RECEIPT_FAILURE, count=1))
    post(setup, {"type": "text", "text": "fails"})
    sent = post(setup, {"type": "text", "text": "works"}, metadata={"k": "v"}).messages[0]
    sandbox.sunshine.contacts.read(setup.demo.conversation_id)
    by_type: dict[str, list[dict]] = {}
    for event in events:
        by_type.setdefault(event["type"], []).append(event)
    inbound = sc.ConversationMessageEvent.from_dict(by_type["conversation:message"][0])
    assert inbound.payload.message.id == message.id
    assert inbound.payload.message.author.user.id == setup.demo.user_id
    echo = sc.ConversationMessageEvent.from_dict(by_type["conversation:message"][2])
    assert (echo.payload.message.id, echo.payload.message.metadata) == (sent.id, {"k": "v"})
    failure = sc.ConversationMessageDeliveryFailureEvent.from_dict(by_type["conversation:message:delivery:failure"][0])
    assert (failure.payload.is_final_event, failure.payload.error.code) == (True, "uncategorized_error")
    reached = sc.ConversationMessageDeliveryUserEvent.from_dict(by_type["conversation:message:delivery:user"][0])
    assert (reached.payload.message.id, reached.payload.destination.type) == (sent.id, "whatsapp")
    assert sc.ConversationReadEvent.from_dict(by_type["conversation:read"][0]).payload.activity.author.user_id == setup.demo.user_id
