"""Our WhatsApp provider and the simulated Cloud API, in both directions and under faults."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    ConversationMoved,
    Deferred,
    InboundMessage,
    Invalid,
    PollFailed,
    Refused,
    Unknown,
    Valid,
)
from heliograph.sandbox.direct.state import Conversation
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import SECOND, Json, Upload
from tests.sandbox.both_ways import Connected, connected

KEY = "dlv_01h9key.1"
PDF = Media(MediaKind.FILE, "bill.pdf", "application/pdf", 4, file="f", caption="your bill")


class Setup(Connected):
    """How this service is written to."""

    @property
    def place(self) -> Conversation:
        return self.account.conversations[self.first]

    @property
    def shown(self) -> list[Json]:
        return list(self.service.phone(self.place.id)["messages"])

    async def send(self, content: Content | None = None, *, to: str = "", data: bytes = b"%PDF", key: str = KEY) -> Any:
        (part,) = self.provider.render([content or Text("hello")])
        if part.media is not None:
            part = dataclasses.replace(part, data=data)
        return await self.provider.send(Address(to or self.place.id), part, key)

    async def written(self, kind: type[Content]) -> tuple[InboundMessage, Any]:
        """The message with content of a kind that has come in, and that content."""
        fact = await self.message(kind)
        return fact, next(each for each in fact.contents if isinstance(each, kind))


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with connected(Setup, "whatsapp") as setup:
        setup.running.sandbox.settings.user_after = 0.1
        yield setup


# --- out ----------------------------------------------------------------------------------------------------


async def test_text_is_taken_delivered_and_read(setup: Setup) -> None:
    sent = await setup.send()
    assert isinstance(sent, Accepted)
    for level in (ReceiptLevel.SENT, ReceiptLevel.DELIVERED):
        receipt = await setup.receipt(level)
        assert (receipt.key, receipt.provider_id) == (KEY, sent.provider_id)
    setup.act("read", {})
    assert (await setup.receipt(ReceiptLevel.READ)).key == KEY
    assert [each["text"] for each in setup.shown] == ["hello"]
    assert setup.running.sandbox.tally.counts().accepted == 1


async def test_every_kind_of_content_arrives(setup: Setup) -> None:
    for content in (
        PDF,
        Media(MediaKind.IMAGE, "p.png", "image/png", 4, file="f", caption="look"),
        Media(MediaKind.VIDEO, "v.mp4", "video/mp4", 4, file="f"),
        Media(MediaKind.AUDIO, "a.ogg", "audio/ogg; codecs=opus", 4, file="f"),
        Location(52.5, 13.4, "Shop"),
    ):
        assert isinstance(await setup.send(content), Accepted)
    assert [(each["kind"], each["text"]) for each in setup.shown] == [
        ("file", "your bill"), ("image", "look"), ("video", ""), ("audio", ""), ("location", "Shop"),
    ]  # fmt: skip
    assert [each.data for each in setup.account.files.values()] == [b"%PDF"] * 4


async def test_a_file_that_whatsapp_does_not_take_is_refused_as_such(setup: Setup) -> None:
    refused = await setup.send(Media(MediaKind.FILE, "a.zip", "application/zip", 4, file="f"))
    assert isinstance(refused, Refused) and (refused.reason, refused.code) == (Reason.UNSUPPORTED, "100")


async def test_a_template_goes_out_when_the_window_has_closed(setup: Setup) -> None:
    setup.act("fall_silent", {})
    assert isinstance(await setup.send(), Accepted)
    failed = await setup.receipt(ReceiptLevel.FAILED)
    assert (failed.key, failed.reason, failed.code) == (KEY, Reason.WINDOW_CLOSED, "131047")
    found = {(each.name, each.language): each for each in await setup.provider.templates()}
    assert set(found) == {
        ("conversation_follow_up", "en_US"), ("conversation_follow_up", "de"), ("appointment", "en_US"), ("hello_world", "en_US"),
    }  # fmt: skip
    for name, language, values in (("conversation_follow_up", "de", ["Ada", "7001"]), ("appointment", "en_US", ["Ada", "Monday"])):
        filled = setup.provider.fill(found[name, language], values)
        assert isinstance(await setup.send(filled), Accepted)
        assert setup.shown[-1]["text"] == filled.summary
    wrong = Rich("template", "x", {"name": "appointment", "language": "en_US", "values": [["name", "Ada"]]})
    refused = await setup.send(wrong)
    assert isinstance(refused, Refused) and (refused.reason, refused.code) == (Reason.BAD_REQUEST, "132000")
    gone = await setup.send(Rich("template", "x", {"name": "none", "language": "en_US"}))
    assert isinstance(gone, Refused) and (gone.reason, gone.code) == (Reason.UNSUPPORTED, "132001")


async def test_nobody_there_is_said_by_a_receipt(setup: Setup) -> None:
    assert isinstance(await setup.send(to="491700000009"), Accepted)
    failed = await setup.receipt(ReceiptLevel.FAILED)
    assert (failed.key, failed.reason) == (KEY, Reason.BAD_RECIPIENT)
    refused = await setup.send(to="no number")
    assert isinstance(refused, Refused) and refused.code == "131009"


async def test_a_contact_without_a_number_is_answered_by_user_id(setup: Setup) -> None:
    setup.act("hide_number", {"hidden": True})
    setup.act("text", {"text": "it is me"})
    fact, _ = await setup.written(Text)
    assert fact.conversation == fact.contact == f"user:{setup.place.more['user']}" == setup.place.id
    assert isinstance(await setup.send(to=fact.conversation), Accepted)
    assert (await setup.receipt(ReceiptLevel.DELIVERED)).key == KEY


# --- in -----------------------------------------------------------------------------------------------------


async def test_what_the_contact_sends_comes_in(setup: Setup) -> None:
    setup.act("text", {"text": "Where is it? 📦"})
    setup.act("file", {"caption": "broken"}, Upload("file", "photo.jpg", "image/jpeg", b"JPEG"))
    setup.act("location", {"latitude": 52.5, "longitude": 13.4})
    fact, text = await setup.written(Text)
    assert text == Text("Where is it? 📦") and (fact.conversation, fact.contact_name) == (setup.place.id, "Ada")
    assert fact.occurred_at > 0
    _, media = await setup.written(Media)
    assert (media.media_type, media.caption) == ("image/jpeg", "broken")
    assert await setup.provider.fetch_media(media) == b"JPEG"
    _, place = await setup.written(Location)
    assert (place.latitude, place.longitude) == (52.5, 13.4)
    setup.act("choose", {"id": "y", "title": "Yes"})
    _, chosen = await setup.written(Rich)
    assert (chosen.kind, chosen.summary) == ("button_reply", "Yes")
    with pytest.raises(PollFailed) as failed:
        await setup.provider.fetch_media(dataclasses.replace(media, remote="12345"))
    assert failed.value.result.code == "100/33"


async def test_a_new_number_moves_the_conversation(setup: Setup) -> None:
    old = setup.place.id
    setup.act("change_number", {"number": "491700000001"})
    moved = await setup.listening.until(lambda fact: isinstance(fact, ConversationMoved) and not fact.old.startswith("user:"))
    assert (moved.old, moved.new) == (old, "491700000001")
    assert isinstance(await setup.send(to=moved.new), Accepted)


async def test_the_address_is_asked_whether_it_is_ours(setup: Setup) -> None:
    await setup.listening.holds(lambda: bool(setup.listening.challenged))
    assert setup.listening.challenged == [True]


async def test_a_call_signed_with_another_secret_is_not_taken(setup: Setup) -> None:
    setup.account.secret = "another"
    setup.act("text", {"text": "forged"})
    await setup.listening.holds(lambda: bool(setup.listening.calls))
    assert setup.listening.facts == []


# --- faults -------------------------------------------------------------------------------------------------


async def test_check_knows_whose_number_it_is(setup: Setup) -> None:
    assert await setup.provider.check() == Valid(f"phone:{setup.account.id}")
    setup.service.revoke(setup.account.key, revoked=True)
    checked = await setup.provider.check()
    assert isinstance(checked, Invalid) and checked.reason is Reason.BAD_CREDENTIALS
    for content in (None, PDF):
        refused = await setup.send(content)
        assert isinstance(refused, Refused) and refused.reason is Reason.BAD_CREDENTIALS
    setup.service.revoke(setup.account.key, revoked=False)
    assert isinstance(await setup.send(), Accepted)


@pytest.mark.parametrize(
    ("mode", "more", "outcome", "reason"),
    [
        (Mode.REVOKED, {}, Refused, Reason.BAD_CREDENTIALS),
        (Mode.NOT_PERMITTED, {}, Refused, Reason.NOT_PERMITTED),
        (Mode.NOT_PERMITTED, {"code": 402}, Refused, Reason.NOT_PERMITTED),
        (Mode.RATE_LIMITED, {"retry_after": 7}, Deferred, Reason.RATE_LIMITED),
        (Mode.ERROR_NOT_TAKEN, {}, Unknown, Reason.PROVIDER_DOWN),
        (Mode.ERROR_TAKEN, {}, Unknown, Reason.PROVIDER_DOWN),
        (Mode.ANSWER_LOST, {}, Unknown, Reason.NO_ANSWER),
        (Mode.REQUEST_LOST, {}, Unknown, Reason.NO_ANSWER),
        (Mode.GARBAGE, {}, Unknown, Reason.NO_ANSWER),
        (Mode.TRUNCATED, {}, Unknown, Reason.NO_ANSWER),
        (Mode.ERROR_NOT_TAKEN, {"code": 400, "error_code": "131056"}, Deferred, Reason.RATE_LIMITED),
        (Mode.ERROR_NOT_TAKEN, {"code": 500, "error_code": "3"}, Refused, Reason.NOT_PERMITTED),
    ],
)
async def test_a_fault_is_read_for_what_it_is(mode: Mode, more: Any, outcome: Any, reason: Reason, setup: Setup) -> None:
    setup.fault(mode, count=1, operation="send", **more)
    result = await setup.send()
    assert isinstance(result, outcome) and result.reason is reason, result
    if isinstance(result, Deferred):
        assert result.after == more.get("retry_after")
    taken = mode in (Mode.ERROR_TAKEN, Mode.ANSWER_LOST, Mode.GARBAGE, Mode.TRUNCATED)
    assert setup.running.sandbox.tally.counts().accepted == int(taken)
    if taken:
        assert (await setup.receipt(ReceiptLevel.SENT)).key == KEY, "the echo settles what the answer left open"


async def test_a_fault_of_the_upload_leaves_nothing_open(setup: Setup) -> None:
    for mode in (Mode.ERROR_NOT_TAKEN, Mode.ANSWER_LOST, Mode.GARBAGE):
        setup.fault(mode, count=1, operation="upload")
        assert isinstance(await setup.send(PDF), Deferred)
    assert setup.running.sandbox.tally.counts().accepted == 0
    assert isinstance(await setup.send(PDF), Accepted)


@pytest.mark.parametrize(
    ("code", "reason", "effect"),
    [
        ("uncategorized_error", Reason.BAD_RECIPIENT, Effect.FAIL),
        ("131031", Reason.NOT_PERMITTED, Effect.HOLD_CHANNEL),
        ("131042", Reason.NOT_PERMITTED, Effect.HOLD_CHANNEL),
        ("190", Reason.BAD_CREDENTIALS, Effect.HOLD_CREDENTIAL),
        ("131053", Reason.UNSUPPORTED, Effect.FAIL),
        ("131000", Reason.PROVIDER_DOWN, Effect.WAIT),
    ],
)
async def test_a_receipt_that_it_failed_says_whose_fault_it_is(code: str, reason: Reason, effect: Effect, setup: Setup) -> None:
    setup.fault(Mode.RECEIPT_FAILURE, count=1, error_code=code)
    sent = await setup.send()
    assert isinstance(sent, Accepted)
    failed = await setup.receipt(ReceiptLevel.FAILED)
    assert (failed.key, failed.provider_id, failed.reason) == (KEY, sent.provider_id, reason)
    assert failed.reason is not None and REASONS[failed.reason].effect is effect
    assert setup.shown == [] and setup.running.sandbox.tally.counts().accepted == 0


async def test_a_call_that_was_refused_is_made_again_and_says_the_same(setup: Setup) -> None:
    setup.listening.refusing = [503]
    setup.act("text", {"text": "hello"})
    fact, _ = await setup.written(Text)
    first, second = setup.listening.calls
    assert first.body == second.body and [each.event_id for each in setup.listening.facts] == [fact.event_id]
    assert second.at - first.at >= SECOND // 2
