"""line-bot-sdk, LINE's own client, accepts the simulated LINE as real."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from linebot.v3.messaging import (
    ApiClient,
    ApiException,
    Configuration,
    FlexMessage,
    ImageMessage,
    LocationMessage,
    MessagingApi,
    MessagingApiBlob,
    PushMessageRequest,
    ReplyMessageRequest,
    SetWebhookEndpointRequest,
    ShowLoadingAnimationRequest,
    StickerMessage,
    TextMessage,
    ValidateMessageRequest,
)
from linebot.v3.messaging.models import FlexContainer
from linebot.v3.webhook import WebhookParser

from heliograph.ports.provider import BadSignature, RawRequest
from heliograph.sandbox.direct.line import Line
from heliograph.sandbox.direct.state import Account, Conversation
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Request, Upload
from tests.sandbox.listening import Listening


@dataclass
class Setup:
    """A running sandbox, a client for its account, and what its webhook gets, unread."""

    running: RunningSandbox
    client: ApiClient
    service: Line
    account: Account
    listening: Listening

    @property
    def friend(self) -> Conversation:
        return next(iter(self.account.conversations.values()))

    async def call(self, name: str, *args: Any, **more: Any) -> Any:
        """The client blocks: it runs beside."""
        return await asyncio.to_thread(getattr(MessagingApi(self.client), name), *args, **more)

    async def push(self, *messages: Any, to: str = "", key: str | None = None) -> Any:
        ask = PushMessageRequest(to=to or self.friend.id, messages=list(messages))
        return await self.call("push_message", ask, **({"x_line_retry_key": key} if key else {}))

    def act(self, name: str, body: Any = None, *files: Upload, to: str = "") -> Any:
        return self.service.acts[name](to or self.friend.id, body or {}, Request("POST", "/", files=files))

    async def events(self, count: int) -> list[Any]:
        """What the official parser makes of the webhook's calls, once that many events have come."""
        await self.listening.until(lambda _: len(self.listening.facts) >= count)
        return list(self.listening.facts)


class Official:
    """The official parser where a provider of ours would be."""

    def __init__(self, secret: str) -> None:
        self._parser = WebhookParser(secret)

    def verify(self, call: RawRequest) -> None:
        if not self._parser.signature_validator.validate(call.body.decode(), call.headers["x-line-signature"]):
            raise BadSignature("X-Line-Signature")

    def parse(self, call: RawRequest) -> list[Any]:
        return list(self._parser.parse(call.body.decode(), call.headers["x-line-signature"]))


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    async with Listening() as listening:
        config = sandbox.seed_direct("line", contact="Ada", webhook_url=listening.url)
        service = sandbox.direct["line"]
        assert isinstance(service, Line)
        (account,) = service.accounts.values()
        listening.provider = Official(account.secret)
        with ApiClient(Configuration(host=running.urls["line"], access_token=config["token"])) as client:
            yield Setup(running, client, service, account, listening)
    await running.stop()


async def test_all_that_it_can_send_is_taken(setup: Setup) -> None:
    messages = [
        TextMessage(text="On its way 📦"),
        LocationMessage(title="Depot", address="Kai 3", latitude=51.5, longitude=-0.12),
        ImageMessage(original_content_url="https://shop.example/a.png", preview_image_url="https://shop.example/a.png"),
        StickerMessage(package_id="446", sticker_id="1988"),
        FlexMessage(alt_text="Parcel", contents=FlexContainer.from_dict({"type": "bubble"})),
    ]
    done = await setup.push(*messages)
    assert [each.id for each in done.sent_messages] == [post.id for post in setup.friend.posts]
    assert [post.kind for post in setup.friend.posts] == ["text", "location", "image", "sticker", "flex"]
    await setup.call("validate_push", ValidateMessageRequest(messages=messages))
    await setup.call("show_loading_animation", ShowLoadingAnimationRequest(chat_id=setup.friend.id))
    assert setup.friend.typing_until > 0


async def test_a_retry_key_is_taken_once(setup: Setup) -> None:
    key = str(uuid.uuid4())
    first = await setup.push(TextMessage(text="Hello"), key=key)
    for _ in range(2):
        with pytest.raises(ApiException) as raised:
            await setup.push(TextMessage(text="Hello"), key=key)
        assert raised.value.status == 409
        assert raised.value.headers["x-line-accepted-request-id"]
        assert first.sent_messages[0].id in raised.value.body
    assert len(setup.friend.posts) == 1
    await setup.push(TextMessage(text="Hello"), key=str(uuid.uuid4()))
    assert len(setup.friend.posts) == 2


async def test_what_can_be_asked(setup: Setup) -> None:
    info = await setup.call("get_bot_info")
    assert (info.user_id, info.display_name, info.chat_mode) == (setup.account.id, "Demo desk", "bot")
    assert (await setup.call("get_profile", setup.friend.id)).display_name == "Ada"
    assert (await setup.call("get_message_quota")).type == "none"
    await setup.push(TextMessage(text="x"))
    assert (await setup.call("get_message_quota_consumption")).total_usage == 1
    await setup.call("set_webhook_endpoint", SetWebhookEndpointRequest(endpoint="https://desk.example/hooks/line/chn_1"))
    endpoint = await setup.call("get_webhook_endpoint")
    assert (endpoint.endpoint, endpoint.active) == ("https://desk.example/hooks/line/chn_1", True)


async def test_its_parser_reads_every_event(setup: Setup) -> None:
    group = list(setup.account.conversations)[1]
    setup.act("text", {"text": "Where is my parcel?"})
    setup.act("text", {"text": "And mine?"}, to=group)
    setup.act("file", {}, Upload("file", "a.png", "image/png", b"\x89PNG"))
    setup.act("file", {}, Upload("file", "a.mp4", "video/mp4", b"mp4"))
    setup.act("file", {}, Upload("file", "a.pdf", "application/pdf", b"%PDF"))
    setup.act("location", {"latitude": 51.5, "longitude": -0.12})
    setup.act("sticker", {"text": "Thanks"})
    setup.act("postback", {"payload": "track=7001"})
    setup.act("unsend")
    setup.act("block", {"blocked": True})
    setup.act("block", {"blocked": False})
    setup.act("leave", to=group)
    events = await setup.events(12)
    events.sort(key=lambda event: (event.timestamp, event.type))
    assert sorted(event.type for event in events) == sorted(["message"] * 7 + ["postback", "unsend", "unfollow", "follow", "leave"])
    messages = [event for event in events if event.type == "message"]
    assert sorted(event.message.type for event in messages) == sorted(["text", "text", "image", "video", "file", "location", "sticker"])
    image = next(event.message for event in messages if event.message.type == "image")
    blob = MessagingApiBlob(setup.client)
    assert bytes(await asyncio.to_thread(blob.get_message_content, image.id)) == b"\x89PNG"
    assert {event.source.type for event in events} == {"user", "group"}


async def test_a_reply_token_is_good_once(setup: Setup) -> None:
    setup.act("text", {"text": "Hello?"})
    (event,) = await setup.events(1)
    ask = ReplyMessageRequest(reply_token=event.reply_token, messages=[TextMessage(text="Hello!")])
    assert (await setup.call("reply_message", ask)).sent_messages
    with pytest.raises(ApiException, match="Invalid reply token"):
        await setup.call("reply_message", ask)


Prepare = Callable[[Setup], Any]


@pytest.mark.parametrize(
    ("prepare", "more", "number", "words"),
    [
        (lambda s: setattr(s.account, "revoked", True), {}, 401, "Authentication failed"),
        (lambda s: None, {"to": "Ada"}, 400, "The property, 'to'"),
        (lambda s: None, {"to": "U" + "0" * 32}, 400, "Failed to send messages"),
        (lambda s: None, {"text": "x" * 5001}, 400, "Length must be between 0 and 5000"),
        (lambda s: None, {"key": "no-uuid"}, 400, "retry key"),
        (lambda s: s.account.more.update(quota=0), {}, 429, "monthly limit"),
        (lambda s: s.running.sandbox.faults.set(Fault("line", Mode.RATE_LIMITED)), {}, 429, "rate limit"),
        (lambda s: s.running.sandbox.faults.set(Fault("line", Mode.NOT_PERMITTED)), {}, 403, "not available for your account"),
        (lambda s: s.running.sandbox.faults.set(Fault("line", Mode.ERROR_NOT_TAKEN)), {}, 500, "error"),
    ],
)
async def test_errors_are_the_client_s_exceptions(setup: Setup, prepare: Prepare, more: dict[str, str], number: int, words: str) -> None:
    prepare(setup)
    with pytest.raises(ApiException) as raised:
        await setup.push(TextMessage(text=more.get("text", "x")), to=more.get("to", ""), key=more.get("key"))
    assert raised.value.status == number and words in raised.value.body
    assert setup.friend.posts == []


async def test_what_is_no_call_is_answered_as_line_does(setup: Setup) -> None:
    setup.service.hub.settings.channel_after = None
    for body in (b"", b"[]", b"{", b'{"to":7,"messages":[]}', b'{"to":"","messages":[1]}'):
        request = Request(
            "POST",
            "/line/v2/bot/message/push",
            {},
            {"authorization": f"Bearer {setup.account.token}", "content-type": "application/json"},
            body,
        )
        outcome: Any = setup.service.handle(request)
        assert outcome.response.code == 400
