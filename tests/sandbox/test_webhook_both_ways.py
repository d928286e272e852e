"""Our Webhook provider and the simulated service behind it, in both directions and under faults; the page's schema judges both."""

import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Official

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    ContactBlocked,
    ConversationMoved,
    ConversationRemoved,
    Deferred,
    InboundMessage,
    Invalid,
    Refused,
    Unknown,
    Valid,
)
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Upload
from tests.providers.cases_webhook import judge_of
from tests.sandbox.both_ways import Connected, connected

KEY = "dlv_01h9key.1"
URL = "https://desk.example/files/a.png"
PICTURE = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f", caption="look")


class Setup(Connected):
    """How this service is written to."""

    async def send(self, *contents: Content, to: str = "", key: str = KEY) -> Any:
        part = self.provider.render(contents or [Text("hello")])[0]
        return await self.provider.send(Address(to or self.first), dataclasses.replace(part, url=URL) if part.media else part, key)


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with connected(Setup, "webhook", told=False) as setup:
        assert await setup.provider.check() == Valid(f"webhook:{setup.account.id}"), "and from now on it knows where events go"
        yield setup
        for call in setup.listening.calls:
            judge_of("events").validate(json.loads(call.body))
            Official(setup.account.secret).verify(call.body, dict(call.headers))


async def test_other_credentials_are_other_people_s(setup: Setup) -> None:
    setup.account.revoked = True
    result = await setup.provider.check()
    assert isinstance(result, Invalid) and result.reason is Reason.BAD_CREDENTIALS
    assert isinstance(await setup.send(), Refused)


async def test_a_reply_is_seen_and_its_receipts_carry_our_key(setup: Setup) -> None:
    taken = await setup.send(Text("Grüße & 📦"))
    assert isinstance(taken, Accepted)
    for level in (ReceiptLevel.SENT, ReceiptLevel.DELIVERED):
        receipt = await setup.receipt(level)
        assert (receipt.key, receipt.provider_id) == (KEY, taken.provider_id)
    setup.act("read")
    assert (await setup.receipt(ReceiptLevel.READ)).key == KEY
    assert [each["text"] for each in setup.seen()] == ["Grüße & 📦"]
    assert {label for each in setup.running.sandbox.tally.taken() for label in each.labels} == {KEY}


async def test_every_kind_of_content_is_taken(setup: Setup) -> None:
    contents: list[Content] = [PICTURE, Location(1.5, 2.5, "Depot"), Rich("list", "Two parcels", {"items": []})]
    for number, content in enumerate(contents):
        assert isinstance(await setup.send(content, key=f"dlv_{number}"), Accepted)
    picture, place, rich = setup.seen()
    assert picture["media"] == {"kind": "image", "url": URL, "name": "a.png"} and picture["text"] == "look"
    assert place["place"] == {"lat": 1.5, "long": 2.5} and rich["text"] == "Two parcels"


@pytest.mark.parametrize("mode", [Mode.ANSWER_LOST, Mode.ERROR_TAKEN, Mode.TRUNCATED, Mode.GARBAGE])
async def test_what_may_have_been_taken_is_repeated_and_taken_once(setup: Setup, mode: Mode) -> None:
    setup.fault(mode, operation="send", count=1)
    assert isinstance(await setup.send(), Unknown)
    again = await setup.send()
    assert isinstance(again, Accepted) and again == await setup.send()
    assert [each["id"] for each in setup.seen()] == [again.provider_id]
    assert setup.running.sandbox.tally.counts().accepted == 1


@pytest.mark.parametrize("mode", [Mode.REQUEST_LOST, Mode.ERROR_NOT_TAKEN])
async def test_what_was_not_taken_is_repeated_and_taken(setup: Setup, mode: Mode) -> None:
    setup.fault(mode, operation="send", count=1)
    assert isinstance(await setup.send(), Unknown)
    assert isinstance(await setup.send(), Accepted)
    assert len(setup.seen()) == 1


async def test_a_refusal_by_a_receipt_has_its_reason(setup: Setup) -> None:
    setup.fault(Mode.RECEIPT_FAILURE, count=1, error_code="window_closed")
    assert isinstance(await setup.send(), Accepted)
    failed = await setup.receipt(ReceiptLevel.FAILED)
    assert (failed.key, failed.reason, failed.code, failed.final) == (KEY, Reason.WINDOW_CLOSED, "window_closed", True)
    assert setup.seen() == []


async def test_refusals_have_their_reasons(setup: Setup) -> None:
    assert _reason(await setup.send(to="nowhere")) is Reason.BAD_RECIPIENT
    setup.fault(Mode.NOT_PERMITTED, count=1)
    assert _reason(await setup.send()) is Reason.NOT_PERMITTED
    setup.fault(Mode.RATE_LIMITED, operation="send", count=1, retry_after=3)
    assert await setup.send() == Deferred(Reason.RATE_LIMITED, 3.0, "E429")
    setup.act("block", {"blocked": True})
    assert _reason(await setup.send()) is Reason.BLOCKED
    assert (await setup.listening.until(lambda fact: isinstance(fact, ContactBlocked))).blocked
    setup.act("block", {"blocked": False})
    setup.act("remove")
    assert _reason(await setup.send()) is Reason.CONVERSATION_CLOSED
    await setup.listening.until(lambda fact: isinstance(fact, ConversationRemoved))


async def test_sending_may_be_refused_while_the_service_is_well(setup: Setup) -> None:
    setup.fault(Mode.NOT_PERMITTED)
    assert isinstance(await setup.provider.check(), Valid)
    assert isinstance(await setup.send(), Refused)


async def test_a_conversation_that_moved_is_followed(setup: Setup) -> None:
    old = setup.first
    new = setup.act("move")["conversation"]
    moved = await setup.listening.until(lambda fact: isinstance(fact, ConversationMoved))
    assert (moved.old, moved.new) == (old, new)
    assert await setup.send(to=old) == Deferred(Reason.MOVED, 0.0, "E422", readdress=new)
    assert isinstance(await setup.send(to=new), Accepted)


async def test_what_a_contact_sends_comes_in(setup: Setup) -> None:
    setup.act("text", {"text": "Where is my parcel? 📦"})
    text = await setup.message(Text)
    assert (text.conversation, text.contact_name, text.contents) == (setup.first, "Ada", (Text("Where is my parcel? 📦"),))
    setup.act("location", {"latitude": 51.5, "longitude": -0.12})
    assert (await setup.message(Location)).contents == (Location(51.5, -0.12),)
    setup.act("file", {"caption": "look"}, Upload("file", "a.png", "image/png", b"\x89PNG"))
    (media,) = (await setup.message(Media)).contents
    assert isinstance(media, Media) and (media.name, media.size, media.caption) == ("a.png", 4, "look")
    assert await setup.provider.fetch_media(media) == b"\x89PNG"


async def test_what_came_twice_has_one_id(setup: Setup) -> None:
    setup.fault(Mode.WEBHOOK_DUPLICATED, operation="message", count=1)
    setup.act("text", {"text": "Twice"})
    await setup.listening.until(lambda _: sum(isinstance(each, InboundMessage) for each in setup.listening.facts) == 2)
    first, second = (each for each in setup.listening.facts if isinstance(each, InboundMessage))
    assert first == second


async def test_a_call_that_was_turned_down_comes_again(setup: Setup) -> None:
    setup.listening.refusing = [503]
    setup.act("text", {"text": "Patience"})
    assert (await setup.message(Text)).contents == (Text("Patience"),)
    first, second = setup.listening.calls
    assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"]


def _reason(result: Any) -> Reason:
    assert isinstance(result, Refused)
    return result.reason
