"""Our LINE provider and the simulated LINE, in both directions and under faults."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    ContactBlocked,
    ConversationRemoved,
    Deferred,
    Ignored,
    InboundMessage,
    Invalid,
    Refused,
    Unknown,
    Valid,
)
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Upload
from tests.sandbox.both_ways import Connected, connected

KEY = "dlv_01h9key.1"
PICTURE = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f", caption="look")
URL = "https://desk.example/files/a.png"


class Setup(Connected):
    """How this service is written to."""

    @property
    def group(self) -> str:
        return list(self.account.conversations)[1]

    async def send(self, *contents: Content, to: str = "", key: str = KEY) -> Any:
        part = self.provider.render(contents or [Text("hello")])[0]
        return await self.provider.send(Address(to or self.first), dataclasses.replace(part, url=URL) if part.media else part, key)


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with connected(Setup, "line") as setup:
        yield setup


async def test_the_account_is_checked(setup: Setup) -> None:
    assert await setup.provider.check() == Valid(f"bot:{setup.account.id}")
    setup.account.revoked = True
    result = await setup.provider.check()
    assert isinstance(result, Invalid) and result.reason is Reason.BAD_CREDENTIALS


async def test_a_reply_is_seen(setup: Setup) -> None:
    assert isinstance(await setup.send(Text("Grüße & 📦")), Accepted)
    assert isinstance(await setup.send(PICTURE, key="dlv_2"), Accepted)
    assert isinstance(await setup.send(Location(1.5, 2.5, "Depot"), to=setup.group, key="dlv_3"), Accepted)
    text, picture = setup.seen()
    assert text["text"] == "Grüße & 📦" and picture["media"] == {"kind": "image", "url": URL, "name": "a.png"}
    assert setup.seen(setup.group)[0]["place"] == {"lat": 1.5, "long": 2.5}


async def test_a_blocked_contact_is_told_of_and_sees_nothing(setup: Setup) -> None:
    setup.act("block", {"blocked": True})
    fact = await setup.listening.until(lambda fact: isinstance(fact, ContactBlocked))
    assert fact.blocked and fact.contact == setup.first
    assert isinstance(await setup.send(), Accepted), "LINE takes it all the same"
    assert setup.seen() == []
    setup.act("block", {"blocked": False})
    await setup.listening.until(lambda fact: isinstance(fact, ContactBlocked) and not fact.blocked)


@pytest.mark.parametrize("mode", [Mode.ANSWER_LOST, Mode.ERROR_TAKEN, Mode.TRUNCATED, Mode.GARBAGE])
async def test_what_may_have_been_taken_is_repeated_and_taken_once(setup: Setup, mode: Mode) -> None:
    setup.fault(mode, operation="send", count=1)
    assert isinstance(await setup.send(), Unknown)
    again = await setup.send()
    assert isinstance(again, Accepted) and again == await setup.send()
    assert [each["id"] for each in setup.seen()] == [again.provider_id]
    assert setup.running.sandbox.tally.counts().accepted == 1
    assert await setup.send(key="dlv_01h9key.2") != again, "what a person sends again is another message"
    assert len(setup.seen()) == 2


@pytest.mark.parametrize("mode", [Mode.REQUEST_LOST, Mode.ERROR_NOT_TAKEN])
async def test_what_was_not_taken_is_repeated_and_taken(setup: Setup, mode: Mode) -> None:
    setup.fault(mode, operation="send", count=1)
    assert isinstance(await setup.send(), Unknown)
    assert isinstance(await setup.send(), Accepted)
    assert len(setup.seen()) == 1


async def test_the_month_and_the_moment_are_told_apart(setup: Setup) -> None:
    setup.fault(Mode.RATE_LIMITED, operation="send", count=1, retry_after=3)
    slow = await setup.send()
    assert isinstance(slow, Deferred) and (slow.reason, slow.after, slow.code) == (Reason.RATE_LIMITED, 3.0, "429")
    setup.account.more["quota"] = 0
    result = await setup.send()
    assert isinstance(result, Refused) and (result.reason, result.code) == (Reason.NOT_PERMITTED, "429_quota")
    setup.account.more["quota"] = 1
    assert isinstance(await setup.send(), Accepted), "once the quota is raised, under the same key"


async def test_refusals_have_their_reasons(setup: Setup) -> None:
    cases: list[tuple[Any, Reason]] = [
        (await setup.send(to="Ada"), Reason.BAD_RECIPIENT),
        (await setup.send(to="U" + "0" * 32), Reason.BAD_RECIPIENT),
    ]
    setup.fault(Mode.NOT_PERMITTED, count=1)
    cases.append((await setup.send(), Reason.NOT_PERMITTED))
    setup.account.revoked = True
    cases.append((await setup.send(), Reason.BAD_CREDENTIALS))
    assert [(type(result), result.reason) for result, _ in cases] == [(Refused, reason) for _, reason in cases]
    assert setup.seen() == []


# --- in -------------------------------------------------------------------------------------------------


async def test_what_a_contact_sends_comes_in(setup: Setup) -> None:
    setup.act("text", {"text": "Where is my parcel? 📦"})
    text = await setup.message(Text)
    assert (text.conversation, text.contact, text.contents) == (setup.first, setup.first, (Text("Where is my parcel? 📦"),))
    setup.act("location", {"latitude": 51.5, "longitude": -0.12})
    place = (await setup.message(Location)).contents[0]
    assert isinstance(place, Location) and (place.latitude, place.longitude) == (51.5, -0.12)
    setup.act("sticker", {"text": "Thanks"})
    sticker = (await setup.message(Rich)).contents[0]
    assert isinstance(sticker, Rich) and sticker.summary == "[sticker: Thanks]"


async def test_files_are_fetched_by_their_message(setup: Setup) -> None:
    setup.act("file", {"caption": "look"}, Upload("file", "rechnung.pdf", "application/pdf", b"%PDF"))
    (media,) = (await setup.message(Media)).contents
    assert isinstance(media, Media) and (media.name, media.media_type, media.size) == ("rechnung.pdf", "application/pdf", 4)
    assert await setup.provider.fetch_media(media) == b"%PDF"
    assert (await setup.message(Text)).contents == (Text("look"),)


async def test_a_group_is_a_conversation_of_its_own(setup: Setup) -> None:
    setup.act("text", {"text": "All of us ask"}, to=setup.group)
    text = await setup.message(Text)
    assert (text.conversation, text.contact) == (setup.group, setup.first)
    setup.act("leave", to=setup.group)
    removed = await setup.listening.until(lambda fact: isinstance(fact, ConversationRemoved))
    assert removed.conversation == setup.group
    result = await setup.send(to=setup.group)
    assert isinstance(result, Refused) and result.reason is Reason.BAD_RECIPIENT


async def test_what_came_twice_has_one_id_and_a_try_of_the_address_none(setup: Setup) -> None:
    setup.fault(Mode.WEBHOOK_DUPLICATED, operation="message", count=1)
    setup.act("text", {"text": "Twice"})
    setup.act("verify")
    await setup.listening.until(lambda fact: isinstance(fact, Ignored) and fact.why == "verification")
    await setup.listening.until(lambda _: sum(isinstance(each, InboundMessage) for each in setup.listening.facts) == 2)
    messages = [each for each in setup.listening.facts if isinstance(each, InboundMessage)]
    assert messages[0] == messages[1]


async def test_a_call_that_was_turned_down_comes_again(setup: Setup) -> None:
    setup.listening.refusing = [503]
    setup.act("text", {"text": "Patience"})
    assert (await setup.message(Text)).contents == (Text("Patience"),)
    first, second = setup.listening.calls
    assert b'"isRedelivery":false' in first.body and b'"isRedelivery":true' in second.body


async def test_the_webhook_is_registered_by_a_call(setup: Setup) -> None:
    setup.service.set_webhook(setup.account, "")
    assert await setup.provider.register_webhook(setup.listening.url, "unused") == Valid(f"bot:{setup.account.id}")
    setup.act("text", {"text": "Here"})
    await setup.message(Text)
