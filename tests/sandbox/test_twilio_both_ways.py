"""Our Twilio provider and the simulated Twilio, in both directions and under faults."""

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
    Receipt,
    Refused,
    Unknown,
    Valid,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.twilio import Twilio
from heliograph.sandbox.direct.service import DirectService
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import SECOND, Request, Upload
from tests.sandbox.listening import Listening

KEY = "dlv_01h9key.1"


@dataclass
class Setup:
    """A provider connected to a running sandbox, and what comes in."""

    running: RunningSandbox
    twilio: Twilio
    listening: Listening
    account: Account

    @property
    def service(self) -> DirectService:
        return self.running.sandbox.direct["twilio"]

    @property
    def sms(self) -> str:
        return next(iter(self.account.conversations))

    @property
    def whatsapp(self) -> str:
        return list(self.account.conversations)[1]

    async def send(self, to: str, text: str = "hello", key: str = KEY) -> Any:
        return await self.twilio.send(Address(to), self.twilio.render([Text(text)])[0], key)

    def fault(self, mode: Mode, **more: Any) -> None:
        self.running.sandbox.faults.set(Fault("twilio", mode, **more))

    def act(self, name: str, to: str, body: Any, *files: Upload) -> Any:
        return self.service.acts[name](to, body, Request("POST", "/", files=files))


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    async with Listening() as listening, AiohttpHttp(guarded=True, allow=("127.0.0.0/8",)) as http:
        config = sandbox.seed_direct("twilio", webhook_url=f"{listening.url}#rc=5&rp=all")
        twilio = Twilio({**config, "base_url": running.urls["twilio"], "webhook_url": listening.url}, http)
        listening.provider = twilio
        yield Setup(running, twilio, listening, sandbox.direct["twilio"].accounts[config["account_sid"]])
    await running.stop()


def level(wanted: ReceiptLevel) -> Any:
    return lambda fact: isinstance(fact, Receipt) and fact.level is wanted


async def test_the_account_is_checked(setup: Setup) -> None:
    assert await setup.twilio.check() == Valid(f"account:{setup.account.id}/{setup.account.more['service']}")
    setup.account.more["status"] = "suspended"
    assert await setup.twilio.check() == Invalid(Reason.NOT_PERMITTED, "suspended")
    setup.account.revoked = True
    assert isinstance(await setup.twilio.check(), Invalid)


async def test_a_reply_arrives_and_its_receipts_carry_our_key(setup: Setup) -> None:
    taken = await setup.send(setup.whatsapp, "Grüße & 📦")
    assert isinstance(taken, Accepted)
    for wanted in (ReceiptLevel.SENT, ReceiptLevel.DELIVERED):
        receipt = await setup.listening.until(level(wanted))
        assert (receipt.key, receipt.provider_id) == (KEY, taken.provider_id)
    setup.act("read", setup.whatsapp, {})
    assert (await setup.listening.until(level(ReceiptLevel.READ))).provider_id == taken.provider_id
    (message,) = setup.service.phone(setup.whatsapp)["messages"]
    assert message["text"] == "Grüße & 📦" and not message["mine"]


async def test_a_file_goes_by_its_address(setup: Setup) -> None:
    picture = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f", caption="look")
    part = dataclasses.replace(setup.twilio.render([picture])[0], url="https://desk.example/files/a.png")
    assert isinstance(await setup.twilio.send(Address(setup.sms), part, KEY), Accepted)
    (message,) = setup.service.phone(setup.sms)["messages"]
    assert message["media"] == {"kind": "image", "url": "https://desk.example/files/a.png", "name": "a.png"}


@pytest.mark.parametrize("mode", [Mode.ANSWER_LOST, Mode.ERROR_TAKEN, Mode.TRUNCATED, Mode.GARBAGE])
async def test_a_lost_answer_is_made_up_for_by_the_receipt(setup: Setup, mode: Mode) -> None:
    setup.fault(mode, operation="send", count=1)
    assert isinstance(await setup.send(setup.sms), Unknown)
    receipt = await setup.listening.until(level(ReceiptLevel.SENT))
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
    receipt = await setup.listening.until(level(ReceiptLevel.FAILED))
    assert (receipt.reason, receipt.code, receipt.key) == (reason, code, KEY)


async def test_the_window_of_whatsapp_closes_after_a_day(setup: Setup) -> None:
    setup.account.conversations[setup.whatsapp].heard -= 25 * 3600 * SECOND
    assert isinstance(await setup.send(setup.whatsapp), Accepted)
    assert (await setup.listening.until(level(ReceiptLevel.FAILED))).reason is Reason.WINDOW_CLOSED


async def test_a_contact_can_fall_silent_where_there_is_a_window(setup: Setup) -> None:
    setup.act("fall_silent", setup.whatsapp, {})
    assert isinstance(await setup.send(setup.whatsapp), Accepted)
    assert (await setup.listening.until(level(ReceiptLevel.FAILED))).reason is Reason.WINDOW_CLOSED
    with pytest.raises(ValueError, match="window"):
        setup.act("fall_silent", setup.sms, {})
    assert [setup.service.phone(place)["window"] for place in (setup.sms, setup.whatsapp)] == [False, True]


async def test_a_template_goes_when_the_window_has_closed(setup: Setup) -> None:
    setup.account.conversations[setup.whatsapp].heard = 0
    provider: Any = setup.twilio
    (template,) = await provider.templates()
    (part,) = provider.render([provider.fill(template, ["7001", "today"])])
    assert isinstance(await provider.send(Address(setup.whatsapp), part, KEY), Accepted)
    (message,) = setup.service.phone(setup.whatsapp)["messages"]
    assert message["text"] == "Your parcel 7001 arrives today."


async def test_what_a_contact_writes_comes_in(setup: Setup) -> None:
    await setup.twilio.check()  # so that Twilio knows at which address it is asked for files
    setup.act("text", setup.sms, {"text": "Where is my parcel? +&=% 📦"})
    said = await setup.listening.until(lambda fact: isinstance(fact, InboundMessage))
    assert (said.conversation, said.contents) == (setup.sms, (Text("Where is my parcel? +&=% 📦"),))
    setup.act("file", setup.whatsapp, {"caption": "look"}, Upload("f", "a.png", "image/png", b"\x89PNG"))
    shown = await setup.listening.until(lambda fact: isinstance(fact, InboundMessage) and fact.conversation == setup.whatsapp)
    (file,) = shown.contents
    assert (file.kind, file.caption, shown.contact_name) == (MediaKind.IMAGE, "look", "Ada (WhatsApp)")
    assert await setup.twilio.fetch_media(file) == b"\x89PNG"
    setup.act("location", setup.whatsapp, {"latitude": 52.5, "longitude": 13.4})
    place = await setup.listening.until(lambda fact: isinstance(fact, InboundMessage) and isinstance(fact.contents[0], Location))
    assert place.contents == (Location(52.5, 13.4),)
    setup.act("button", setup.whatsapp, {"text": "Yes", "payload": "yes"})
    tapped = await setup.listening.until(
        lambda fact: isinstance(fact, InboundMessage) and getattr(fact.contents[0], "kind", "") == "button"
    )
    assert tapped.contents[0].summary == "Yes"
    with pytest.raises(ValueError, match="SMS"):
        setup.act("location", setup.sms, {"latitude": 52.5, "longitude": 13.4})


async def test_stop_and_start(setup: Setup) -> None:
    setup.act("block", setup.sms, {"blocked": True})
    assert (await setup.listening.until(lambda fact: isinstance(fact, ContactBlocked))).blocked
    result = await setup.send(setup.sms)
    assert isinstance(result, Refused) and result.reason is Reason.BLOCKED
    setup.act("block", setup.sms, {"blocked": False})
    await setup.listening.until(lambda fact: isinstance(fact, ContactBlocked) and not fact.blocked)
    assert isinstance(await setup.send(setup.sms), Accepted)


async def test_a_call_that_failed_comes_again_within_seconds(setup: Setup) -> None:
    setup.listening.refusing += [503, 401]
    setup.act("text", setup.sms, {"text": "hello"})
    await setup.listening.until(lambda fact: isinstance(fact, InboundMessage))
    assert len(setup.listening.calls) == 3


def _text_of(content: Any) -> str:
    return str(content.body if isinstance(content, Text) else content.caption)


async def test_what_was_missed_is_read_back(setup: Setup) -> None:
    before = setup.running.sandbox.now() - SECOND
    setup.fault(Mode.WEBHOOK_LOST)
    setup.act("text", setup.sms, {"text": "first"})
    setup.act("file", setup.sms, {"caption": "second"}, Upload("f", "a.png", "image/png", b"\x89PNG"))
    await setup.send(setup.sms)
    facts = [fact for fact in await setup.twilio.history(Address(setup.sms), before - SECOND) if isinstance(fact, InboundMessage)]
    assert sorted(_text_of(fact.contents[0]) for fact in facts) == ["first", "second"]
    written = {f"message:{post.id}" for post in setup.account.conversations[setup.sms].posts if post.mine}
    assert {fact.event_id for fact in facts} == written and setup.listening.calls == []
    (file,) = [content for fact in facts for content in fact.contents if isinstance(content, Media)]
    assert await setup.twilio.fetch_media(file) == b"\x89PNG"
