"""What is particular to Sunshine Conversations: files, look-up, history, keys by type, switchboard, webhooks."""

import base64
import dataclasses
import json
from typing import Any

import pytest
from sunshine_conversations_client.model.message_post import MessagePost
from sunshine_conversations_client.model.webhook_create_body import WebhookCreateBody

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Absent,
    Accepted,
    Address,
    BadSignature,
    Deferred,
    Found,
    InboundMessage,
    Inconclusive,
    Invalid,
    PollFailed,
    RawRequest,
    Receipt,
    ReceiptLevel,
    Refused,
    Unknown,
    Unsupported,
    Valid,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.sunshine import CLOCK_SKEW, Sunshine
from tests.providers import misbehaving
from tests.providers.cases_sunshine import APP, CASE, CONVERSATION, MESSAGE, posted, signed
from tests.providers.contract import CANARY, KEY
from tests.providers.misbehaving import MisbehavingServer, answer

TO = Address(CONVERSATION)
IMAGE = Media(MediaKind.IMAGE, "Фото 1.png", "image/png", 4, file="f", caption="look")
AT = 1_772_357_400_120_000  # of every message that `posted` makes
UPLOADED = answer(201, {"attachment": {"mediaUrl": "https://media.example.org/1.png", "mediaType": "image/png"}})


@pytest.fixture
def sunshine(http: AiohttpHttp, server: MisbehavingServer) -> Sunshine:
    return build(http, server)


def build(http: AiohttpHttp, server: MisbehavingServer, **config: str) -> Sunshine:
    return Sunshine({**CASE.config, "base_url": f"{server.base_url}/sc/", **config}, http)


def error(number: int, code: str):
    return answer(number, {"errors": [{"code": code, "title": code}]})


def message(number: int, *, key: str = "", author: str = "business", received: str = "2026-03-01T09:30:00.120Z") -> dict[str, Any]:
    made = posted("hello", f"b{number:023d}")
    made["author"] = {"type": author} | ({"userId": "u1", "displayName": "Ada"} if author == "user" else {})
    made["received"] = received
    made["metadata"] = {"heliograph": key} if key else None
    return made


def page(*messages: dict[str, Any], before: str = ""):
    return answer(200, {"messages": list(messages), "meta": {"hasMore": bool(before)} | ({"beforeCursor": before} if before else {})})


# --- sending --------------------------------------------------------------------------------------


async def test_the_request_is_what_the_official_client_would_send(http: AiohttpHttp, server: MisbehavingServer) -> None:
    sunshine = build(http, server, display_name="Support")
    server.behave(CASE.accepted)
    contents: list[Content] = [
        Text("Привіт 👋"),
        Location(1.5, 2.5, "Here", "Street 1"),
        Rich("carousel", "x", {"items": [{"title": "a", "actions": [{"type": "link", "text": "b", "uri": "https://example.org"}]}]}),
    ]
    for part in sunshine.render(contents):
        assert await sunshine.send(TO, part, KEY) == Accepted(MESSAGE)
    for seen in server.seen:
        assert (seen.method, seen.target) == ("POST", f"/sc/v2/apps/{APP}/conversations/{CONVERSATION}/messages")
        assert seen.headers["authorization"] == "Basic " + base64.b64encode(f"app_65a0c0ffee:{CANARY}-key".encode()).decode()
        assert seen.headers["content-type"] == "application/json"
        body = seen.json()
        assert body["author"] == {"type": "business", "displayName": "Support"} and body["metadata"] == {"heliograph": KEY}
        model = MessagePost.from_dict(body)
        assert model is not None
        assert model.content.actual_instance is not None
    assert server.seen[0].json()["content"] == {"type": "text", "text": "Привіт 👋"}


async def test_a_file_is_uploaded_and_then_sent(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(UPLOADED, CASE.accepted)
    part = dataclasses.replace(sunshine.render([IMAGE])[0], data=b"\x89PNG")
    assert await sunshine.send(TO, part, KEY) == Accepted(MESSAGE)
    upload, post = server.seen
    assert upload.target == f"/sc/v2/apps/{APP}/attachments?access=public&for=message&conversationId={CONVERSATION}"
    assert b'name="source"' in upload.body and b"\x89PNG" in upload.body and "Фото 1.png".encode() in upload.body
    assert post.json()["content"] == {"type": "image", "mediaUrl": "https://media.example.org/1.png", "text": "look"}


@pytest.mark.parametrize(
    ("behaviour", "outcome", "reason"),
    [
        (error(400, "bad_request"), Refused, Reason.BAD_REQUEST),
        (error(401, "unauthorized"), Refused, Reason.BAD_CREDENTIALS),
        (error(413, "x"), Refused, Reason.TOO_LARGE),
        (answer(429), Deferred, Reason.RATE_LIMITED),
        (answer(502), Deferred, Reason.PROVIDER_DOWN),
        (misbehaving.close, Deferred, Reason.NO_ANSWER),
        (misbehaving.truncated, Deferred, Reason.NO_ANSWER),
        (answer(201, b"{}"), Deferred, Reason.PROVIDER_DOWN),
    ],
)
async def test_a_failed_upload_has_certainly_sent_nothing(
    sunshine: Sunshine, server: MisbehavingServer, behaviour, outcome, reason
) -> None:
    server.behave(behaviour)
    result = await sunshine.send(TO, dataclasses.replace(sunshine.render([IMAGE])[0], data=b"x"), KEY)
    assert isinstance(result, outcome) and result.reason is reason
    assert [each.target.partition("?")[0].rpartition("/")[2] for each in server.seen] == ["attachments"]


async def test_a_message_lost_after_its_upload_is_unknown(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(UPLOADED, misbehaving.close)
    result = await sunshine.send(TO, dataclasses.replace(sunshine.render([IMAGE])[0], data=b"x"), KEY)
    assert isinstance(result, Unknown)


def test_structured_content_that_only_customers_send_is_refused(sunshine: Sunshine) -> None:
    for rich in (
        Rich("formResponse", "", {}),
        Rich("hologram", "", {}),
        Rich("text", "", {"text": "x" * 4097}),
        Rich("list", "", {"a": "x" * 99_000}),
    ):
        with pytest.raises(Unsupported):
            sunshine.render([rich])


# --- looking up -------------------------------------------------------------------------------------


async def test_find_sees_our_key_on_a_later_page(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(page(message(3), before="cursor-1"), page(message(2, key=KEY), message(1), before="cursor-0"))
    assert await sunshine.find(TO, KEY, AT) == Found("b00000000000000000000002")
    assert [each.target.partition("?")[2] for each in server.seen] == ["", "page%5Bbefore%5D=cursor-1"]


async def test_find_says_absent_only_when_it_has_read_back_far_enough(sunshine: Sunshine, server: MisbehavingServer) -> None:
    old = message(0, received="2026-03-01T09:24:00.000Z")
    recent = message(1, received="2026-03-01T09:29:00.000Z")
    server.behave(page(recent, message(3), before="c1"), page(old, before="c0"), answer(500))
    assert await sunshine.find(TO, KEY, AT) == Absent()
    assert len(server.seen) == 2, "a message within the clocks' disagreement is not old enough, the next one is"
    assert CLOCK_SKEW == 300_000_000
    server.behave(page(message(3)))
    assert await sunshine.find(TO, KEY, AT) == Absent(), "the beginning of the conversation is far enough"
    server.behave(page())
    assert await sunshine.find(TO, KEY, AT) == Absent()


async def test_find_believes_the_business_only(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(page(message(1, key=KEY, author="user"), message(2, key="dlv_other")))
    assert await sunshine.find(TO, KEY, AT) == Absent()


@pytest.mark.parametrize(
    "behaviour",
    [
        *(answer(500), answer(429), misbehaving.close, answer(200, b""), answer(200, b"{}"), error(401, "unauthorized")),
        *(error(404, "conversation_not_found"), answer(200, {"messages": [], "meta": {"hasMore": True}}), answer(200, {"messages": []})),
        answer(200, {"messages": "none", "meta": {"hasMore": False}}),
    ],
)
async def test_find_that_could_not_read_everything_is_inconclusive(sunshine: Sunshine, server: MisbehavingServer, behaviour) -> None:
    server.behave(page(message(3), before="c1"), behaviour)
    assert isinstance(await sunshine.find(TO, KEY, AT), Inconclusive)


async def test_a_cursor_that_stands_still_ends_the_look_up(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(page(message(3), before="c1"))
    assert isinstance(await sunshine.find(TO, KEY, AT), Inconclusive)
    assert len(server.seen) == 2


async def test_history_is_oldest_first_and_has_the_ids_of_the_webhook(sunshine: Sunshine, server: MisbehavingServer) -> None:
    times = [f"2026-03-01T09:30:0{second}.000Z" for second in range(4)]
    server.behave(
        page(message(2, author="user", received=times[2]), message(3, key=KEY, received=times[3]), before="c1"),
        page(message(0, author="user", received=times[0]), message(1, received=times[1])),
    )
    got = await sunshine.history(TO, 1_772_357_400_000_000)
    business, customer, echo = got
    assert isinstance(business, InboundMessage) and business.author == "business" and business.conversation == CONVERSATION
    assert isinstance(customer, InboundMessage) and (customer.contact, customer.contact_name) == ("u1", "Ada")
    assert isinstance(echo, Receipt) and (echo.level, echo.key, echo.provider_id) == (
        ReceiptLevel.ACCEPTED,
        KEY,
        "b00000000000000000000003",
    )
    event = {"id": "e1", "type": "conversation:message", "createdAt": times[3]}
    for fact, listed in ((customer, message(2, author="user", received=times[2])), (echo, message(3, key=KEY, received=times[3]))):
        hook = {"events": [{**event, "payload": {"conversation": {"id": CONVERSATION}, "message": listed}}]}
        assert sunshine.parse(signed(json.dumps(hook).encode(), "")) == [fact]


async def test_history_that_fails_says_so(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(answer(500))
    with pytest.raises(PollFailed) as failed:
        await sunshine.history(TO, 0)
    assert isinstance(failed.value.result, Inconclusive) and failed.value.result.reason is Reason.PROVIDER_DOWN


# --- credentials ------------------------------------------------------------------------------------


async def test_an_app_key_of_another_app_is_the_wrong_identity(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(answer(200, {"app": {"id": "another"}}))
    assert await sunshine.check() == Invalid(Reason.WRONG_IDENTITY, code="other_app")
    server.behave(error(404, "app_not_found"))
    result = await sunshine.check()
    assert isinstance(result, Invalid) and result.reason is Reason.WRONG_IDENTITY


@pytest.mark.parametrize(
    ("key_id", "script", "expected", "targets"),
    [
        ("int_1", [answer(200, {"webhooks": []})], Valid(f"app:{APP}"), ["webhooks"]),
        ("int_1", [error(404, "integration_not_found"), error(404, "user_not_found")], Valid(f"app:{APP}"), ["webhooks", "conversations"]),
        ("int_1", [error(401, "unauthorized")], Invalid(Reason.BAD_CREDENTIALS, "unauthorized", "unauthorized"), ["webhooks"]),
        ("svc_1", [error(403, "forbidden"), error(404, "user_not_found")], Valid(f"app:{APP}"), [APP, "conversations"]),
        (
            "svc_1",
            [error(403, "forbidden"), error(403, "forbidden")],
            Invalid(Reason.NOT_PERMITTED, "forbidden", "forbidden"),
            [APP, "conversations"],
        ),
        ("act_1", [CASE.valid], Valid(f"app:{APP}"), [APP]),
        ("int_1", [error(403, "forbidden"), answer(500)], Inconclusive(Reason.PROVIDER_DOWN, "500"), ["webhooks", "conversations"]),
    ],
)
async def test_check_asks_what_the_key_may_ask(http: AiohttpHttp, server: MisbehavingServer, key_id, script, expected, targets) -> None:
    server.behave(*script)
    assert await build(http, server, key_id=key_id).check() == expected
    assert [each.target.partition("?")[0].rpartition("/")[2] for each in server.seen] == targets
    assert all(each.method == "GET" for each in server.seen), "a check spends no message"


# --- switchboard --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "method", "action", "body"),
    [
        ({}, "take_control", "acceptControl", {}),
        ({"switchboard_integration": "heliograph"}, "take_control", "passControl", {"switchboardIntegration": "heliograph"}),
        ({}, "release_control", "passControl", {"switchboardIntegration": "next"}),
        ({"release_to": "bot"}, "release_control", "passControl", {"switchboardIntegration": "bot"}),
        ({"release_to": "none"}, "release_control", "releaseControl", {}),
    ],
)
async def test_control_is_taken_and_handed_back(http: AiohttpHttp, server: MisbehavingServer, config, method, action, body) -> None:
    sunshine = build(http, server, **config)
    server.behave(answer(200, {}), error(404, "switchboard_not_found"), error(403, "forbidden"), answer(500))
    act = getattr(sunshine, method)
    assert await act(TO) == Accepted("")
    assert await act(TO) == Accepted(""), "an app without a switchboard has nobody to take control from"
    refused, unknown = await act(TO), await act(TO)
    assert isinstance(refused, Refused) and refused.reason is Reason.NOT_PERMITTED and isinstance(unknown, Unknown)
    assert server.seen[0].target == f"/sc/v2/apps/{APP}/conversations/{CONVERSATION}/{action}" and server.seen[0].json() == body


# --- webhooks ---------------------------------------------------------------------------------------


def hook(target: str = "https://desk.example.org/hooks/1", number: str = "w1") -> dict[str, Any]:
    return {"id": number, "version": "v2", "target": target, "triggers": [], "secret": f"{CANARY}-made"}


async def test_a_webhook_is_made_and_its_secret_handed_back(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(answer(200, {"webhooks": []}), answer(201, {"webhook": hook()}))
    result = await sunshine.register_webhook("https://desk.example.org/hooks/1", "ignored")
    assert result == Valid(f"app:{APP}", secret=f"{CANARY}-made") and CANARY not in repr(result)
    made = server.seen[1]
    assert (made.method, made.target) == ("POST", f"/sc/v2/apps/{APP}/integrations/1d0000000000000000000001/webhooks")
    assert WebhookCreateBody.from_dict(made.json()) is not None
    assert {"conversation:message", "user:merge", "conversation:remove"} <= set(made.json()["triggers"])


async def test_registering_again_changes_the_same_webhook(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(answer(200, {"webhooks": [hook("https://other.example.org", "w0"), hook()]}), answer(200, {"webhook": hook()}))
    assert isinstance(await sunshine.register_webhook("https://desk.example.org/hooks/1", ""), Valid)
    assert [(each.method, each.target.rpartition("/")[2]) for each in server.seen] == [("GET", "webhooks"), ("PATCH", "w1")]


async def test_the_one_webhook_of_a_custom_integration_is_moved(sunshine: Sunshine, server: MisbehavingServer) -> None:
    server.behave(answer(200, {"webhooks": [hook("https://old.example.org")]}), error(400, "bad_request"), answer(200, {"webhook": hook()}))
    assert isinstance(await sunshine.register_webhook("https://desk.example.org/hooks/1", ""), Valid)
    assert [each.method for each in server.seen] == ["GET", "POST", "PATCH"]


async def test_a_webhook_of_somebody_else_is_left_alone(sunshine: Sunshine, server: MisbehavingServer) -> None:
    two = [hook("https://a.example.org", "w1"), hook("https://b.example.org", "w2")]
    server.behave(answer(200, {"webhooks": two}), error(400, "bad_request"))
    result = await sunshine.register_webhook("https://desk.example.org/hooks/1", "")
    assert isinstance(result, Inconclusive) and len(server.seen) == 2


def test_a_hook_of_another_app_is_not_ours(sunshine: Sunshine) -> None:
    sunshine.verify(signed(f'{{"app":{{"id":"{APP}"}},"events":[]}}'.encode(), f"{CANARY}-new"))
    with pytest.raises(BadSignature):
        sunshine.verify(signed(b'{"app":{"id":"another"},"events":[]}', f"{CANARY}-new"))


def test_secrets_may_be_parted_by_commas(http: AiohttpHttp, server: MisbehavingServer) -> None:
    sunshine = build(http, server, webhook_secret="one,two, three")
    for secret in ("one", "two", "three"):
        sunshine.verify(RawRequest("POST", "/", {}, {"x-api-key": secret}, b"{}"))


# --- files --------------------------------------------------------------------------------------------


async def test_our_key_goes_to_the_api_only(http: AiohttpHttp, server: MisbehavingServer) -> None:
    sunshine = build(http, server)
    server.behave(answer(200, b"\x00bytes"))
    media = dataclasses.replace(IMAGE, remote=f"{server.base_url}/sc/private/1.png")
    assert await sunshine.fetch_media(media) == b"\x00bytes"
    async with MisbehavingServer([answer(200, b"there")]) as elsewhere:
        assert await sunshine.fetch_media(dataclasses.replace(IMAGE, remote=f"{elsewhere.base_url}/2.png")) == b"there"
        assert "authorization" in server.seen[0].headers and "authorization" not in elsewhere.seen[0].headers


@pytest.mark.parametrize(
    "behaviour", [answer(404), answer(302, b"", {"Location": "http://127.0.0.1/"}), misbehaving.truncated, misbehaving.close]
)
async def test_a_file_that_cannot_be_fetched_says_so(sunshine: Sunshine, server: MisbehavingServer, behaviour) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed):
        await sunshine.fetch_media(dataclasses.replace(IMAGE, remote=f"{server.base_url}/1.png"))
    assert len(server.seen) == 1


@pytest.mark.parametrize("remote", [None, "", "ftp://example.org/1.png", "http://[", "gopher://x"])
async def test_an_address_that_is_none_is_not_fetched(sunshine: Sunshine, remote: str | None) -> None:
    with pytest.raises(PollFailed):
        await sunshine.fetch_media(dataclasses.replace(IMAGE, remote=remote))
