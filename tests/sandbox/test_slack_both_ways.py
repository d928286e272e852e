"""Our Slack provider and the simulated Slack, in both directions and under faults."""

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from heliograph.domain.content import Media, MediaKind, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Absent,
    Accepted,
    Address,
    ConversationRemoved,
    Deferred,
    Found,
    Ignored,
    InboundMessage,
    Inconclusive,
    Invalid,
    Receipt,
    Refused,
    Unknown,
    Valid,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.slack import Slack
from heliograph.sandbox.direct.slack import Slack as Service
from heliograph.sandbox.direct.slack_messages import BOT, TEAM
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Request, Upload
from tests.sandbox.listening import Listening

KEY = "dlv_01h9key.1"
PNG = Upload("f", "a.png", "image/png", b"\x89PNG")


@dataclass
class Setup:
    """A provider connected to a running sandbox, and what comes in."""

    running: RunningSandbox
    slack: Slack
    listening: Listening
    service: Service
    account: Account

    @property
    def direct(self) -> str:
        return next(iter(self.account.conversations))

    async def send(self, to: str, text: str = "hello", key: str = KEY) -> Any:
        return await self.slack.send(Address(to), self.slack.render([Text(text)])[0], key)

    def fault(self, mode: Mode, **more: Any) -> None:
        self.running.sandbox.faults.set(Fault("slack", mode, **more))

    def act(self, name: str, to: str, body: Any, *files: Upload) -> Any:
        return self.service.acts[name](to, body, Request("POST", "/", files=files))

    async def message(self, **wanted: Any) -> InboundMessage:
        """The first message with these members."""

        def fits(fact: Any) -> bool:
            return isinstance(fact, InboundMessage) and all(getattr(fact, name) == value for name, value in wanted.items())

        found = await self.listening.until(fits)
        assert isinstance(found, InboundMessage)
        return found


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    async with Listening() as listening, AiohttpHttp(guarded=True, allow=("127.0.0.0/8",)) as http:
        config = sandbox.seed_direct("slack")
        slack = Slack({**config, "base_url": running.urls["slack"], "webhook_url": listening.url}, http)
        listening.provider = slack
        service = sandbox.direct["slack"]
        assert isinstance(service, Service)
        account = next(iter(service.accounts.values()))
        service.set_webhook(account, listening.url)
        yield Setup(running, slack, listening, service, account)
    await running.stop()


async def test_the_bot_is_checked(setup: Setup) -> None:
    assert await setup.slack.check() == Valid(f"{TEAM}:{BOT}")
    setup.account.revoked = True
    assert await setup.slack.check() == Invalid(Reason.BAD_CREDENTIALS, "token_revoked")


async def test_a_reply_arrives_and_comes_back_with_our_key(setup: Setup) -> None:
    taken = await setup.send(setup.direct, "a < b & *c* 📦")
    echo = await setup.listening.until(lambda fact: isinstance(fact, Receipt))
    assert taken == Accepted(echo.provider_id) and echo.key == KEY
    (message,) = setup.service.phone(setup.direct)["messages"]
    assert message["text"] == "a < b & *c* 📦"


async def test_a_conversation_in_a_channel_is_a_thread(setup: Setup) -> None:
    channel = setup.service.add_channel(setup.account, "help").id
    top = setup.act("text", channel, {"text": "Where is my parcel?"})["id"]
    asked = await setup.message(contents=(Text("Where is my parcel?"),))
    assert asked.conversation == f"{channel}:{top}"
    assert isinstance(await setup.send(asked.conversation, "On its way."), Accepted)
    setup.act("thread", channel, {"text": "Thanks", "thread": top})
    assert (await setup.message(contents=(Text("Thanks"),))).conversation == asked.conversation
    found = await setup.slack.find(Address(asked.conversation), KEY, setup.running.sandbox.now())
    assert isinstance(found, Found)


async def test_files_go_both_ways(setup: Setup) -> None:
    picture = Media(MediaKind.IMAGE, "b.png", "image/png", 4, file="f", caption="look & see")
    part = dataclasses.replace(setup.slack.render([picture])[0], data=PNG.data)
    taken = await setup.slack.send(Address(setup.direct), part, KEY)
    echo = await setup.listening.until(lambda fact: isinstance(fact, Receipt))
    assert taken == Accepted(echo.provider_id) and echo.key == KEY
    (message,) = setup.service.phone(setup.direct)["messages"]
    assert (message["text"], message["media"]["kind"], message["media"]["name"]) == ("look & see", "image", "b.png")
    setup.act("file", setup.direct, {"caption": "mine"}, PNG)
    said, file = (await setup.message()).contents
    assert said == Text("mine") and isinstance(file, Media) and await setup.slack.fetch_media(file) == PNG.data


@pytest.mark.parametrize(
    ("mode", "more"),
    [(Mode.ANSWER_LOST, {}), (Mode.ERROR_TAKEN, {}), (Mode.ERROR_TAKEN, {"code": 200}), (Mode.TRUNCATED, {}), (Mode.GARBAGE, {})],
)
async def test_a_lost_answer_is_found_in_the_list(setup: Setup, mode: Mode, more: Any) -> None:
    since = setup.running.sandbox.now()
    setup.fault(mode, operation="send", count=1, **more)
    assert isinstance(await setup.send(setup.direct), Unknown)
    (post,) = setup.account.conversations[setup.direct].posts
    assert await setup.slack.find(Address(setup.direct), KEY, since) == Found(f"{setup.direct}:{post.id}")
    assert await setup.slack.find(Address(setup.direct), "dlv_other.1", since) == Absent()


async def test_nothing_taken_is_absent(setup: Setup) -> None:
    since = setup.running.sandbox.now()
    for mode, outcome, reason in (
        (Mode.RATE_LIMITED, Deferred, Reason.RATE_LIMITED),
        (Mode.REVOKED, Refused, Reason.BAD_CREDENTIALS),
        (Mode.NOT_PERMITTED, Refused, Reason.NOT_PERMITTED),
        (Mode.ERROR_NOT_TAKEN, Unknown, Reason.PROVIDER_DOWN),
        (Mode.REQUEST_LOST, Unknown, Reason.NO_ANSWER),
    ):
        setup.fault(mode, operation="send", count=1, retry_after=7)
        result = await setup.send(setup.direct)
        assert isinstance(result, outcome) and result.reason is reason
        if isinstance(result, Deferred):
            assert result.after == 7
    assert await setup.slack.find(Address(setup.direct), KEY, since) == Absent()
    setup.fault(Mode.RATE_LIMITED, operation="read", retry_after=60)
    assert isinstance(await setup.slack.find(Address(setup.direct), KEY, since), Inconclusive)


async def test_a_file_whose_answer_was_lost_is_found_by_its_block(setup: Setup) -> None:
    since = setup.running.sandbox.now()
    setup.fault(Mode.ANSWER_LOST, operation="send", count=1)
    picture = Media(MediaKind.IMAGE, "b.png", "image/png", 4, file="f")
    part = dataclasses.replace(setup.slack.render([picture])[0], data=PNG.data)
    assert isinstance(await setup.slack.send(Address(setup.direct), part, KEY), Unknown)
    (post,) = setup.account.conversations[setup.direct].posts
    assert await setup.slack.find(Address(setup.direct), KEY, since) == Found(f"{setup.direct}:{post.file}")
    post.more["blocks"] = []
    assert isinstance(await setup.slack.find(Address(setup.direct), KEY, since), Inconclusive), "without its block nothing is proved"


async def test_what_people_do_comes_in(setup: Setup) -> None:
    written = setup.act("text", setup.direct, {"text": "parcel <7001> & co"})["id"]
    assert (await setup.message()).contents == (Text("parcel <7001> & co"),)
    setup.act("edit", setup.direct, {"message": written, "text": "parcel 7002"})
    assert (await setup.message(not_carried=("edit",))).contents == (Text("parcel 7002"),)
    setup.act("delete", setup.direct, {"message": written})
    await setup.listening.until(lambda fact: isinstance(fact, Ignored) and fact.why == "message_deleted")
    setup.act("location", setup.direct, {"latitude": 52.5, "longitude": 13.4})
    await setup.message(contents=(Text("https://maps.google.com/?q=52.5,13.4"),))
    channel = setup.service.add_channel(setup.account, "help").id
    setup.act("archive", channel, {})
    assert (await setup.listening.until(lambda fact: isinstance(fact, ConversationRemoved))).conversation == channel
    assert (await setup.send(channel)).reason is Reason.CONVERSATION_CLOSED


async def test_what_was_missed_is_read_back_with_the_events_ids(setup: Setup) -> None:
    before = setup.running.sandbox.now()
    setup.fault(Mode.WEBHOOK_HELD)
    setup.act("text", setup.direct, {"text": "first"})
    await setup.send(setup.direct)
    setup.act("text", setup.direct, {"text": "second"})
    facts = await setup.slack.history(Address(setup.direct), before - 1)
    assert [type(fact) for fact in facts] == [InboundMessage, Receipt, InboundMessage]
    setup.running.sandbox.outbox.release()
    for fact in facts:
        wanted = fact.event_id
        await setup.listening.until(lambda seen, wanted=wanted: seen.event_id == wanted)  # type: ignore[misc]
