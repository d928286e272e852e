"""What is particular to Telegram: methods by kind of file, topics, long polling, files, webhooks."""

import dataclasses
import json
from typing import Any

import pytest
import telegram as official

from heliograph.domain.content import Location, Media, MediaKind, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    Ignored,
    InboundMessage,
    Inconclusive,
    Invalid,
    PollFailed,
    Valid,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.telegram import Telegram
from tests.providers import misbehaving
from tests.providers.cases_telegram import CASE, ok
from tests.providers.contract import CANARY, KEY
from tests.providers.misbehaving import MisbehavingServer, answer

TOKEN = f"123456:{CANARY}"
TO = Address("7001", "7001")
SMALL = Media(MediaKind.FILE, "звіт.pdf", "application/pdf", 4, file="f")


@pytest.fixture
def telegram(server: MisbehavingServer, http: AiohttpHttp) -> Telegram:
    return Telegram({**CASE.config, "base_url": server.base_url}, http)


def fault(number: int, description: str):
    return answer(number, {"ok": False, "error_code": number, "description": description})


async def test_text_goes_without_markup(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    text = "5 * 3 _and_ [a](b) <b>"
    assert await telegram.send(TO, telegram.render([Text(text)])[0], KEY) == Accepted("7001:42")
    assert server.seen[0].target == f"/bot{TOKEN}/sendMessage"
    assert server.seen[0].json() == {"chat_id": "7001", "text": text}


async def test_an_answer_in_a_topic_goes_to_the_topic(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    await telegram.send(Address("-1001:12"), telegram.render([Text("x")])[0], KEY)
    assert server.seen[0].json() == {"chat_id": "-1001", "message_thread_id": "12", "text": "x"}


@pytest.mark.parametrize(
    ("media", "method", "field"),
    [
        (SMALL, "sendDocument", "document"),
        (dataclasses.replace(SMALL, kind=MediaKind.IMAGE, media_type="image/png"), "sendPhoto", "photo"),
        (dataclasses.replace(SMALL, kind=MediaKind.IMAGE, media_type="image/png", size=11_000_000), "sendDocument", "document"),
        (dataclasses.replace(SMALL, kind=MediaKind.IMAGE, media_type="image/tiff"), "sendDocument", "document"),
        (dataclasses.replace(SMALL, kind=MediaKind.VIDEO, media_type="video/mp4"), "sendVideo", "video"),
        (dataclasses.replace(SMALL, kind=MediaKind.VIDEO, media_type="video/x-matroska"), "sendDocument", "document"),
        (dataclasses.replace(SMALL, kind=MediaKind.AUDIO, media_type="audio/mpeg"), "sendAudio", "audio"),
        (dataclasses.replace(SMALL, kind=MediaKind.AUDIO, media_type="audio/flac"), "sendDocument", "document"),
    ],
)
async def test_files_go_by_the_method_that_shows_them(
    telegram: Telegram, server: MisbehavingServer, media: Media, method: str, field: str
) -> None:
    server.behave(CASE.accepted)
    parts = telegram.render([dataclasses.replace(media, caption="look")])
    assert len(parts) == 1
    assert await telegram.send(TO, dataclasses.replace(parts[0], data=b"\x00\xffDATA"), KEY) == Accepted("7001:42")
    (seen,) = server.seen
    assert seen.target.endswith(f"/{method}") and f'name="{field}"'.encode() in seen.body
    assert b"\x00\xffDATA" in seen.body and "звіт.pdf".encode() in seen.body and b"look" in seen.body and b"7001" in seen.body


async def test_a_place_with_a_name_is_a_venue(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    for part in telegram.render([Location(1.5, 2.5), Location(1.5, 2.5, "Here", "Street 1")]):
        await telegram.send(TO, part, KEY)
    plain, venue = server.seen
    assert plain.target.endswith("/sendLocation") and plain.json() == {"chat_id": "7001", "latitude": 1.5, "longitude": 2.5}
    assert venue.target.endswith("/sendVenue") and venue.json()["title"] == "Here" and venue.json()["address"] == "Street 1"


# --- polling ------------------------------------------------------------------------------------------


def update(number: int, **more: Any) -> dict[str, Any]:
    return {
        "update_id": number,
        "message": {"message_id": number, "date": 1772357400, "chat": {"id": 1, "type": "private"}, "text": "x"},
    } | more


WEBHOOK_SET = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
POLLED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


async def test_polling_moves_its_cursor_past_what_it_has(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(ok([update(7), update(9), {"update_id": 8, "poll": {}}]), ok([]))
    facts, cursor = await telegram.poll("")
    assert [fact.event_id for fact in facts] == ["update:7", "update:9", "update:8"] and cursor == "10"
    assert isinstance(facts[0], InboundMessage) and isinstance(facts[2], Ignored)
    assert await telegram.poll(cursor) == ([], "10")
    first, second = (each.json() for each in server.seen)
    assert "offset" not in first and second["offset"] == 10
    assert 0 < second["timeout"] < telegram.spec.timeout and "message" in second["allowed_updates"]


async def test_polling_and_webhook_read_an_update_alike(telegram: Telegram, server: MisbehavingServer) -> None:
    one = update(7)
    server.behave(ok([one]))
    facts, _ = await telegram.poll("")
    assert telegram.parse(CASE.signed(json.dumps(one).encode(), "")) == facts


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (fault(401, "Unauthorized"), Invalid(Reason.BAD_CREDENTIALS, "401", "Unauthorized")),
        (fault(409, "Conflict"), Inconclusive(Reason.NOT_PERMITTED, "409", "Conflict")),
        (fault(409, WEBHOOK_SET), Inconclusive(Reason.NOT_PERMITTED, "webhook_set", WEBHOOK_SET)),
        (fault(409, POLLED), Inconclusive(Reason.NOT_PERMITTED, "polled_elsewhere", POLLED)),
        (fault(502, "Bad Gateway"), Inconclusive(Reason.PROVIDER_DOWN, "502", "Bad Gateway")),
        (answer(429), Inconclusive(Reason.RATE_LIMITED, "429")),
        (misbehaving.close, Inconclusive(Reason.NO_ANSWER, "closed")),
        (ok({}), Inconclusive(Reason.NO_ANSWER, "ok_without_updates")),
    ],
)
async def test_polling_that_fails_says_why(telegram: Telegram, server: MisbehavingServer, behaviour, expected) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed) as failed:
        await telegram.poll("5")
    assert failed.value.result == expected and failed.value.result.detail == expected.detail


async def test_a_strange_update_neither_stops_the_poll_nor_the_cursor(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(ok([None, 7, {"update_id": "x"}, update(4, message=[]), update(5)]))
    facts, cursor = await telegram.poll("nonsense")
    assert len(facts) == 5 and isinstance(facts[-1], InboundMessage) and cursor == "6"
    assert "offset" not in server.seen[0].json()


# --- webhooks and files ---------------------------------------------------------------------------------


async def test_a_webhook_is_set_with_our_secret(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(ok(True), CASE.valid)
    assert await telegram.register_webhook("https://desk.example.org/hooks/1", "s3cret") == Valid("bot:123456")
    assert server.seen[0].target.endswith("/setWebhook")
    assert server.seen[0].json() == {
        "url": "https://desk.example.org/hooks/1",
        "allowed_updates": ["message", "edited_message", "my_chat_member"],
        "secret_token": "s3cret",
    }
    assert set(server.seen[0].json()["allowed_updates"]) <= set(official.Update.ALL_TYPES)


async def test_a_webhook_that_is_refused_says_so(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(fault(401, "Unauthorized"))
    assert isinstance(await telegram.register_webhook("https://x", "s"), Invalid)
    server.behave(fault(400, "Bad Request: bad webhook: HTTPS url must be provided"))
    assert isinstance(await telegram.register_webhook("http://x", "s"), Inconclusive)


async def test_a_file_is_fetched_by_its_id(telegram: Telegram, server: MisbehavingServer) -> None:
    server.behave(ok({"file_id": "f", "file_path": "photos/file 1#2.jpg"}), answer(200, b"\xff\xd8"))
    assert await telegram.fetch_media(dataclasses.replace(SMALL, remote="f")) == b"\xff\xd8"
    assert server.seen[0].json() == {"file_id": "f"}
    assert server.seen[1].target == f"/file/bot{TOKEN}/photos/file%201%232.jpg"


@pytest.mark.parametrize(
    "script",
    [
        [fault(400, "Bad Request: file is too big")],
        [ok({})],
        [ok({"file_path": "a"}), answer(404)],
        [ok({"file_path": "a"}), misbehaving.truncated],
        [misbehaving.close],
    ],
)
async def test_a_file_that_cannot_be_fetched_says_so(telegram: Telegram, server: MisbehavingServer, script) -> None:
    server.behave(*script)
    with pytest.raises(PollFailed) as failed:
        await telegram.fetch_media(dataclasses.replace(SMALL, remote="f"))
    assert CANARY not in repr(failed.value) + str(failed.value) and failed.value.__context__ is None
