"""Our Webhook provider and the simulated service behind it, in both directions and under faults; the page's schema judges both."""

import dataclasses
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Official

from heliograph.bootstrap.system import SystemClock
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
    Receipt,
    Refused,
    Unknown,
    Valid,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import configured
from heliograph.sandbox.direct.service import DirectService
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Request, Upload
from tests.providers.cases_webhook import judge_of
from tests.sandbox.listening import Listening

KEY = "dlv_01h9key.1"
URL = "https://desk.example/files/a.png"
PICTURE = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f", caption="look")


@dataclass
class Setup:
    """A provider connected to a running sandbox, and what comes in."""

    running: RunningSandbox
    webhook: Any
    listening: Listening
    account: Account

    @property
    def service(self) -> DirectService:
        return self.running.sandbox.direct["webhook"]

    @property
    def room(self) -> str:
        return next(iter(self.account.conversations))

    async def send(self, *contents: Content, to: str = "", key: str = KEY) -> Any:
        part = self.webhook.render(contents or [Text("hello")])[0]
        return await self.webhook.send(Address(to or self.room), dataclasses.replace(part, url=URL) if part.media else part, key)

    def fault(self, mode: Mode, **more: Any) -> None:
        self.running.sandbox.faults.set(Fault("webhook", mode, **more))

    def act(self, name: str, body: Any = None, *files: Upload) -> Any:
        return self.service.acts[name](self.room, body or {}, Request("POST", "/", files=files))

    def seen(self) -> list[Any]:
        return [each for each in self.service.phone(self.room)["messages"] if not each["mine"]]

    async def message(self, content: type) -> InboundMessage:
        found = await self.listening.until(
            lambda fact: isinstance(fact, InboundMessage) and any(isinstance(each, content) for each in fact.contents)
        )
        assert isinstance(found, InboundMessage)
        return found

    async def receipt(self, level: ReceiptLevel) -> Receipt:
        found = await self.listening.until(lambda fact: isinstance(fact, Receipt) and fact.level is level)
        assert isinstance(found, Receipt)
        return found


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    async with Listening() as listening, AiohttpHttp(guarded=True, allow=("127.0.0.0/8",)) as http:
        config = sandbox.seed_direct("webhook") | {"base_url": running.urls["webhook"], "webhook_url": listening.url}
        webhook: Any = configured("webhook", config, http, SystemClock())
        listening.provider = webhook
        (account,) = sandbox.direct["webhook"].accounts.values()
        assert await webhook.check() == Valid(f"webhook:{account.id}"), "and from now on it knows where events go"
        yield Setup(running, webhook, listening, account)
        for call in listening.calls:
            judge_of("events").validate(json.loads(call.body))
            Official(account.secret).verify(call.body, dict(call.headers))
    await running.stop()


async def test_other_credentials_are_other_people_s(setup: Setup) -> None:
    setup.account.revoked = True
    result = await setup.webhook.check()
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
    assert isinstance(await setup.webhook.check(), Valid)
    assert isinstance(await setup.send(), Refused)


async def test_a_conversation_that_moved_is_followed(setup: Setup) -> None:
    old = setup.room
    new = setup.act("move")["conversation"]
    moved = await setup.listening.until(lambda fact: isinstance(fact, ConversationMoved))
    assert (moved.old, moved.new) == (old, new)
    assert await setup.send(to=old) == Deferred(Reason.MOVED, 0.0, "E422", readdress=new)
    assert isinstance(await setup.send(to=new), Accepted)


async def test_what_a_contact_sends_comes_in(setup: Setup) -> None:
    setup.act("text", {"text": "Where is my parcel? 📦"})
    text = await setup.message(Text)
    assert (text.conversation, text.contact_name, text.contents) == (setup.room, "Ada", (Text("Where is my parcel? 📦"),))
    setup.act("location", {"latitude": 51.5, "longitude": -0.12})
    assert (await setup.message(Location)).contents == (Location(51.5, -0.12),)
    setup.act("file", {"caption": "look"}, Upload("file", "a.png", "image/png", b"\x89PNG"))
    (media,) = (await setup.message(Media)).contents
    assert isinstance(media, Media) and (media.name, media.size, media.caption) == ("a.png", 4, "look")
    assert await setup.webhook.fetch_media(media) == b"\x89PNG"


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
