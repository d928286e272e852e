"""What is special about Twilio: signatures, receipts by address, one provider for SMS and WhatsApp, files by address."""

import dataclasses
import hashlib
import hmac
import logging
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from hypothesis import given, strategies as st
from twilio.http.http_client import HttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from heliograph.domain.content import Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    BadSignature,
    InboundMessage,
    Inconclusive,
    Invalid,
    PollFailed,
    Receipt,
    Template,
    Unsupported,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import PROVIDERS
from heliograph.providers.twilio import Twilio
from tests.providers import misbehaving
from tests.providers.cases_twilio import ACCOUNT, CASE, CONTACT, MESSAGE, SENDER, URL, Several, encode, signed
from tests.providers.contract import CANARY, KEY
from tests.providers.misbehaving import MisbehavingServer, answer

TO = Address(CONTACT)
OLD, NEW = CASE.webhook_secrets
IMAGE = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f", caption="look")


def build(http: Any = None, base: str = "", **config: str) -> Any:
    return PROVIDERS["twilio"]({**CASE.config, "base_url": base, "webhook_url": URL, **config}, http)


# --- what goes out ------------------------------------------------------------------------------


class Capturing(HttpClient):  # type: ignore[misc]
    """Takes what the official client would send."""

    data: dict[str, Any]

    def __init__(self) -> None:
        super().__init__(logging.getLogger(__name__), False)

    def request(self, method: str, url: str, params: Any = None, data: Any = None, *_: Any, **__: Any) -> Any:
        self.method, self.url, self.data = method, url, data
        raise ConnectionError


def official(**fields: Any) -> tuple[str, list[tuple[str, str]]]:
    """The request by which the official client creates the same message."""
    seen = Capturing()
    with pytest.raises(ConnectionError):
        Client(ACCOUNT, "token", http_client=seen).messages.create(**fields)
    pairs = [(name, each) for name, value in seen.data.items() for each in (value if isinstance(value, list) else [value])]
    return seen.url.removeprefix("https://api.twilio.com"), sorted(pairs)


CALLBACK = f"{URL}?reply={KEY}#rc=5&rp=all"


@pytest.mark.parametrize(
    ("sender", "to", "content", "fields"),
    [
        (SENDER, CONTACT, Text("Grüße & 100 % 📦"), {"from_": SENDER, "body": "Grüße & 100 % 📦"}),
        (f"whatsapp:{SENDER}", f"whatsapp:{CONTACT}", Text("a"), {"from_": f"whatsapp:{SENDER}", "body": "a"}),
        ("MG" + "4e" * 16, CONTACT, Text("a"), {"messaging_service_sid": "MG" + "4e" * 16, "body": "a"}),
        (SENDER, CONTACT, IMAGE, {"from_": SENDER, "body": "look", "media_url": ["https://desk.example/files/f?key=1"]}),
    ],
)
async def test_a_message_is_what_the_official_client_would_send(
    http: AiohttpHttp, server: MisbehavingServer, sender: str, to: str, content: Any, fields: dict[str, Any]
) -> None:
    server.behave(CASE.accepted)
    twilio = build(http, server.base_url, sender=sender)
    part = dataclasses.replace(twilio.render([content])[0], url="https://desk.example/files/f?key=1")
    assert await twilio.send(Address(to), part, KEY) == Accepted(MESSAGE)
    (seen,) = server.seen
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen.headers["authorization"] == "Basic " + b64encode(f"{ACCOUNT}:{CANARY}-token".encode()).decode()
    assert (seen.target, sorted(parse_qsl(seen.body.decode()))) == official(to=to, status_callback=CALLBACK, **fields)


async def test_without_an_address_of_ours_no_receipts_are_asked_for(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    twilio = build(http, server.base_url, webhook_url="")
    await twilio.send(TO, twilio.render([Text("a")])[0], KEY)
    assert set(parse_qs(server.seen[0].body.decode())) == {"To", "From", "Body"}


async def test_a_lone_surrogate_does_not_stop_a_reply(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    twilio = build(http, server.base_url)
    assert await twilio.send(TO, twilio.render([Text("a\ud83db")])[0], KEY) == Accepted(MESSAGE)
    assert parse_qs(server.seen[0].body.decode())["Body"] == ["a?b"]


def test_whatsapp_has_a_window_and_sms_has_none() -> None:
    assert build(sender=f"whatsapp:{SENDER}").spec.reply_window == 86_400
    assert build().spec.reply_window is None and build(sender="MG" + "4e" * 16).spec.reply_window is None
    assert isinstance(build(sender=f"whatsapp:{SENDER}"), Twilio)
    offers = {sender: hasattr(build(sender=sender), "templates") for sender in (SENDER, f"whatsapp:{SENDER}", "MG" + "4e" * 16)}
    assert list(offers.values()) == [False, True, True]
    assert all(("templates" in build(sender=sender).spec.capabilities) == offered for sender, offered in offers.items())


def test_a_text_beside_a_document_goes_as_a_message_of_its_own() -> None:
    document = dataclasses.replace(IMAGE, kind=MediaKind.FILE, name="a.pdf", media_type="application/pdf")
    first, second = build().render([document])
    assert (first.payload, first.media, second.payload, second.media) == ({}, document, {"Body": "look"}, None)


def test_a_place_is_a_text_with_a_link() -> None:
    (part,) = build().render([Location(52.52, 13.405, "Depot", "Street 1")])
    assert part.payload == {"Body": "Depot\nStreet 1\nhttps://www.google.com/maps/search/?api=1&query=52.520000,13.405000"}


# --- templates ----------------------------------------------------------------------------------

WHATSAPP = f"whatsapp:{SENDER}"


def content(sid: str, body: str, kind: str = "twilio/text", state: str = "approved", **more: Any) -> dict[str, Any]:
    approval = {"status": state, "category": "UTILITY", "name": "parcel"}
    return {"sid": sid, "friendly_name": "parcel", "language": "en", "types": {kind: {"body": body, **more}}, "approval_requests": approval}


async def test_templates_that_text_alone_can_fill_are_offered(http: AiohttpHttp, server: MisbehavingServer) -> None:
    following = f"{server.base_url}/v1/ContentAndApprovals?PageToken=2"
    server.behave(
        answer(200, {"contents": [
            content("HX1", "Your parcel {{ 1 }} is at {{place}}, {{1}}."),
            content("HX2", "x", state="pending"),
            content("HX3", "x", "twilio/media", media=["https://a.example/{{1}}"]),
            content("HX4", "x", "twilio/quick-reply", actions=[{"title": "{{1}}", "id": "a"}]),
            content("HX5", "Fine?", "twilio/quick-reply", actions=[{"title": "Yes", "id": "yes"}]),
            content("", "x"), content("HX6", ""), {"types": 7}, None,
        ], "meta": {"next_page_url": following}}),
        answer(200, {"contents": [content("HX7", "later")], "meta": {"next_page_url": "https://elsewhere.example/"}}),
    )  # fmt: skip
    found = await build(http, server.base_url, sender=WHATSAPP).templates()
    assert [(each.name, each.text, each.values) for each in found] == [
        ("parcel HX1", "Your parcel {{1}} is at {{place}}, {{1}}.", ("1", "place")),
        ("parcel HX5", "Fine?", ()),
        ("parcel HX7", "later", ()),
    ]
    assert (found[0].language, found[0].category) == ("en", "UTILITY")
    assert [each.target for each in server.seen] == ["/v1/ContentAndApprovals?PageSize=100", "/v1/ContentAndApprovals?PageToken=2"]


async def test_a_filled_template_is_what_the_official_client_would_send(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted)
    twilio = build(http, server.base_url, sender=WHATSAPP)
    filled = twilio.fill(Template("parcel HX1", "en", "UTILITY", "Your parcel {{1}} waits, {{2}}.", ("1", "2")), ["7001", "Ada"])
    assert (filled.kind, filled.summary) == ("template", "Your parcel 7001 waits, Ada.")
    (part,) = twilio.render([filled])
    assert await twilio.send(Address(f"whatsapp:{CONTACT}"), part, KEY) == Accepted(MESSAGE)
    fields = {"content_sid": "HX1", "content_variables": '{"1": "7001", "2": "Ada"}'}
    seen = (server.seen[0].target, sorted(parse_qsl(server.seen[0].body.decode())))
    assert seen == official(to=f"whatsapp:{CONTACT}", from_=WHATSAPP, status_callback=CALLBACK, **fields)


def test_a_template_is_filled_wholly_or_refused() -> None:
    twilio = build(sender=WHATSAPP)
    template = Template("parcel HX1", "en", "UTILITY", "Your parcel {{1}} waits.", ("1",))
    for values in ([], ["a", "b"], [""], [" "], ["line\nbreak"], ["tab\t"], ["a     b"]):
        with pytest.raises(Unsupported):
            twilio.fill(template, values)
    for wrong in ({}, {"content_sid": "HX1"}, {"content_sid": "HX1", "variables": {"1": 7}}):
        with pytest.raises(Unsupported):
            twilio.render([Rich("template", "x", wrong)])
    with pytest.raises(Unsupported):
        twilio.render([])
    with pytest.raises(Unsupported):
        build().render([twilio.fill(template, ["7001"])])
    assert len(twilio.render([Text("a"), twilio.fill(template, ["7001"])])) == 2


@pytest.mark.parametrize("behaviour", [answer(500), answer(200, b"{}"), answer(401, {"code": 20003}), misbehaving.close])
async def test_templates_that_cannot_be_read_say_so(http: AiohttpHttp, server: MisbehavingServer, behaviour: Any) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed):
        await build(http, server.base_url, sender=WHATSAPP).templates()


# --- credentials --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "reason", "code"),
    [
        ({"sid": ACCOUNT, "status": "suspended"}, Reason.NOT_PERMITTED, "suspended"),
        ({"sid": ACCOUNT, "status": "closed"}, Reason.NOT_PERMITTED, "closed"),
        ({"sid": "AC" + "ff" * 16, "status": "active"}, Reason.WRONG_IDENTITY, "other_account"),
    ],
)
async def test_an_account_that_cannot_send_is_invalid(
    http: AiohttpHttp, server: MisbehavingServer, account: Any, reason: Reason, code: str
) -> None:
    server.behave(answer(200, account))
    assert await build(http, server.base_url).check() == Invalid(reason, code)
    assert server.seen[0].target == f"/2010-04-01/Accounts/{ACCOUNT}.json"


# --- signatures ---------------------------------------------------------------------------------

BODY = encode({"MessageSid": MESSAGE, "From": CONTACT, "Body": "Where is my parcel? +&=% 📦", "Empty": ""})
FORMS = [
    ("https://desk.example/hooks/x?reply=d%2F1", "https://desk.example/hooks/x?reply=d%2F1"),
    ("https://desk.example/hooks/x", "https://desk.example:443/hooks/x"),
    ("https://desk.example:443/hooks/x", "https://desk.example/hooks/x"),
    ("http://desk.example/hooks/x", "http://desk.example:80/hooks/x"),
    ("https://desk.example:8443/hooks/x", "https://desk.example:8443/hooks/x"),
    ("https://desk.example/hooks/x?reply=1", "https://desk.example/hooks/x?reply=1#rc=5&rp=all"),
]


@pytest.mark.parametrize(("as_called", "as_signed"), FORMS)
def test_the_official_signature_is_good_with_and_without_a_port(as_called: str, as_signed: str) -> None:
    request = signed(BODY, NEW, as_signed)
    build().verify(dataclasses.replace(request, url=as_called))
    if "#" not in as_signed:
        assert RequestValidator(NEW).validate(as_called, Several(BODY), request.headers["x-twilio-signature"])


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://desk.example/hooks/other"},
        {"url": f"{URL}?reply=1"},
        {"url": URL.replace("https", "http")},
        {"url": ""},
        {"url": "https://desk.example:x/"},
        {"body": BODY + b"&More=1"},
        {"body": BODY.replace(b"parcel", b"Parcel")},
        {"headers": {}},
        {"headers": {"x-twilio-signature": "ü"}},
    ],
)
def test_what_was_changed_on_the_way_is_a_bad_signature(change: dict[str, Any]) -> None:
    request = signed(BODY, NEW)
    build().verify(request)
    with pytest.raises(BadSignature):
        build().verify(dataclasses.replace(request, **change))


@given(st.lists(st.tuples(st.sampled_from("aAbB0_é"), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)), max_size=6))
def test_any_form_is_signed_as_the_official_library_signs_it(pairs: list[tuple[str, str]]) -> None:
    """Names that come twice and values that are empty included."""
    body = b"&".join(encode({name: value}) for name, value in pairs)
    build().verify(signed(body, NEW))


def test_the_auth_token_signs_where_no_other_is_given() -> None:
    twilio = build(webhook_secret="")
    twilio.verify(signed(BODY, f"{CANARY}-token"))
    with pytest.raises(BadSignature):
        twilio.verify(signed(BODY, NEW))
    with pytest.raises(BadSignature):
        build().verify(signed(BODY, f"{CANARY}-token"))


def test_a_key_shared_for_webhooks_signs_with_sha256() -> None:
    request = signed(BODY, NEW)
    headers = {
        "x-twilio-signature": RequestValidator(NEW).compute_signature(URL, Several(BODY), "HMAC_SHA256"),
        "x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    build().verify(dataclasses.replace(request, headers=headers))
    for algorithm in ("HMAC_SHA1", "HMAC_MD5", "none"):
        with pytest.raises(BadSignature):
            settings = {"x-twilio-webhooks-signature-settings": f"key=k,algorithm={algorithm}"}
            build().verify(dataclasses.replace(request, headers=headers | settings))


def test_a_json_body_is_signed_by_its_hash_in_the_address() -> None:
    body = b'{"a": "b"}'
    digest = hashlib.sha256(body).hexdigest()
    url = f"{URL}?bodySHA256={digest}"
    given = b64encode(hmac.new(NEW.encode(), url.encode(), "sha1").digest()).decode()
    assert RequestValidator(NEW).validate(url, body.decode(), given)
    request = dataclasses.replace(signed(b"", NEW), body=body, url=url, query={"bodySHA256": digest}, headers={"x-twilio-signature": given})
    build().verify(request)
    with pytest.raises(BadSignature):
        build().verify(dataclasses.replace(request, body=b'{"a": "c"}'))


# --- what comes in ------------------------------------------------------------------------------


def test_a_receipt_carries_our_key_from_the_address_and_the_message_s_id() -> None:
    """So that a message is found again whose answer was lost."""
    body = encode({"MessageSid": MESSAGE, "MessageStatus": "sent", "To": CONTACT, "From": SENDER})
    (receipt,) = build().parse(dataclasses.replace(signed(body, NEW), query={"reply": KEY}))
    assert isinstance(receipt, Receipt) and (receipt.key, receipt.provider_id) == (KEY, MESSAGE)


def test_a_call_by_get_reads_the_same() -> None:
    query = {"MessageSid": MESSAGE, "From": CONTACT, "Body": "hello"}
    by_get = build().parse(dataclasses.replace(signed(b"", NEW), method="GET", query=query))
    assert by_get == build().parse(signed(encode(query), NEW))


# --- after downtime -----------------------------------------------------------------------------


def entry(number: int, second: int, direction: str = "inbound", **more: Any) -> dict[str, Any]:
    return {
        "sid": f"SM{number:032x}",
        "from": CONTACT,
        "to": SENDER,
        "body": f"message {number}",
        "direction": direction,
        "num_media": "0",
        "date_sent": f"Sun, 01 Mar 2026 09:30:{second:02d} +0000",
    } | more


AFTER = 1_772_357_410_000_000


async def test_history_reads_back_to_what_is_known_and_gives_the_webhook_s_ids(http: AiohttpHttp, server: MisbehavingServer) -> None:
    following = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageToken=p2"
    media = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM{4:032x}/Media/ME1.json"
    server.behave(
        answer(200, {"messages": [entry(4, 40, num_media="1"), entry(3, 30, "outbound-api")], "next_page_uri": following}),
        answer(200, {"messages": [entry(2, 20), entry(1, 5)], "next_page_uri": "/never"}),
        answer(200, {"media_list": [{"sid": "ME1", "content_type": "image/jpeg", "uri": media}]}),
    )
    facts = await build(http, server.base_url).history(TO, AFTER)
    assert all(isinstance(fact, InboundMessage) for fact in facts)
    assert [fact.event_id for fact in facts] == [f"message:SM{number:032x}" for number in (2, 4)]
    assert facts[0].occurred_at == AFTER + 10_000_000 and facts[0].contents == (Text("message 2"),)
    (file,) = facts[1].contents
    assert file.remote == server.base_url + media.removesuffix(".json") and file.caption == "message 4"
    assert parse_qs(server.seen[0].target.partition("?")[2]) == {
        "From": [CONTACT], "To": [SENDER], "DateSent>": ["2026-03-01"], "PageSize": ["100"],
    }  # fmt: skip
    assert server.seen[1].target == following


@pytest.mark.parametrize("behaviour", [answer(500), answer(200, b"{}"), answer(401, {"code": 20003}), misbehaving.close])
async def test_history_that_cannot_be_read_says_so(http: AiohttpHttp, server: MisbehavingServer, behaviour: Any) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed):
        await build(http, server.base_url).history(TO, AFTER)


async def test_history_does_not_turn_pages_for_ever(http: AiohttpHttp, server: MisbehavingServer) -> None:
    following = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageToken=again"
    server.behave(answer(200, {"messages": [entry(1, 30)], "next_page_uri": following}))
    with pytest.raises(PollFailed):
        await build(http, server.base_url).history(TO, AFTER)
    assert len(server.seen) == 20


# --- files --------------------------------------------------------------------------------------


async def test_a_file_is_followed_to_the_store_without_our_token(http: AiohttpHttp, server: MisbehavingServer) -> None:
    async with MisbehavingServer() as store:
        store.behave(answer(200, b"\x89PNG"))
        server.behave(answer(307, b"", {"Location": f"{store.base_url}/bucket/file?signature=1"}))
        file = dataclasses.replace(IMAGE, remote=f"{server.base_url}/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1")
        assert await build(http, server.base_url).fetch_media(file) == b"\x89PNG"
        assert "authorization" in server.seen[0].headers and "authorization" not in store.seen[0].headers
        assert store.seen[0].target == "/bucket/file?signature=1"


async def test_our_token_goes_to_twilio_only(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(answer(200, b"x"))
    twilio = build(http, "https://api.twilio.example")
    assert await twilio.fetch_media(dataclasses.replace(IMAGE, remote=f"{server.base_url}/file")) == b"x"
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    "behaviour", [answer(404), answer(200, b"x" * (17 * 1024 * 1024)), misbehaving.close, answer(307, b"", {"Location": "/again"})]
)
async def test_a_file_that_cannot_be_had_says_so(http: AiohttpHttp, server: MisbehavingServer, behaviour: Any) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed) as failed:
        await build(http, server.base_url).fetch_media(dataclasses.replace(IMAGE, remote=f"{server.base_url}/file"))
    assert isinstance(failed.value.result, Inconclusive) and len(server.seen) <= 2
