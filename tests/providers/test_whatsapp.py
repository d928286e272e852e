"""What is special about WhatsApp: addresses without numbers, files by upload, templates, and pywa as judge of codes and signatures."""

import dataclasses
from typing import Any

import pytest
from pywa.errors import AuthorizationError, IntegrityError, SendMessageError, ThrottlingError, WhatsAppError
from pywa.utils import webhook_updates_validator

from heliograph.domain.content import Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import REASONS, Effect, Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    BadSignature,
    Deferred,
    Inconclusive,
    Invalid,
    Part,
    PollFailed,
    RawRequest,
    Receipt,
    Refused,
    Template,
    Unknown,
    Unsupported,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.whatsapp import WhatsApp
from heliograph.providers.whatsapp_codes import CODES
from tests.providers import misbehaving
from tests.providers.cases_whatsapp import CASE, PHONE, WABA, WAMID, WITHOUT_CLASS, error_of, signed
from tests.providers.contract import CANARY, KEY, as_json
from tests.providers.misbehaving import MisbehavingServer, answer
from tests.providers.under_contract import offline

IMAGE = Media(MediaKind.IMAGE, "a b.png", "image/png", 10, file="f", caption="Look")
TAKEN = CASE.accepted
UPLOADED = answer(200, {"id": "990011"})


@pytest.fixture
def provider(server: MisbehavingServer, http: AiohttpHttp) -> WhatsApp:
    server.behave(TAKEN)
    return WhatsApp({**CASE.config, "base_url": server.base_url}, http)


def with_bytes(part: Part) -> Part:
    return dataclasses.replace(part, data=b"\x89PNG-bytes")


def codes_of(family: type[WhatsAppError]) -> list[int]:
    """The codes of one of pywa's families of errors."""
    return [code for each in family.__subclasses__() for code in (each.__error_codes__ or ())]


# --- judged by pywa ------------------------------------------------------------------------------------


def test_every_code_that_pywa_knows_of_sending_is_in_the_table_and_the_other_way_round() -> None:
    known = {code for family in (AuthorizationError, ThrottlingError, IntegrityError, SendMessageError) for code in codes_of(family)}
    ours = {code for code, _ in CODES}
    assert known - ours == set()
    assert ours - known == WITHOUT_CLASS


@pytest.mark.parametrize(
    ("family", "effects"),
    [
        (AuthorizationError, {Effect.HOLD_CREDENTIAL, Effect.HOLD_CHANNEL}),
        (ThrottlingError, {Effect.WAIT}),
        (IntegrityError, {Effect.HOLD_CHANNEL}),
    ],
)
def test_a_family_of_errors_does_what_it_must_to_the_channel(family: Any, effects: set[Effect]) -> None:
    codes = codes_of(family)
    assert codes and {REASONS[CODES[code, 0]].effect for code in codes} <= effects


def test_the_error_object_of_the_cases_reads_the_same_to_pywa() -> None:
    for code, subcode in CODES:
        read = WhatsAppError.from_dict(error_of(code, subcode))
        assert (read.code, read.subcode or 0) == (code, subcode)


@pytest.mark.parametrize("body", [b"{}", b'{"entry":[]}', "ü 📦".encode(), b""])
def test_pywa_takes_the_signature_that_we_take_and_no_other(body: bytes) -> None:
    for secret in CASE.webhook_secrets:
        request = signed(body, secret)
        offline("whatsapp").verify(request)
        header = request.headers["x-hub-signature-256"]
        assert webhook_updates_validator(secret, body, header)
        assert not webhook_updates_validator(secret, body + b" ", header)
        with pytest.raises(BadSignature):
            offline("whatsapp").verify(dataclasses.replace(request, body=body + b" "))


# --- sending ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conversation", "recipient"),
    [
        ("491511234567", {"recipient_type": "individual", "to": "491511234567"}),
        ("user:DE.13491208655302741918", {"recipient_type": "individual", "recipient": "DE.13491208655302741918"}),
        ("group:Y2FwaV9ncm91cDo=", {"recipient_type": "group", "to": "Y2FwaV9ncm91cDo="}),
    ],
)
async def test_a_text_goes_to_a_number_a_user_or_a_group(
    conversation: str, recipient: dict[str, str], provider: WhatsApp, server: MisbehavingServer
) -> None:
    (part,) = provider.render([Text("Hello *there* https://example.com")])
    assert await provider.send(Address(conversation), part, KEY) == Accepted(WAMID)
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", f"/v23.0/{PHONE}/messages")
    assert seen.headers["authorization"] == f"Bearer {CASE.config['token']}"
    assert seen.json() == {
        "messaging_product": "whatsapp",
        **recipient,
        "type": "text",
        "text": {"body": "Hello *there* https://example.com", "preview_url": False},
        "biz_opaque_callback_data": KEY,
    }


async def test_the_version_of_the_api_is_configured(server: MisbehavingServer, http: AiohttpHttp) -> None:
    server.behave(TAKEN)
    provider = WhatsApp({**CASE.config, "base_url": server.base_url + "/", "api_version": "v99.1", "token": "  two\nlines "}, http)
    await provider.check()
    assert server.seen[0].target.startswith(f"/v99.1/{PHONE}?fields=")
    assert server.seen[0].headers["authorization"] == "Bearer twolines"


@pytest.mark.parametrize(
    ("headers", "rest"),
    [
        ({"X-App-Usage": '{"call_count":28,"total_time":25,"total_cputime":25}'}, 0.0),
        ({"X-App-Usage": '{"call_count":96,"total_time":25,"total_cputime":25}'}, 10.0),
        ({"X-App-Usage": '{"call_count":1,"total_time":100}'}, 60.0),
        ({"X-App-Usage": "[1]"}, 0.0),
        ({"X-App-Usage": '{"call_count":"99"}'}, 0.0),
        ({"X-Business-Use-Case-Usage": '{"1":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":3}]}'}, 180.0),
        ({"X-Business-Use-Case-Usage": '{"1":[{"type":"whatsapp","estimated_time_to_regain_access":1e300}]}'}, 86_400.0),
        ({"X-Business-Use-Case-Usage": '{"1":[{"type":"ads_insights","call_count":100}]}'}, 0.0),
        ({"X-Business-Use-Case-Usage": '{"1":7}'}, 0.0),
    ],
)
async def test_usage_headers_ask_for_a_rest(headers: dict[str, str], rest: float, provider: WhatsApp, server: MisbehavingServer) -> None:
    server.behave(answer(200, {"messages": [{"id": WAMID}]}, headers))
    (part,) = provider.render([Text("x")])
    assert await provider.send(CASE.to, part, KEY) == Accepted(WAMID, rest)


async def test_a_location_and_what_has_no_name(provider: WhatsApp) -> None:
    for place, shown in (
        (Location(1.5, 2.5), {}),
        (Location(1.5, 2.5, "Shop", "1 Main St"), {"name": "Shop", "address": "1 Main St"}),
        (Location(1.5, 2.5, address="1 Main St"), {"name": "1 Main St", "address": "1 Main St"}),
    ):
        (part,) = provider.render([place])
        assert part.payload == {"type": "location", "location": {"latitude": 1.5, "longitude": 2.5, **shown}}


# --- files -------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_and_then_sent_by_its_id(provider: WhatsApp, server: MisbehavingServer) -> None:
    server.behave(UPLOADED, TAKEN)
    (part,) = provider.render([IMAGE])
    assert await provider.send(CASE.to, with_bytes(part), KEY) == Accepted(WAMID)
    upload, message = server.seen
    assert upload.target == f"/v23.0/{PHONE}/media"
    assert upload.headers["content-type"].startswith("multipart/form-data")
    assert b"\x89PNG-bytes" in upload.body and b"image/png" in upload.body and b'name="messaging_product"' in upload.body
    assert message.json()["image"] == {"id": "990011", "caption": "Look"}
    assert message.json()["biz_opaque_callback_data"] == KEY


@pytest.mark.parametrize(
    ("behaviour", "result"),
    [
        (misbehaving.close, Deferred(Reason.NO_ANSWER, code="closed")),
        (answer(500, {"error": error_of(131000)}), Deferred(Reason.PROVIDER_DOWN, code="131000")),
        (answer(200, b"<html>"), Deferred(Reason.NO_ANSWER, code="200")),
        (answer(200, {"id": None}), Deferred(Reason.NO_ANSWER, code="ok_without_media")),
        (answer(401, {"error": error_of(190)}), Refused(Reason.BAD_CREDENTIALS, "190")),
        (answer(400, {"error": error_of(100)}), Refused(Reason.UNSUPPORTED, "100")),
        (answer(400, {"error": error_of(100, 33)}), Refused(Reason.NOT_PERMITTED, "100/33")),
        (answer(400, {"error": error_of(131053)}), Refused(Reason.UNSUPPORTED, "131053")),
    ],
)
async def test_a_failed_upload_has_sent_no_message(behaviour: Any, result: Any, provider: WhatsApp, server: MisbehavingServer) -> None:
    server.behave(behaviour)
    (part,) = provider.render([IMAGE])
    found: Any = await provider.send(CASE.to, with_bytes(part), KEY)
    assert dataclasses.replace(found, detail="") == result
    assert [seen.target for seen in server.seen] == [f"/v23.0/{PHONE}/media"]


async def test_after_the_upload_the_message_is_as_ambiguous_as_any(provider: WhatsApp, server: MisbehavingServer) -> None:
    server.behave(UPLOADED, misbehaving.close)
    (part,) = provider.render([IMAGE])
    assert isinstance(await provider.send(CASE.to, with_bytes(part), KEY), Unknown)


@pytest.mark.parametrize(
    ("kind", "media_type", "size", "carried_as"),
    [
        (MediaKind.IMAGE, "image/jpeg", 5 * 1024 * 1024, "image"),
        (MediaKind.IMAGE, "image/jpeg", 5 * 1024 * 1024 + 1, "document"),
        (MediaKind.IMAGE, "image/gif", 10, "document"),
        (MediaKind.IMAGE, "image/png", None, "document"),
        (MediaKind.VIDEO, "video/mp4", 10, "video"),
        (MediaKind.VIDEO, "video/quicktime", 10, "document"),
        (MediaKind.AUDIO, "audio/ogg; codecs=opus", 10, "audio"),
        (MediaKind.AUDIO, "audio/wav", 10, "document"),
        (MediaKind.FILE, "application/pdf", 10, "document"),
    ],
)
def test_what_is_not_shown_goes_as_a_document_with_its_name(kind: MediaKind, media_type: str, size: int | None, carried_as: str) -> None:
    (part,) = offline("whatsapp").render([Media(kind, "n.x", media_type, size, file="f")])
    assert part.payload == {"type": carried_as, carried_as: {"filename": "n.x"} if carried_as == "document" else {}}


def test_audio_has_no_caption_so_it_follows_as_text() -> None:
    audio = Media(MediaKind.AUDIO, "a.mp3", "audio/mpeg", 10, file="f", caption="Listen")
    sound, words = offline("whatsapp").render([audio])
    assert sound.payload == {"type": "audio", "audio": {}} and words.payload["text"]["body"] == "Listen"


async def test_a_file_that_came_in_is_fetched_with_the_token(provider: WhatsApp, server: MisbehavingServer) -> None:
    server.behave(answer(200, {"url": f"{server.base_url}/media/1", "mime_type": "image/jpeg", "id": "77"}), answer(200, b"JPEG"))
    assert await provider.fetch_media(dataclasses.replace(IMAGE, remote="../77")) == b"JPEG"
    asked, got = server.seen
    assert asked.target == f"/v23.0/..%2F77?phone_number_id={PHONE}" and got.target == "/media/1"
    assert got.headers["authorization"] == f"Bearer {CASE.config['token']}"


@pytest.mark.parametrize(
    ("behaviour", "kind", "code"),
    [
        (answer(200, {"url": "http://elsewhere.example/media/1"}), Inconclusive, "not_https"),
        (answer(200, {"url": "ftp://elsewhere.example/77"}), Inconclusive, "not_https"),
        (answer(200, {"id": "77"}), Inconclusive, "ok_without_url"),
        (answer(401, {"error": error_of(190)}), Invalid, "190"),
        (answer(400, {"error": error_of(100, 33)}), Invalid, "100/33"),
        (misbehaving.close, Inconclusive, "closed"),
    ],
)
async def test_a_file_that_cannot_be_fetched(behaviour: Any, kind: Any, code: str, provider: WhatsApp, server: MisbehavingServer) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed) as failed:
        await provider.fetch_media(dataclasses.replace(IMAGE, remote="77"))
    assert isinstance(failed.value.result, kind) and failed.value.result.code == code
    assert len(server.seen) == 1


# --- templates -----------------------------------------------------------------------------------------------


def row(name: str, *components: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "language": "en_US", "category": "UTILITY", "status": "APPROVED", "components": list(components), **more}


BODY = {"type": "BODY", "text": "Order {{2}} of {{1}} is on its way, {{1}}."}
URL_BUTTON = {"type": "URL", "text": "Track", "url": "https://shop.example/{{1}}"}
TAKES = {
    "plain": row("plain", {"type": "BODY", "text": "We have news."}),
    "numbered": row("numbered", {"type": "HEADER", "format": "TEXT", "text": "News"}, BODY, {"type": "FOOTER", "text": "The shop"}),
    "named": row("named", {"type": "BODY", "text": "Dear {{ name }}, {{order_id}}."}, parameter_format="NAMED"),
    "buttons": row("buttons", BODY, {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Stop"}]}),
}
LEAVES = [
    row("paused", BODY, status="PAUSED"),
    row("image", {"type": "HEADER", "format": "IMAGE"}, BODY),
    row("header", {"type": "HEADER", "format": "TEXT", "text": "For {{1}}"}, BODY),
    row("tracked", BODY, {"type": "BUTTONS", "buttons": [URL_BUTTON]}),
    row("coupon", BODY, {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "text": "Copy"}]}),
    row("cards", BODY, {"type": "CAROUSEL", "cards": []}),
    row("", BODY),
    row("empty"),
]


async def test_templates_that_take_text_only_are_listed_page_by_page(provider: WhatsApp, server: MisbehavingServer) -> None:
    elsewhere = {"cursors": {"after": "QVFI"}, "next": "https://elsewhere.example/?access_token=x"}
    server.behave(
        answer(200, {"data": [*TAKES.values()], "paging": elsewhere}),
        answer(200, {"data": [*LEAVES, 7, None], "paging": {"cursors": {"after": "QVFJ"}}}),
    )
    found = {each.name: each for each in await provider.templates()}
    assert set(found) == set(TAKES)
    assert found["numbered"] == Template(
        "numbered", "en_US", "UTILITY", "News\nOrder {{2}} of {{1}} is on its way, {{1}}.\nThe shop", ("1", "2")
    )
    assert (found["named"].text, found["named"].values) == ("Dear {{name}}, {{order_id}}.", ("name", "order_id"))
    first, second = server.seen
    assert first.target.startswith(f"/v23.0/{WABA}/message_templates?") and "after=QVFI" in second.target
    assert CANARY not in first.target + second.target


@pytest.mark.parametrize("behaviour", [answer(200, {"data": {}}), answer(500), misbehaving.close])
async def test_templates_that_cannot_be_listed(behaviour: Any, provider: WhatsApp, server: MisbehavingServer) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed):
        await provider.templates()


async def test_a_template_goes_out_with_its_values_in_their_places(provider: WhatsApp, server: MisbehavingServer) -> None:
    numbered = Template("numbered", "en_US", "UTILITY", "Order {{2}} of {{1}} is on its way, {{1}}.", ("1", "2"))
    named = Template("named", "de", "UTILITY", "Dear {{name}}.", ("name",))
    plain = Template("plain", "de", "UTILITY", "We have news.")
    for template, values, summary, parameters in (
        (numbered, ["Ada", "{{1}}"], "Order {{1}} of Ada is on its way, Ada.", [{"text": "Ada"}, {"text": "{{1}}"}]),
        (named, ["Ada"], "Dear Ada.", [{"parameter_name": "name", "text": "Ada"}]),
        (plain, [], "We have news.", None),
    ):
        filled = provider.fill(template, values)
        assert filled.summary == summary
        (part,) = provider.render([filled])
        assert await provider.send(CASE.to, part, KEY) == Accepted(WAMID)
        sent = server.seen[-1].json()
        components = [{"type": "body", "parameters": [{"type": "text", **each} for each in parameters]}] if parameters else None
        wanted = {"name": template.name, "language": {"code": template.language}} | ({"components": components} if components else {})
        assert sent["type"] == "template" and sent["template"] == wanted


@pytest.mark.parametrize(
    "content",
    [{}, {"name": "x"}, {"name": "x", "language": "de", "values": [["a"]]}, {"name": "x", "language": "de", "values": [[1, "a"]]}],
)
def test_a_template_that_is_none_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        offline("whatsapp").render([Rich("template", "x", content)])


# --- webhooks -------------------------------------------------------------------------------------------------


def asked(**query: str) -> RawRequest:
    return RawRequest("GET", "/hooks/x", {key.replace("_", ".", 1): value for key, value in query.items()}, {}, b"")


def test_the_challenge_is_answered_to_the_one_who_knows_the_token() -> None:
    provider: Any = offline("whatsapp")
    token = CASE.config["verify_token"]
    assert provider.challenge(asked(hub_mode="subscribe", hub_verify_token=token, hub_challenge="1158201444")) == b"1158201444"
    assert provider.challenge(asked()) is None
    assert provider.challenge(signed(b"{}", "x")) is None
    for wrong in ("", "x", token + " ", "ü"):
        with pytest.raises(BadSignature):
            provider.challenge(asked(hub_mode="subscribe", hub_verify_token=wrong, hub_challenge="1"))
    without = WhatsApp({**CASE.config, "verify_token": ""}, None)  # type: ignore[arg-type]
    with pytest.raises(BadSignature):
        without.challenge(asked(hub_mode="subscribe", hub_verify_token="", hub_challenge="1"))


@pytest.mark.parametrize(("code", "subcode"), sorted(CODES))
def test_a_failed_receipt_has_the_reason_of_its_code(code: int, subcode: int) -> None:
    error = {"code": code, "title": "x"} | ({"error_subcode": subcode} if subcode else {})
    value = {
        "metadata": {"phone_number_id": PHONE},
        "statuses": [{"id": WAMID, "status": "failed", "timestamp": "1772357400", "biz_opaque_callback_data": KEY, "errors": [error]}],
    }
    body = as_json({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
    (fact,) = offline("whatsapp").parse(signed(body, "x"))
    assert isinstance(fact, Receipt) and (fact.key, fact.provider_id, fact.reason) == (KEY, WAMID, CODES[code, subcode])
    assert fact.occurred_at == 1_772_357_400_000_000 and fact.code.startswith(str(code))
    assert fact.lane == (code == 131056)
