"""What is special about Slack: a 200 that says nothing, a signature that ages, our key in metadata, files in three steps."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, strategies as st
from slack_sdk import WebClient
from slack_sdk.models.blocks import PlainTextObject, SectionBlock
from slack_sdk.models.metadata import Metadata
from slack_sdk.signature import SignatureVerifier

from heliograph.domain.content import Location, Media, MediaKind, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.http import NotSent
from heliograph.ports.provider import (
    Absent,
    Accepted,
    Address,
    BadSignature,
    Deferred,
    Found,
    InboundMessage,
    Inconclusive,
    PollFailed,
    Receipt,
    Refused,
    Unknown,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import PROVIDERS
from heliograph.providers.slack_inbound import plain
from heliograph.providers.slack_outbound import escaped
from tests.providers import misbehaving
from tests.providers.cases_slack import AT, BOT, BOT_USER, CASE, CHANNEL, DIRECT, TEAM, TS, USER, Then, signed
from tests.providers.contract import CANARY, KEY
from tests.providers.misbehaving import Behaviour, MisbehavingServer, Seen, answer

THREAD, FLAT = Address(f"{CHANNEL}:{TS}"), Address(DIRECT)
TOKEN = f"xoxb-{CANARY}"
NEW = CASE.webhook_secrets[1]
PDF = Media(MediaKind.FILE, "Rechnung März.pdf", "application/pdf", 5, file="f", caption="your <invoice>")


def build(http: Any = None, base: str = "", **config: str) -> Any:
    return PROVIDERS["slack"]({**CASE.config, "base_url": f"{base}/api" if base else "", **config}, http)


async def official(server: MisbehavingServer, call: Callable[[WebClient], Any]) -> list[Seen]:
    """The requests that the official client makes of a call."""
    client = WebClient(TOKEN, base_url=f"{server.base_url}/api/", retry_handlers=[])
    before = len(server.seen)
    await asyncio.to_thread(call, client)
    return server.seen[before:]


# --- what goes out ------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [THREAD, FLAT])
async def test_a_message_is_what_the_official_client_would_send(http: AiohttpHttp, server: MisbehavingServer, to: Address) -> None:
    server.behave(CASE.accepted)
    slack = build(http, server.base_url)
    await slack.send(to, slack.render([Text("Grüße <b> & *kein* Markup 📦")])[0], KEY)
    channel, _, thread = to.conversation.partition(":")
    (theirs,) = await official(
        server,
        lambda client: client.chat_postMessage(
            channel=channel,
            text="Grüße &lt;b&gt; &amp; *kein* Markup 📦",
            mrkdwn=False,
            unfurl_links=False,
            unfurl_media=False,
            metadata=Metadata("heliograph_reply", {"key": KEY}),
            thread_ts=thread or None,
        ),
    )
    ours = server.seen[0]
    assert (ours.method, ours.target, ours.json()) == (theirs.method, theirs.target, theirs.json())
    assert ours.headers["authorization"] == theirs.headers["authorization"] == f"Bearer {TOKEN}"
    assert ours.headers["content-type"].lower() == theirs.headers["content-type"].lower().replace(";c", "; c")


def sharing(server: MisbehavingServer, complete: Behaviour | None = None) -> tuple[Behaviour, ...]:
    place = answer(200, {"ok": True, "upload_url": f"{server.base_url}/upload/v1/abc", "file_id": "F123"})
    return place, answer(200, b"OK - 5"), complete or answer(200, {"ok": True, "files": [{"id": "F123", "title": "a"}]})


@pytest.mark.parametrize(("caption", "shown"), [("your <invoice> & *more*", "your <invoice> & *more*"), ("", PDF.name)])
async def test_a_file_is_shared_in_the_official_client_s_three_steps(
    http: AiohttpHttp, server: MisbehavingServer, caption: str, shown: str
) -> None:
    slack = build(http, server.base_url)
    server.behave(*sharing(server))
    part = dataclasses.replace(slack.render([dataclasses.replace(PDF, caption=caption)])[0], data=b"%PDF-")
    assert await slack.send(THREAD, part, KEY) == Accepted(f"{CHANNEL}:F123")
    ours = list(server.seen)
    server.behave(*sharing(server))
    text = PlainTextObject(text=shown, emoji=False)
    blocks = json.dumps([SectionBlock(block_id=f"heliograph:{KEY}", text=text).to_dict()])

    def share(client: WebClient) -> None:
        place = client.files_getUploadURLExternal(filename=PDF.name, length=5)
        client._upload_file(url=place["upload_url"], data=b"%PDF-", logger=client._logger, timeout=5, proxy=None, ssl=None)
        client.files_completeUploadExternal(files=[{"id": "F123", "title": PDF.name}], channel_id=CHANNEL, thread_ts=TS, blocks=blocks)

    theirs = await official(server, share)
    called = [[(each.method, each.target.partition("?")[0]) for each in requests] for requests in (ours, theirs)]
    assert called[0] == called[1]
    assert ours[1].body == theirs[1].body == b"%PDF-" and "authorization" not in ours[1].headers
    for index in (0, 2):
        mine, wanted = dict(parse_qsl(ours[index].body.decode())), _fields(theirs[index])
        for packed in {"files", "blocks"} & wanted.keys():
            mine[packed], wanted[packed] = json.loads(mine[packed]), json.loads(wanted[packed])
        assert mine == wanted


def test_a_long_text_beside_a_file_goes_as_a_message_of_its_own() -> None:
    first, second = build().render([dataclasses.replace(PDF, caption="x" * 3001)])
    assert first.payload["caption"] == "" and second.payload == {"text": "x" * 3001}


def _fields(request: Seen) -> dict[str, Any]:
    return dict(parse_qsl(request.target.partition("?")[2]) or parse_qsl(request.body.decode()))


@pytest.mark.parametrize(
    ("step", "behaviour", "expected"),
    [
        (0, answer(500), Deferred(Reason.PROVIDER_DOWN, code="500")),
        (0, misbehaving.close, Deferred(Reason.NO_ANSWER, code="closed")),
        (0, answer(200, {"ok": False, "error": "file_uploads_disabled"}), Refused(Reason.UNSUPPORTED, code="file_uploads_disabled")),
        (0, answer(200, {"ok": True}), Deferred(Reason.PROVIDER_DOWN, code="upload_without_address")),
        (1, answer(500), Deferred(Reason.PROVIDER_DOWN, code="upload_500")),
        (1, answer(429, b"", {"Retry-After": "3"}), Deferred(Reason.RATE_LIMITED, 3.0, "upload_429")),
        (1, answer(413), Refused(Reason.TOO_LARGE, code="upload_413")),
        (1, misbehaving.close, Deferred(Reason.NO_ANSWER, code="closed")),
        (2, answer(500), Unknown(Reason.PROVIDER_DOWN, code="500")),
        (2, misbehaving.close, Unknown(Reason.NO_ANSWER, code="closed")),
        (2, answer(200, {"ok": False, "error": "invalid_channel"}), Refused(Reason.BAD_RECIPIENT, code="invalid_channel")),
    ],
)
async def test_only_the_last_step_of_a_file_can_be_in_doubt(
    http: AiohttpHttp, server: MisbehavingServer, step: int, behaviour: Behaviour, expected: Any
) -> None:
    server.behave(*sharing(server)[:step], behaviour)
    slack = build(http, server.base_url)
    assert await slack.send(FLAT, dataclasses.replace(slack.render([PDF])[0], data=b"%PDF-"), KEY) == expected
    assert len(server.seen) == step + 1


def test_a_place_is_a_text_with_a_link() -> None:
    (part,) = build().render([Location(52.52, 13.405, "Depot & Co")])
    assert part.payload == {"text": "Depot &amp; Co\nhttps://www.google.com/maps/search/?api=1&amp;query=52.520000,13.405000"}


@given(st.text())
def test_what_we_escape_is_read_back_as_it_was(body: str) -> None:
    assert plain(escaped(body)) == body


# --- signatures ---------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_call_is_signed_as_the_official_library_signs_it(body: str) -> None:
    stamp = str(AT // 1_000_000)
    official_signature = SignatureVerifier(NEW).generate_signature(timestamp=stamp, body=body)
    assert official_signature is not None
    headers = {"x-slack-signature": official_signature, "x-slack-request-timestamp": stamp}
    build().verify(dataclasses.replace(signed(b"", NEW), body=body.encode(), headers=headers))


@pytest.mark.parametrize("seconds", [-301, -300, 0, 300, 301])
def test_a_call_is_good_for_five_minutes_as_for_the_official_verifier(seconds: int) -> None:
    request = dataclasses.replace(signed(b"{}", NEW, AT + seconds * 1_000_000), at=AT)
    good = SignatureVerifier(NEW, Then()).is_valid_request(b"{}", request.headers)  # type: ignore[arg-type]
    assert good == (abs(seconds) <= 300)
    if good:
        build().verify(request)
    else:
        with pytest.raises(BadSignature):
            build().verify(request)


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1e9", "٣", "9" * 40, "1772357400.0"])
def test_a_time_that_is_none_is_a_bad_signature(stamp: str) -> None:
    request = signed(b"{}", NEW)
    with pytest.raises(BadSignature):
        build().verify(dataclasses.replace(request, headers={**request.headers, "x-slack-request-timestamp": stamp}))


def test_the_question_of_a_new_address_is_answered_if_it_is_signed() -> None:
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw", "token": "t"}).encode()
    slack = build()
    assert slack.challenge(signed(body, NEW)) == b"3eZbrw"
    for forged in (signed(body, "x"), signed(body, NEW, 0)):
        with pytest.raises(BadSignature):
            slack.challenge(dataclasses.replace(forged, at=AT))
    for other in (signed(b"{}", NEW), signed(b"[", NEW), dataclasses.replace(signed(body, NEW), method="GET")):
        assert slack.challenge(other) is None


def test_what_slack_repeats_has_the_same_id() -> None:
    body = json.dumps({"type": "event_callback", "event_id": "Ev1", "event": {"type": "reaction_added"}}).encode()
    request = signed(body, NEW)
    again = dataclasses.replace(request, headers={**request.headers, "x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"})
    assert build().parse(again) == build().parse(request)


# --- asking back --------------------------------------------------------------------------------


def posted(ts: str = "1772357401.000200", key: str = KEY, **more: Any) -> dict[str, Any]:
    """A message of ours as a list gives it back."""
    metadata = {"event_type": "heliograph_reply", "event_payload": {"key": key}}
    return {"type": "message", "text": "x", "user": BOT_USER, "bot_id": BOT, "ts": ts, "metadata": metadata} | more


def page(*messages: Any, cursor: str = "") -> Behaviour:
    more = {"has_more": True, "response_metadata": {"next_cursor": cursor}} if cursor else {"has_more": False}
    return answer(200, {"ok": True, "messages": list(messages), **more})


FROM_USER = {"type": "message", "text": "hi", "user": USER, "ts": "1772357399.000100", "team": TEAM}


async def test_find_sees_our_key_on_a_later_page(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(page(FROM_USER, posted(key="dlv_other"), cursor="c2=="), page(posted()))
    assert await build(http, server.base_url).find(FLAT, KEY, AT) == Found(f"{DIRECT}:1772357401.000200")
    first, second = server.seen
    form = _fields(first)
    assert first.target == "/api/conversations.history" and form["channel"] == DIRECT and form["oldest"] == "1772357280.000000"
    assert _fields(second) == {**form, "cursor": "c2=="}


async def test_find_reads_a_thread_as_the_official_client_would(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(page(FROM_USER, posted()))
    assert await build(http, server.base_url).find(THREAD, KEY, AT) == Found(f"{CHANNEL}:1772357401.000200")
    (theirs,) = await official(
        server,
        lambda client: client.conversations_replies(
            channel=CHANNEL, ts=TS, oldest="1772357280.000000", inclusive=True, include_all_metadata=True, limit=200
        ),
    )
    ours = server.seen[0]
    assert (ours.method, ours.target.partition("?")[0]) == (theirs.method, theirs.target.partition("?")[0])
    assert _fields(ours) == _fields(theirs)


async def test_find_says_absent_when_it_has_read_everything(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(page(FROM_USER, cursor="c2"), page(posted(key="dlv_other")))
    assert await build(http, server.base_url).find(FLAT, KEY, AT) == Absent()
    assert len(server.seen) == 2


async def test_find_sees_a_file_by_the_id_of_its_block(http: AiohttpHttp, server: MisbehavingServer) -> None:
    shared = {**SHARED, "blocks": [{"type": "section", "block_id": f"heliograph:{KEY}", "text": {"type": "plain_text", "text": "a"}}]}
    server.behave(page(shared))
    assert await build(http, server.base_url).find(FLAT, KEY, AT) == Found(f"{DIRECT}:F1")
    assert await build(http, server.base_url).find(FLAT, "dlv_other.1", AT) == Absent()


async def test_find_believes_bots_only(http: AiohttpHttp, server: MisbehavingServer) -> None:
    forged = {key: value for key, value in posted().items() if key != "bot_id"}
    other = posted(bot_id="B0OTHER01", user="U0OTHER01", metadata={"event_type": "other", "event_payload": {"key": KEY}})
    server.behave(page(forged, other), CASE.valid)
    assert await build(http, server.base_url).find(FLAT, KEY, AT) == Absent()


SHARED = {"type": "message", "subtype": "file_share", "text": "", "bot_id": BOT, "ts": "1772357401.000200", "files": [{"id": "F1"}]}
STRIPPED = {name: value for name, value in posted().items() if name != "metadata"}


@pytest.mark.parametrize("message", [SHARED, STRIPPED])
async def test_a_message_of_ours_without_a_key_forbids_the_word_absent(http: AiohttpHttp, server: MisbehavingServer, message: Any) -> None:
    """Sharing a file has no place for a key, and a list may leave metadata out: it may be the message that is sought."""
    slack = build(http, server.base_url)
    server.behave(page(message), CASE.valid)
    assert await slack.find(FLAT, KEY, AT) == Inconclusive(Reason.NO_ANSWER, code="message_without_key")
    server.behave(page(message, posted()))
    assert isinstance(await slack.find(FLAT, KEY, AT), Found)
    server.behave(page({**message, "bot_id": "B0OTHER01", "user": "U0OTHER01"}), CASE.valid)
    assert await slack.find(FLAT, KEY, AT) == Absent(), "another bot's says nothing"
    server.behave(page(message), answer(500))
    assert isinstance(await slack.find(FLAT, KEY, AT), Inconclusive)
    server.behave(page({**message, "ts": "1772357000.000200"}, FROM_USER))
    assert await slack.find(THREAD, KEY, AT) == Absent(), "what a thread began with is older"


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "60"}),
        answer(200, {"ok": False, "error": "ratelimited"}),
        answer(200, {"ok": False, "error": "channel_not_found"}),
        answer(200, {"ok": False, "error": "invalid_auth"}),
        answer(200, {"ok": True}),
        answer(200, {"ok": True, "messages": [], "is_limited": True}),
        answer(200, {"ok": True, "messages": [], "has_more": True}),
        answer(500),
        misbehaving.close,
        misbehaving.truncated,
    ],
)
async def test_find_that_could_not_read_everything_is_inconclusive(
    http: AiohttpHttp, server: MisbehavingServer, behaviour: Behaviour
) -> None:
    server.behave(behaviour)
    assert isinstance(await build(http, server.base_url).find(FLAT, KEY, AT), Inconclusive)
    server.behave(page(FROM_USER, cursor="c"), behaviour)
    assert isinstance(await build(http, server.base_url).find(FLAT, KEY, AT), Inconclusive)


async def test_find_does_not_turn_pages_for_ever(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(page(FROM_USER, cursor="again"))
    assert isinstance(await build(http, server.base_url).find(FLAT, KEY, AT), Inconclusive)
    assert len(server.seen) == 50


async def test_history_gives_the_webhook_s_ids_and_knows_our_own(http: AiohttpHttp, server: MisbehavingServer) -> None:
    late = {**FROM_USER, "ts": "1772357405.000100", "thread_ts": TS}
    joined = {**late, "ts": "1772357406.000100", "subtype": "channel_join"}
    server.behave(CASE.valid, page(late, posted(thread_ts=TS), joined, FROM_USER))
    facts = await build(http, server.base_url).history(THREAD, AT)
    assert [(type(fact), fact.event_id) for fact in facts] == [
        (Receipt, f"message:{CHANNEL}:1772357401.000200"),
        (InboundMessage, f"message:{CHANNEL}:1772357405.000100"),
    ]
    assert facts[0].key == KEY and facts[1].conversation == THREAD.conversation


@pytest.mark.parametrize("behaviour", [answer(500), answer(200, {"ok": False, "error": "ratelimited"}), misbehaving.close])
async def test_history_that_cannot_be_read_says_so(http: AiohttpHttp, server: MisbehavingServer, behaviour: Behaviour) -> None:
    for script in ((behaviour,), (CASE.valid, behaviour)):
        server.behave(*script)
        with pytest.raises(PollFailed):
            await build(http, server.base_url).history(THREAD, AT)


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"real_name": "Ada", "name": "a"}, "Ada"),
        ({"profile": {"real_name": "Ada", "display_name": "a"}}, "Ada"),
        ({"real_name": " ", "profile": {"display_name": "ada"}, "name": "a"}, "ada"),
        ({"name": "a"}, "a"),
        ({}, ""),
    ],
)
async def test_a_person_s_name_is_the_best_that_is_known(http: AiohttpHttp, server: MisbehavingServer, user: Any, name: str) -> None:
    server.behave(answer(200, {"ok": True, "user": user}))
    assert await build(http, server.base_url).name_of("U1") == name


async def test_a_bot_is_asked_for_no_name(http: AiohttpHttp, server: MisbehavingServer) -> None:
    assert await build(http, server.base_url).name_of("B1") == ""
    assert not server.seen


# --- files that come in -------------------------------------------------------------------------


def incoming(url: str, media_type: str = "image/png") -> Media:
    return Media(MediaKind.IMAGE, "a.png", media_type, 10, remote=url)


async def test_a_file_is_fetched_with_our_token_from_slack_only(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(answer(200, b"\x89PNG", {}))
    png = incoming(f"{server.base_url}/files-pri/T1-F1/a.png")
    assert await build(http, server.base_url).fetch_media(png) == b"\x89PNG"
    assert await build(http, "https://slack.example").fetch_media(png) == b"\x89PNG"
    assert [each.headers.get("authorization") for each in server.seen] == [f"Bearer {TOKEN}", None]


class Recording:
    """Takes note of what would be asked."""

    def __init__(self) -> None:
        self.headers: Any = None

    async def request(self, method: str, url: str, *, headers: Any, **_: Any) -> Any:
        self.headers = headers
        raise NotSent("resolve")


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.png", True),
        ("https://slack.com/files-pri/T1-F1/a.png", True),
        ("http://files.slack.com/files-pri/T1-F1/a.png", False),
        ("https://files.slack.com.evil.example/a.png", False),
        ("https://evilslack.com/a.png", False),
        ("https://files.slack.com@evil.example/a.png", False),
        ("https://[", False),
        ("", False),
    ],
)
async def test_our_token_goes_to_slack_s_hosts_only(url: str, ours: bool) -> None:
    http = Recording()
    with pytest.raises(PollFailed):
        await build(http).fetch_media(incoming(url))
    assert ("authorization" in http.headers) == ours


@pytest.mark.parametrize("behaviour", [answer(302, b"", {"Location": "/login"}), answer(404), misbehaving.close])
async def test_a_file_that_cannot_be_had_says_so(http: AiohttpHttp, server: MisbehavingServer, behaviour: Behaviour) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed):
        await build(http, server.base_url).fetch_media(incoming(f"{server.base_url}/a.png"))


async def test_the_page_for_signing_in_is_not_taken_for_the_file(http: AiohttpHttp, server: MisbehavingServer) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
    server.behave(misbehaving.raw(page))
    with pytest.raises(PollFailed) as failed:
        await build(http, server.base_url).fetch_media(incoming(f"{server.base_url}/a.png"))
    assert failed.value.result == Inconclusive(Reason.NOT_PERMITTED, code="sign_in_page")
    html = incoming(f"{server.base_url}/a.html", "text/html")
    assert await build(http, server.base_url).fetch_media(html) == b"<html>"
