"""What is particular to Messenger: files by upload, echoes that settle, the human agent's window, whose webhook it is."""

import dataclasses
import json
from typing import Any

import pytest
import pywa.utils
from hypothesis import given, strategies as st

from heliograph.domain.content import Location, Media, MediaKind, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    BadSignature,
    Deferred,
    InboundMessage,
    Invalid,
    Part,
    PollFailed,
    RawRequest,
    Receipt,
    ReceiptLevel,
    Refused,
    SendResult,
    Unknown,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.messenger import Messenger
from tests.providers import misbehaving
from tests.providers.cases_messenger import CASE
from tests.providers.contract import CANARY, KEY
from tests.providers.meta_messaging import fault, signed
from tests.providers.misbehaving import MisbehavingServer, answer

TO = Address("5001", "5001")
FILE = Media(MediaKind.FILE, "звіт.pdf", "application/pdf", 4, file="f")
UPLOADED = answer(200, {"attachment_id": 1857777774821032})


@pytest.fixture
def messenger(server: MisbehavingServer, http: AiohttpHttp) -> Messenger:
    return Messenger({**CASE.config, "base_url": server.base_url}, http)


def offline(**config: str) -> Messenger:
    return Messenger({**CASE.config, **config}, None)  # type: ignore[arg-type]


def with_data(part: Part) -> Part:
    return dataclasses.replace(part, data=b"\x00\xffDATA")


async def test_a_text_answers_and_carries_our_id(messenger: Messenger, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    assert await messenger.send(TO, messenger.render([Text("5 * 3 <b>")])[0], KEY) == Accepted("m_sent1")
    (seen,) = server.seen
    assert (seen.method, seen.target.partition("/v")[0], seen.target.rpartition("/v")[2].partition("/")[2]) == ("POST", "", "1001/messages")
    assert seen.headers["authorization"] == f"Bearer EAA{CANARY}" and CANARY not in seen.target
    assert seen.json() == {
        "recipient": {"id": "5001"},
        "messaging_type": "RESPONSE",
        "message": {"text": "5 * 3 <b>", "metadata": f"heliograph:{KEY}"},
    }


@pytest.mark.parametrize(("given", "tagged"), [("yes", True), ("Yes ", True), ("no", False), ("", False)])
async def test_a_human_agent_has_seven_days(http: AiohttpHttp, server: MisbehavingServer, given: str, tagged: bool) -> None:
    messenger = Messenger({**CASE.config, "base_url": server.base_url, "human_agent": given}, http)
    server.behave(CASE.accepted)
    await messenger.send(TO, messenger.render([Text("x")])[0], KEY)
    body = server.seen[0].json()
    assert (body["messaging_type"], body.get("tag")) == (("MESSAGE_TAG", "HUMAN_AGENT") if tagged else ("RESPONSE", None))
    assert messenger.spec.reply_window == (604_800 if tagged else 86_400)
    assert Messenger.spec.reply_window == 86_400


async def test_usage_asks_to_rest(messenger: Messenger, server: MisbehavingServer) -> None:
    usage = json.dumps({"1001": [{"type": "messenger", "call_count": 100}, {"type": "ads_management", "call_count": 1}]})
    server.behave(answer(200, {"message_id": "m_1"}, {"x-business-use-case-usage": usage}))
    assert await messenger.send(TO, messenger.render([Text("x")])[0], KEY) == Accepted("m_1", 60.0)


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "media_type", "sent_as"),
    [
        (MediaKind.FILE, "application/pdf", "file"),
        (MediaKind.IMAGE, "image/png", "image"),
        (MediaKind.IMAGE, "image/tiff", "file"),
        (MediaKind.VIDEO, "video/mp4", "video"),
        (MediaKind.VIDEO, "video/x-matroska", "file"),
        (MediaKind.AUDIO, "audio/mpeg", "audio"),
        (MediaKind.AUDIO, "audio/flac", "file"),
    ],
)
async def test_a_file_is_uploaded_and_then_named(
    messenger: Messenger, server: MisbehavingServer, kind: MediaKind, media_type: str, sent_as: str
) -> None:
    server.behave(UPLOADED, CASE.accepted)
    part, words = messenger.render([dataclasses.replace(FILE, kind=kind, media_type=media_type, caption="look")])
    assert words == Part("text", {"text": "look"})
    assert await messenger.send(TO, with_data(part), KEY) == Accepted("m_sent1")
    upload, message = server.seen
    assert upload.target.endswith("/1001/message_attachments") and b'name="filedata"' in upload.body
    assert b"\x00\xffDATA" in upload.body and "звіт.pdf".encode() in upload.body and media_type.encode() in upload.body
    assert f'"type": "{sent_as}"'.encode() in upload.body and b"5001" not in upload.body, "nobody receives an upload"
    assert message.json()["message"] == {
        "attachment": {"type": sent_as, "payload": {"attachment_id": "1857777774821032"}},
        "metadata": f"heliograph:{KEY}",
    }


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (answer(500), Deferred(Reason.PROVIDER_DOWN, code="500")),
        (misbehaving.close, Deferred(Reason.NO_ANSWER, code="closed")),
        (answer(200, {"id": "1"}), Deferred(Reason.PROVIDER_DOWN, code="upload_without_id")),
        (fault(1, 1357046), Deferred(Reason.NO_ANSWER, code="1/1357046")),
        (fault(190), Refused(Reason.BAD_CREDENTIALS, code="190")),
        (fault(100, 2018047), Refused(Reason.UNSUPPORTED, code="100/2018047")),
        (fault(100, 2018109), Refused(Reason.TOO_LARGE, code="100/2018109")),
    ],
)
async def test_a_failed_upload_has_certainly_not_been_sent(
    messenger: Messenger, server: MisbehavingServer, behaviour: Any, expected: SendResult
) -> None:
    server.behave(behaviour)
    got = await messenger.send(TO, with_data(messenger.render([FILE])[0]), KEY)
    assert dataclasses.replace(got, detail="") == expected  # type: ignore[arg-type]
    assert len(server.seen) == 1


async def test_a_lost_answer_after_the_upload_is_doubt(messenger: Messenger, server: MisbehavingServer) -> None:
    server.behave(UPLOADED, misbehaving.close)
    got = await messenger.send(TO, with_data(messenger.render([FILE])[0]), KEY)
    assert got == Unknown(Reason.NO_ANSWER, code="closed") and len(server.seen) == 2


def test_a_place_goes_as_words_and_a_link() -> None:
    (part,) = offline().render([Location(50.45, 30.52, "Shop", "Street 1")])
    assert part.payload["text"] == "Shop\nStreet 1\nhttps://www.google.com/maps/search/?api=1&query=50.450000,30.520000"


@pytest.mark.parametrize(
    ("profile", "name"), [({"first_name": " Ada "}, "Ada"), ({"last_name": "Byron"}, "Byron"), ({"id": "1"}, ""), ({"first_name": 7}, "")]
)
async def test_a_contact_s_name_as_far_as_it_is_told(messenger: Messenger, server: MisbehavingServer, profile: Any, name: str) -> None:
    server.behave(answer(200, {"id": "1", **profile}))
    assert await messenger.name_of("7512") == name
    assert server.seen[0].target.endswith("/7512?fields=first_name,last_name")


async def test_a_file_that_came_in_is_fetched_without_our_token(messenger: Messenger, server: MisbehavingServer) -> None:
    server.behave(answer(200, b"\x89PNG"))
    assert await messenger.fetch_media(dataclasses.replace(FILE, remote=f"{server.base_url}/v/1_n.png?oh=1")) == b"\x89PNG"
    assert "authorization" not in server.seen[0].headers
    for behaviour, code in ((answer(403), "403"), (misbehaving.truncated, "truncated")):
        server.behave(behaviour)
        with pytest.raises(PollFailed) as failed:
            await messenger.fetch_media(dataclasses.replace(FILE, remote=f"{server.base_url}/x"))
        assert failed.value.result.code == code


# --- whose it is -----------------------------------------------------------------------------------------------


async def test_a_token_of_another_page_is_told_apart(messenger: Messenger, server: MisbehavingServer) -> None:
    server.behave(answer(200, {"id": "2002", "name": "Another"}))
    assert await messenger.check() == Invalid(Reason.WRONG_IDENTITY, code="another_page")
    assert server.seen[0].target.endswith("/me?fields=id,name") and server.seen[0].method == "GET"


def question(**query: str) -> RawRequest:
    return RawRequest("GET", "/hooks/x", {f"hub.{name}": value for name, value in query.items()}, {}, b"")


def test_the_address_proves_itself_by_the_verify_token() -> None:
    good = question(mode="subscribe", challenge="1158201444", verify_token=f"{CANARY}-verify")
    assert offline().challenge(good) == b"1158201444"
    assert offline().challenge(dataclasses.replace(good, method="POST")) is None
    assert offline().challenge(question()) is None
    for bad in (question(mode="subscribe", challenge="1"), question(mode="subscribe", challenge="1", verify_token="guess")):
        with pytest.raises(BadSignature):
            offline().challenge(bad)
    with pytest.raises(BadSignature):
        offline(verify_token="").challenge(question(mode="subscribe", challenge="1", verify_token=""))


@given(st.binary(max_size=80) | st.text(max_size=40).map(lambda each: json.dumps({"text": each}).encode()))
def test_signatures_are_judged_alike_by_others(body: bytes) -> None:
    secret = CASE.webhook_secrets[1]
    request = signed(body, secret)
    header = request.headers["x-hub-signature-256"]
    offline().verify(request)
    assert pywa.utils.webhook_updates_validator(secret, body, header)
    forged = dataclasses.replace(request, body=body + b" ")
    assert not pywa.utils.webhook_updates_validator(secret, forged.body, header)
    with pytest.raises(BadSignature):
        offline().verify(forged)


# --- echoes -------------------------------------------------------------------------------------------------------


def told(message: dict[str, Any]) -> RawRequest:
    event = {"sender": {"id": "5001"}, "recipient": {"id": "1001"}, "timestamp": 1772357400001, "message": message}
    body = {"object": "page", "entry": [{"id": "1001", "time": 1772357400001, "messaging": [event]}]}
    return signed(json.dumps(body).encode(), CASE.webhook_secrets[0])


def echo(metadata: str | None, app_id: int, **more: Any) -> RawRequest:
    message = {
        "mid": "m_e1",
        "is_echo": True,
        "app_id": app_id,
        "text": "x",
        **({} if metadata is None else {"metadata": metadata}),
        **more,
    }
    event = {"sender": {"id": "1001"}, "recipient": {"id": "5001"}, "timestamp": 1772357400001, "message": message}
    body = {"object": "page", "entry": [{"id": "1001", "time": 1772357400001, "messaging": [event]}]}
    return signed(json.dumps(body).encode(), CASE.webhook_secrets[0])


@given(st.from_regex(r"dlv_[0-9a-z]{4,26}(\.[0-9]{1,3})?", fullmatch=True))
def test_what_is_sent_along_comes_back_as_the_key(key: str) -> None:
    (fact,) = offline().parse(echo(f"heliograph:{key}", 9001))
    assert fact == Receipt("echo:m_e1", ReceiptLevel.ACCEPTED, 1772357400001000, "m_e1", key)


async def test_the_echo_of_a_doubtful_send_names_it(messenger: Messenger, server: MisbehavingServer) -> None:
    server.behave(fault(1, 1357046))
    assert isinstance(await messenger.send(TO, messenger.render([Text("x")])[0], KEY), Unknown)
    (fact,) = messenger.parse(echo(server.seen[0].json()["message"]["metadata"], 9001))
    assert isinstance(fact, Receipt) and (fact.key, fact.provider_id) == (KEY, "m_e1")


def test_without_an_app_id_only_metadata_tells_ours() -> None:
    (known,) = offline().parse(echo(None, 9001))
    (unknown,) = offline(app_id="").parse(echo(None, 9001))
    (named,) = offline(app_id="").parse(echo(f"heliograph:{KEY}", 9001))
    assert isinstance(known, Receipt) and isinstance(named, Receipt) and not isinstance(unknown, Receipt)


@pytest.mark.parametrize(
    "attachments", [[{"type": ["image"]}], [{"type": {}, "payload": 7}], [7], "no list", [{"type": "image", "payload": {"url": 5}}]]
)
def test_an_attachment_that_cannot_be_read_costs_no_words(attachments: Any) -> None:
    (fact,) = offline().parse(told({"mid": "m_1", "text": "Broken?", "attachments": attachments}))
    assert isinstance(fact, InboundMessage) and fact.contents == (Text("Broken?"),)
    assert bool(fact.not_carried) == isinstance(attachments, list)


def test_a_message_without_an_id_is_not_lost() -> None:
    (fact,), (other,) = (offline().parse(told({"text": text})) for text in ("One", "Two"))
    assert isinstance(fact, InboundMessage) and isinstance(other, InboundMessage)
    assert fact.contents == (Text("One"),) and fact.event_id != other.event_id
    assert offline().parse(told({"text": "One"})) == [fact]
