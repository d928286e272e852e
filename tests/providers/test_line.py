"""What is particular to LINE: the retry key, files by address, places, content that it holds, and its own client as the judge."""

import asyncio
import dataclasses
import json
import uuid
from typing import Any

import pytest
from hypothesis import given, strategies as st
from linebot.v3.messaging import ApiClient, Configuration, MessagingApi, PushMessageRequest
from linebot.v3.webhook import SignatureValidator

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.domain.split import utf16_units
from heliograph.ports.provider import (
    Accepted,
    BadSignature,
    Ignored,
    Inconclusive,
    Invalid,
    PollFailed,
    Refused,
    Unknown,
    Unsupported,
    Valid,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.line import Line, retry_key
from tests.providers import misbehaving
from tests.providers.cases_line import BOT, CASE, GROUP, USER
from tests.providers.contract import CANARY, KEY
from tests.providers.misbehaving import MisbehavingServer, answer

TO = CASE.to
PICTURE = Media(MediaKind.IMAGE, "parcel.jpg", "image/jpeg", 400_000, file="f")
URL = "https://desk.example/files/x1/parcel.jpg"


@pytest.fixture
def line(server: MisbehavingServer, http: AiohttpHttp) -> Line:
    return Line({**CASE.config, "base_url": server.base_url}, http)


def offline() -> Line:
    return Line({**CASE.config}, None)  # type: ignore[arg-type]


def pushed(server: MisbehavingServer, number: int = 0) -> Any:
    (message,) = server.seen[number].json()["messages"]
    return message


# --- the retry key ---------------------------------------------------------------------------------


async def test_the_first_attempt_carries_the_retry_key(line: Line, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    assert await line.send(TO, line.render([Text("Hello")])[0], KEY) == Accepted("461230966842064897")
    seen = server.seen[0]
    assert (seen.method, seen.target) == ("POST", "/v2/bot/message/push")
    assert seen.headers["authorization"] == f"Bearer {CANARY}-token"
    assert seen.headers["x-line-retry-key"] == retry_key(KEY)
    assert seen.json() == {"to": USER, "messages": [{"type": "text", "text": "Hello"}]}


def test_retry_keys_are_uuids_that_no_release_may_change() -> None:
    assert retry_key("dlv_01h9key") == "d05ba983-4687-56ee-8963-7497495216ee"
    assert retry_key("dlv_01h9key") != retry_key("dlv_01h9key.1"), "what a person sends again is another message"
    assert str(uuid.UUID(retry_key("x"))) == retry_key("x")


@given(st.sets(st.text(min_size=1, max_size=40), min_size=2, max_size=20))
def test_no_two_deliveries_share_a_retry_key(keys: set[str]) -> None:
    assert len({retry_key(key) for key in keys}) == len(keys)


async def test_taken_before_is_taken(line: Line, server: MisbehavingServer) -> None:
    """The answer to a repeat whose first attempt was taken and whose answer was lost."""
    said = {"message": "The retry key is already accepted", "sentMessages": [{"id": "461230966842064897"}]}
    server.behave(misbehaving.close, answer(409, said, {"x-line-accepted-request-id": "123e4567-e89b-12d3-a456-426655440002"}))
    part = line.render([Text("Hello")])[0]
    assert isinstance(await line.send(TO, part, KEY), Unknown)
    assert await line.send(TO, part, KEY) == Accepted("461230966842064897")
    first, second = server.seen
    assert first.headers["x-line-retry-key"] == second.headers["x-line-retry-key"] and first.body == second.body


async def test_taken_before_is_taken_where_only_the_request_is_named(line: Line, server: MisbehavingServer) -> None:
    server.behave(answer(409, {"message": "x"}, {"X-Line-Accepted-Request-Id": "123e4567-e89b-12d3-a456-426655440002"}))
    assert await line.send(TO, line.render([Text("Hello")])[0], KEY) == Accepted("request:123e4567-e89b-12d3-a456-426655440002")


async def test_a_conflict_without_a_key_is_no_success(line: Line, server: MisbehavingServer) -> None:
    server.behave(answer(409, {"message": "x", "userId": BOT}))
    assert isinstance(await line.check(), Inconclusive)


async def test_a_group_is_answered_where_it_asked(line: Line, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    await line.send(dataclasses.replace(TO, conversation=GROUP), line.render([Text("Hello")])[0], KEY)
    assert server.seen[0].json()["to"] == GROUP


async def test_a_used_up_month_is_no_rate_limit(line: Line, server: MisbehavingServer) -> None:
    server.behave(answer(429, {"message": "You have reached your monthly limit."}, {"Retry-After": "1"}))
    result = await line.send(TO, line.render([Text("Hello")])[0], KEY)
    assert isinstance(result, Refused) and (result.reason, result.code) == (Reason.NOT_PERMITTED, "429_quota")


# --- content ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "shown"),
    [
        (PICTURE, True),
        (dataclasses.replace(PICTURE, media_type="image/png", size=1_000_000), True),
        (dataclasses.replace(PICTURE, size=1_000_001), False),
        (dataclasses.replace(PICTURE, size=None), False),
        (dataclasses.replace(PICTURE, media_type="image/webp"), False),
        (dataclasses.replace(PICTURE, kind=MediaKind.VIDEO, media_type="video/mp4"), False),
        (dataclasses.replace(PICTURE, kind=MediaKind.AUDIO, media_type="audio/mp4"), False),
        (dataclasses.replace(PICTURE, kind=MediaKind.FILE, media_type="application/pdf"), False),
    ],
)
async def test_a_file_goes_as_a_picture_or_as_its_link(line: Line, server: MisbehavingServer, media: Media, shown: bool) -> None:
    server.behave(CASE.accepted)
    (part,) = line.render([media])
    await line.send(TO, dataclasses.replace(part, url=URL), KEY)
    picture = {"type": "image", "originalContentUrl": URL, "previewImageUrl": URL}
    assert pushed(server) == (picture if shown else {"type": "text", "text": f"parcel.jpg\n{URL}"})


async def test_an_address_that_is_too_long_for_a_picture_goes_as_text(line: Line, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    url = "https://desk.example/files/x1/" + "%D0%B7" * 340
    await line.send(TO, dataclasses.replace(line.render([PICTURE])[0], url=url), KEY)
    assert pushed(server) == {"type": "text", "text": f"parcel.jpg\n{url}"}


async def test_a_picture_without_an_address_never_leaves(line: Line, server: MisbehavingServer) -> None:
    part = dataclasses.replace(line.render([PICTURE])[0], data=b"\x89PNG")
    with pytest.raises(ValueError, match="needs its address"):
        await line.send(TO, part, KEY)
    assert server.seen == []


@pytest.mark.parametrize(
    ("place", "title", "address"),
    [
        (Location(1.5, 2.5), "1.500000, 2.500000", "1.500000, 2.500000"),
        (Location(1.5, 2.5, "Depot"), "Depot", "Depot"),
        (Location(1.5, 2.5, "", "Kai 3"), "Kai 3", "Kai 3"),
        (Location(1.5, 2.5, "Depot", "Kai 3"), "Depot", "Kai 3"),
    ],
)
def test_a_place_has_the_title_and_address_that_line_requires(place: Location, title: str, address: str) -> None:
    (part,) = offline().render([place])
    assert part.payload == {"type": "location", "title": title, "address": address, "latitude": 1.5, "longitude": 2.5}


@given(name=st.text(max_size=150), address=st.text(max_size=150))
def test_no_label_of_a_place_is_too_long_or_lost(name: str, address: str) -> None:
    place, *texts = offline().render([Location(1.5, 2.5, name, address)])
    labels = [place.payload["title"], place.payload["address"]]
    assert all(0 < utf16_units(label) <= 100 for label in labels)
    told = "".join([*labels, *(each.payload["text"] for each in texts)])
    for given_label in (name.strip(), address.strip()):
        assert "".join(given_label.split()) in "".join(told.split())


def test_emoji_count_as_line_counts_them() -> None:
    assert len(offline().render([Text("🍎" * 2500)])) == 1
    assert len(offline().render([Text("🍎" * 2501)])) == 2


def test_stickers_and_other_structures_are_refused_aloud() -> None:
    with pytest.raises(Unsupported):
        offline().render([Rich("sticker", "[sticker]", {"packageId": "446", "stickerId": "1988"})])


# --- in -----------------------------------------------------------------------------------------------


def test_the_official_validator_and_ours_agree() -> None:
    body = '{"destination":"U1","events":[]} ünï'
    official = SignatureValidator(f"{CANARY}-new")
    request = CASE.signed(body.encode(), f"{CANARY}-new")
    assert official.validate(body, request.headers["x-line-signature"])
    offline().verify(request)
    forged = dataclasses.replace(request, body=request.body + b" ")
    assert not official.validate(forged.body.decode(), request.headers["x-line-signature"])
    with pytest.raises(BadSignature):
        offline().verify(forged)


def test_a_try_of_the_address_is_no_event() -> None:
    (fact,) = offline().parse(CASE.signed(json.dumps({"destination": BOT, "events": []}).encode(), f"{CANARY}-new"))
    assert isinstance(fact, Ignored) and fact.why == "verification"


async def test_files_come_from_the_host_for_content(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(answer(200, b"\xff\xd8jpeg"))
    line = Line({**CASE.config, "base_url": misbehaving.refused_url(), "data_url": server.base_url}, http)
    media = dataclasses.replace(PICTURE, file=None, remote="354718705033693861")
    assert await line.fetch_media(media) == b"\xff\xd8jpeg"
    assert server.seen[0].target == "/v2/bot/message/354718705033693861/content"
    assert server.seen[0].headers["authorization"] == f"Bearer {CANARY}-token"


async def test_the_token_goes_to_nobody_else(line: Line, server: MisbehavingServer) -> None:
    server.behave(answer(200, b"x"))
    media = dataclasses.replace(PICTURE, file=None, remote=f"{server.base_url}/original.jpg")
    assert await line.fetch_media(media) == b"x"
    assert "authorization" not in server.seen[0].headers and server.seen[0].target == "/original.jpg"


@pytest.mark.parametrize(
    ("behaviour", "failure", "reason"),
    [
        (answer(202, b""), Inconclusive, Reason.NO_ANSWER),
        (answer(404, {"message": "Not found"}), Inconclusive, Reason.NO_ANSWER),
        (answer(401, {"message": "Authentication failed"}), Invalid, Reason.BAD_CREDENTIALS),
        (misbehaving.close, Inconclusive, Reason.NO_ANSWER),
    ],
)
async def test_a_file_that_cannot_be_had(line: Line, server: MisbehavingServer, behaviour: Any, failure: Any, reason: Reason) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed) as failed:
        await line.fetch_media(dataclasses.replace(PICTURE, file=None, remote="1"))
    assert isinstance(failed.value.result, failure) and failed.value.result.reason is reason


async def test_the_webhook_is_pointed_at_us(line: Line, server: MisbehavingServer) -> None:
    server.behave(answer(200, {}), CASE.valid)
    assert await line.register_webhook("https://desk.example/hooks/line/chn_1", "unused") == Valid(f"bot:{BOT}")
    put = server.seen[0]
    assert (put.method, put.target) == ("PUT", "/v2/bot/channel/webhook/endpoint")
    assert put.json() == {"endpoint": "https://desk.example/hooks/line/chn_1"}


async def test_a_webhook_that_line_does_not_take(line: Line, server: MisbehavingServer) -> None:
    server.behave(answer(400, {"message": "Invalid webhook endpoint URL"}))
    assert await line.register_webhook("http://x", "unused") == Inconclusive(Reason.BAD_REQUEST, "400", "Invalid webhook endpoint URL")


# --- the official client --------------------------------------------------------------------------------


async def test_what_we_push_is_what_the_official_client_pushes(line: Line, server: MisbehavingServer) -> None:
    """The official models take our message objects for their own, and their client makes the same request of them."""
    server.behave(CASE.accepted)
    contents: list[Content] = [Text("Hello"), Location(1.5, 2.5, "Depot", "Kai 3"), PICTURE]
    for part in line.render(contents):
        await line.send(TO, dataclasses.replace(part, url=URL) if part.media else part, KEY)
    ours = list(server.seen)
    assert len(ours) == 3
    with ApiClient(Configuration(access_token=f"{CANARY}-token", host=server.base_url)) as client:
        for seen in ours:
            ask = PushMessageRequest.from_dict(seen.json())
            answered = await asyncio.to_thread(MessagingApi(client).push_message, ask, x_line_retry_key=retry_key(KEY))
            assert answered.sent_messages[0].id == CASE.provider_id
    names = ("authorization", "content-type", "x-line-retry-key")
    for mine, theirs in zip(ours, server.seen[3:], strict=True):
        asked = mine.json() | {"notificationDisabled": False}
        assert (mine.method, mine.target, asked) == (theirs.method, theirs.target, theirs.json())
        assert [mine.headers[name] for name in names] == [theirs.headers[name] for name in names]
