"""Our Slack provider and the simulated Slack, in both directions and under faults."""

import dataclasses
from collections.abc import AsyncIterator
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
from heliograph.sandbox.direct.slack import Slack as Service
from heliograph.sandbox.direct.slack_messages import BOT, TEAM
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Upload
from tests.sandbox.both_ways import Connected, connected

KEY = "dlv_01h9key.1"
PNG = Upload("f", "a.png", "image/png", b"\x89PNG")


class Setup(Connected):
    """With channels, which only this service has."""

    service: Service

    async def send(self, to: str, text: str = "hello", key: str = KEY) -> Any:
        return await self.provider.send(Address(to), self.provider.render([Text(text)])[0], key)

    async def says(self, **wanted: Any) -> InboundMessage:
        """The first message with these members."""

        def fits(fact: Any) -> bool:
            return isinstance(fact, InboundMessage) and all(getattr(fact, name) == value for name, value in wanted.items())

        found = await self.listening.until(fits)
        assert isinstance(found, InboundMessage)
        return found


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with connected(Setup, "slack") as setup:
        yield setup


async def test_the_bot_is_checked(setup: Setup) -> None:
    assert await setup.provider.check() == Valid(f"{TEAM}:{BOT}")
    setup.account.revoked = True
    assert await setup.provider.check() == Invalid(Reason.BAD_CREDENTIALS, "token_revoked")


async def test_a_reply_arrives_and_comes_back_with_our_key(setup: Setup) -> None:
    taken = await setup.send(setup.first, "a < b & *c* 📦")
    echo = await setup.listening.until(lambda fact: isinstance(fact, Receipt))
    assert taken == Accepted(echo.provider_id) and echo.key == KEY
    (message,) = setup.service.phone(setup.first)["messages"]
    assert message["text"] == "a < b & *c* 📦"


async def test_a_conversation_in_a_channel_is_a_thread(setup: Setup) -> None:
    channel = setup.service.add_channel(setup.account, "help").id
    top = setup.act("text", {"text": "Where is my parcel?"}, to=channel)["id"]
    asked = await setup.says(contents=(Text("Where is my parcel?"),))
    assert asked.conversation == f"{channel}:{top}"
    assert isinstance(await setup.send(asked.conversation, "On its way."), Accepted)
    setup.act("thread", {"text": "Thanks", "thread": top}, to=channel)
    assert (await setup.says(contents=(Text("Thanks"),))).conversation == asked.conversation
    found = await setup.provider.find(Address(asked.conversation), KEY, setup.running.sandbox.now())
    assert isinstance(found, Found)


async def test_files_go_both_ways(setup: Setup) -> None:
    picture = Media(MediaKind.IMAGE, "b.png", "image/png", 4, file="f", caption="look & see")
    part = dataclasses.replace(setup.provider.render([picture])[0], data=PNG.data)
    taken = await setup.provider.send(Address(setup.first), part, KEY)
    echo = await setup.listening.until(lambda fact: isinstance(fact, Receipt))
    assert taken == Accepted(echo.provider_id) and echo.key == KEY
    (message,) = setup.service.phone(setup.first)["messages"]
    assert (message["text"], message["media"]["kind"], message["media"]["name"]) == ("look & see", "image", "b.png")
    setup.act("file", {"caption": "mine"}, PNG)
    said, file = (await setup.says()).contents
    assert said == Text("mine") and isinstance(file, Media) and await setup.provider.fetch_media(file) == PNG.data


@pytest.mark.parametrize(
    ("mode", "more"),
    [(Mode.ANSWER_LOST, {}), (Mode.ERROR_TAKEN, {}), (Mode.ERROR_TAKEN, {"code": 200}), (Mode.TRUNCATED, {}), (Mode.GARBAGE, {})],
)
async def test_a_lost_answer_is_found_in_the_list(setup: Setup, mode: Mode, more: Any) -> None:
    since = setup.running.sandbox.now()
    setup.fault(mode, operation="send", count=1, **more)
    assert isinstance(await setup.send(setup.first), Unknown)
    (post,) = setup.account.conversations[setup.first].posts
    assert await setup.provider.find(Address(setup.first), KEY, since) == Found(f"{setup.first}:{post.id}")
    assert await setup.provider.find(Address(setup.first), "dlv_other.1", since) == Absent()


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
        result = await setup.send(setup.first)
        assert isinstance(result, outcome) and result.reason is reason
        if isinstance(result, Deferred):
            assert result.after == 7
    assert await setup.provider.find(Address(setup.first), KEY, since) == Absent()
    setup.fault(Mode.RATE_LIMITED, operation="read", retry_after=60)
    assert isinstance(await setup.provider.find(Address(setup.first), KEY, since), Inconclusive)


async def test_a_file_whose_answer_was_lost_is_found_by_its_block(setup: Setup) -> None:
    since = setup.running.sandbox.now()
    setup.fault(Mode.ANSWER_LOST, operation="send", count=1)
    picture = Media(MediaKind.IMAGE, "b.png", "image/png", 4, file="f")
    part = dataclasses.replace(setup.provider.render([picture])[0], data=PNG.data)
    assert isinstance(await setup.provider.send(Address(setup.first), part, KEY), Unknown)
    (post,) = setup.account.conversations[setup.first].posts
    assert await setup.provider.find(Address(setup.first), KEY, since) == Found(f"{setup.first}:{post.file}")
    post.more["blocks"] = []
    assert isinstance(await setup.provider.find(Address(setup.first), KEY, since), Inconclusive), "without its block nothing is proved"


async def test_what_people_do_comes_in(setup: Setup) -> None:
    written = setup.act("text", {"text": "parcel <7001> & co"})["id"]
    assert (await setup.says()).contents == (Text("parcel <7001> & co"),)
    setup.act("edit", {"message": written, "text": "parcel 7002"})
    assert (await setup.says(not_carried=("edit",))).contents == (Text("parcel 7002"),)
    setup.act("delete", {"message": written})
    await setup.listening.until(lambda fact: isinstance(fact, Ignored) and fact.why == "message_deleted")
    setup.act("location", {"latitude": 52.5, "longitude": 13.4})
    await setup.says(contents=(Text("https://maps.google.com/?q=52.5,13.4"),))
    channel = setup.service.add_channel(setup.account, "help").id
    setup.act("archive", {}, to=channel)
    assert (await setup.listening.until(lambda fact: isinstance(fact, ConversationRemoved))).conversation == channel
    assert (await setup.send(channel)).reason is Reason.CONVERSATION_CLOSED


async def test_what_was_missed_is_read_back_with_the_events_ids(setup: Setup) -> None:
    before = setup.running.sandbox.now()
    setup.fault(Mode.WEBHOOK_HELD)
    setup.act("text", {"text": "first"})
    await setup.send(setup.first)
    setup.act("text", {"text": "second"})
    facts = await setup.provider.history(Address(setup.first), before - 1)
    assert [type(fact) for fact in facts] == [InboundMessage, Receipt, InboundMessage]
    setup.running.sandbox.outbox.release()
    for fact in facts:
        wanted = fact.event_id
        await setup.listening.until(lambda seen, wanted=wanted: seen.event_id == wanted)  # type: ignore[misc]
