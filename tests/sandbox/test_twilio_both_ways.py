"""Our Twilio provider and the simulated Twilio, in both directions and under faults."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heliograph.domain.content import Location, Media, MediaKind, Text
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    ContactBlocked,
    Deferred,
    InboundMessage,
    Invalid,
    Refused,
    Unknown,
    Valid,
)
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import SECOND, Upload
from tests.sandbox.both_ways import Connected, connected

KEY = "dlv_01h9key.1"


class Setup(Connected):
    """How this service is written to."""

    @property
    def sms(self) -> str:
        return self.first

    @property
    def whatsapp(self) -> str:
        return list(self.account.conversations)[1]

    async def send(self, to: str, text: str = "hello", key: str = KEY) -> Any:
        return await self.provider.send(Address(to), self.provider.render([Text(text)])[0], key)


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with connected(Setup, "twilio", fragment="#rc=5&rp=all") as setup:
        yield setup


async def test_the_account_is_checked(setup: Setup) -> None:
    assert await setup.provider.check() == Valid(f"account:{setup.account.id}/{setup.account.more['service']}")
    setup.account.more["status"] = "suspended"
    assert await setup.provider.check() == Invalid(Reason.NOT_PERMITTED, "suspended")
    setup.account.revoked = True
    assert isinstance(await setup.provider.check(), Invalid)


async def test_a_reply_arrives_and_its_receipts_carry_our_key(setup: Setup) -> None:
    taken = await setup.send(setup.whatsapp, "Grüße & 📦")
    assert isinstance(taken, Accepted)
    for wanted in (ReceiptLevel.SENT, ReceiptLevel.DELIVERED):
        receipt = await setup.receipt(wanted)
        assert (receipt.key, receipt.provider_id) == (KEY, taken.provider_id)
    setup.act("read", {}, to=setup.whatsapp)
    assert (await setup.receipt(ReceiptLevel.READ)).provider_id == taken.provider_id
    (message,) = setup.service.phone(setup.whatsapp)["messages"]
    assert message["text"] == "Grüße & 📦" and not message["mine"]


async def test_a_file_goes_by_its_address(setup: Setup) -> None:
    picture = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f", caption="look")
    part = dataclasses.replace(setup.provider.render([picture])[0], url="https://desk.example/files/a.png")
    assert isinstance(await setup.provider.send(Address(setup.sms), part, KEY), Accepted)
    (message,) = setup.service.phone(setup.sms)["messages"]
    assert message["media"] == {"kind": "image", "url": "https://desk.example/files/a.png", "name": "a.png"}


@pytest.mark.parametrize("mode", [Mode.ANSWER_LOST, Mode.ERROR_TAKEN, Mode.TRUNCATED, Mode.GARBAGE])
async def test_a_lost_answer_is_made_up_for_by_the_receipt(setup: Setup, mode: Mode) -> None:
    setup.fault(mode, operation="send", count=1)
    assert isinstance(await setup.send(setup.sms), Unknown)
    receipt = await setup.receipt(ReceiptLevel.SENT)
    assert receipt.key == KEY and receipt.provider_id.startswith("SM")
    assert setup.running.sandbox.tally.counts().accepted == 1


async def test_nothing_taken_is_nothing_taken(setup: Setup) -> None:
    for mode, outcome, reason in (
        (Mode.RATE_LIMITED, Deferred, Reason.RATE_LIMITED),
        (Mode.REVOKED, Refused, Reason.BAD_CREDENTIALS),
        (Mode.NOT_PERMITTED, Refused, Reason.NOT_PERMITTED),
        (Mode.ERROR_NOT_TAKEN, Unknown, Reason.PROVIDER_DOWN),
        (Mode.REQUEST_LOST, Unknown, Reason.NO_ANSWER),
    ):
        setup.fault(mode, count=1, retry_after=7)
        result = await setup.send(setup.sms)
        assert isinstance(result, outcome) and result.reason is reason
        if isinstance(result, Deferred):
            assert result.after == 7
    assert setup.running.sandbox.tally.counts().accepted == 0


@pytest.mark.parametrize(("code", "reason"), [("30002", Reason.NOT_PERMITTED), ("63018", Reason.RATE_LIMITED), ("30008", Reason.OTHER)])
async def test_a_message_can_fail_after_it_was_taken(setup: Setup, code: str, reason: Reason) -> None:
    setup.fault(Mode.RECEIPT_FAILURE, error_code=code)
    assert isinstance(await setup.send(setup.sms), Accepted)
    receipt = await setup.receipt(ReceiptLevel.FAILED)
    assert (receipt.reason, receipt.code, receipt.key) == (reason, code, KEY)


async def test_the_window_of_whatsapp_closes_after_a_day(setup: Setup) -> None:
    setup.account.conversations[setup.whatsapp].heard -= 25 * 3600 * SECOND
    assert isinstance(await setup.send(setup.whatsapp), Accepted)
    assert (await setup.receipt(ReceiptLevel.FAILED)).reason is Reason.WINDOW_CLOSED


async def test_a_contact_can_fall_silent_where_there_is_a_window(setup: Setup) -> None:
    setup.act("fall_silent", {}, to=setup.whatsapp)
    assert isinstance(await setup.send(setup.whatsapp), Accepted)
    assert (await setup.receipt(ReceiptLevel.FAILED)).reason is Reason.WINDOW_CLOSED
    with pytest.raises(ValueError, match="window"):
        setup.act("fall_silent", {}, to=setup.sms)
    assert [setup.service.phone(place)["window"] for place in (setup.sms, setup.whatsapp)] == [False, True]


async def test_a_template_goes_when_the_window_has_closed(setup: Setup) -> None:
    setup.account.conversations[setup.whatsapp].heard = 0
    provider = setup.provider
    (template,) = await provider.templates()
    (part,) = provider.render([provider.fill(template, ["7001", "today"])])
    assert isinstance(await provider.send(Address(setup.whatsapp), part, KEY), Accepted)
    (message,) = setup.service.phone(setup.whatsapp)["messages"]
    assert message["text"] == "Your parcel 7001 arrives today."


async def test_what_a_contact_writes_comes_in(setup: Setup) -> None:
    await setup.provider.check()  # so that Twilio knows at which address it is asked for files
    setup.act("text", {"text": "Where is my parcel? +&=% 📦"}, to=setup.sms)
    said = await setup.listening.until(lambda fact: isinstance(fact, InboundMessage))
    assert (said.conversation, said.contents) == (setup.sms, (Text("Where is my parcel? +&=% 📦"),))
    setup.act("file", {"caption": "look"}, Upload("f", "a.png", "image/png", b"\x89PNG"), to=setup.whatsapp)
    shown = await setup.listening.until(lambda fact: isinstance(fact, InboundMessage) and fact.conversation == setup.whatsapp)
    (file,) = shown.contents
    assert (file.kind, file.caption, shown.contact_name) == (MediaKind.IMAGE, "look", "Ada (WhatsApp)")
    assert await setup.provider.fetch_media(file) == b"\x89PNG"
    setup.act("location", {"latitude": 52.5, "longitude": 13.4}, to=setup.whatsapp)
    place = await setup.listening.until(lambda fact: isinstance(fact, InboundMessage) and isinstance(fact.contents[0], Location))
    assert place.contents == (Location(52.5, 13.4),)
    setup.act("button", {"text": "Yes", "payload": "yes"}, to=setup.whatsapp)
    tapped = await setup.listening.until(
        lambda fact: isinstance(fact, InboundMessage) and getattr(fact.contents[0], "kind", "") == "button"
    )
    assert tapped.contents[0].summary == "Yes"
    with pytest.raises(ValueError, match="SMS"):
        setup.act("location", {"latitude": 52.5, "longitude": 13.4}, to=setup.sms)


async def test_stop_and_start(setup: Setup) -> None:
    setup.act("block", {"blocked": True}, to=setup.sms)
    assert (await setup.listening.until(lambda fact: isinstance(fact, ContactBlocked))).blocked
    result = await setup.send(setup.sms)
    assert isinstance(result, Refused) and result.reason is Reason.BLOCKED
    setup.act("block", {"blocked": False}, to=setup.sms)
    await setup.listening.until(lambda fact: isinstance(fact, ContactBlocked) and not fact.blocked)
    assert isinstance(await setup.send(setup.sms), Accepted)


async def test_a_call_that_failed_comes_again_within_seconds(setup: Setup) -> None:
    setup.listening.refusing += [503, 401]
    setup.act("text", {"text": "hello"}, to=setup.sms)
    await setup.listening.until(lambda fact: isinstance(fact, InboundMessage))
    assert len(setup.listening.calls) == 3


def _text_of(content: Any) -> str:
    return str(content.body if isinstance(content, Text) else content.caption)


async def test_what_was_missed_is_read_back(setup: Setup) -> None:
    before = setup.running.sandbox.now() - SECOND
    setup.fault(Mode.WEBHOOK_LOST)
    setup.act("text", {"text": "first"}, to=setup.sms)
    setup.act("file", {"caption": "second"}, Upload("f", "a.png", "image/png", b"\x89PNG"), to=setup.sms)
    await setup.send(setup.sms)
    facts = [fact for fact in await setup.provider.history(Address(setup.sms), before - SECOND) if isinstance(fact, InboundMessage)]
    assert sorted(_text_of(fact.contents[0]) for fact in facts) == ["first", "second"]
    written = {f"message:{post.id}" for post in setup.account.conversations[setup.sms].posts if post.mine}
    assert {fact.event_id for fact in facts} == written and setup.listening.calls == []
    (file,) = [content for fact in facts for content in fact.contents if isinstance(content, Media)]
    assert await setup.provider.fetch_media(file) == b"\x89PNG"
