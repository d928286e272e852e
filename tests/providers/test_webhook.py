"""What is particular to a self-built channel: signatures both ways, the published schema, and the example that the page shows."""

import asyncio
import contextlib
import dataclasses
import datetime
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from hypothesis import given, strategies as st
from standardwebhooks.webhooks import Webhook as Official, WebhookVerificationError

from heliograph.bootstrap.system import SystemClock
from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Address,
    BadSignature,
    InboundMessage,
    Inconclusive,
    Invalid,
    PollFailed,
    RawRequest,
    Receipt,
    Refused,
    Unknown,
    Valid,
)
from heliograph.providers import webhook_inbound
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import configured
from heliograph.providers.webhook import Webhook, call_id
from tests.providers import misbehaving
from tests.providers.cases_webhook import CASE, NEW, OLD, SCHEMA, judge_of
from tests.providers.contract import KEY, NOON, Standing
from tests.providers.misbehaving import MisbehavingServer, Seen, answer

PAGE = Path(__file__).parents[2] / "docs" / "webhook-channel.md"
TO = CASE.to
PICTURE = Media(MediaKind.IMAGE, "parcel.jpg", "image/jpeg", 400_000, file="f", caption="look")
URL = "https://desk.example/files/x1/parcel.jpg"
HERE = "https://desk.example/hooks/webhook/chn_1"
SHORT = "whsec_" + "QUJD" * 7


def made(http: Any, base: str, *, at: int | None = None, secret: str = f"{OLD} {NEW}") -> Webhook:
    clock = NOON if at is None else Standing(at)
    provider = configured("webhook", {"base_url": base, "webhook_secret": secret, "webhook_url": HERE}, http, clock)
    assert isinstance(provider, Webhook)
    return provider


def proven(seen: Seen, secret: str) -> Any:
    """The body, if the official library takes the call for genuine."""
    return Official(secret).verify(seen.body, seen.headers)


# --- out ------------------------------------------------------------------------------------------------


async def test_the_official_library_proves_what_we_send(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASE.accepted, CASE.valid)
    now = time.time_ns() // 1000
    webhook = made(http, server.base_url, at=now)
    assert await webhook.send(TO, webhook.render([Text("Hello 📦")])[0], KEY) == Accepted("m-42")
    await webhook.check()
    for seen in server.seen:
        assert proven(seen, OLD) == proven(seen, NEW) == seen.json()
        with pytest.raises(WebhookVerificationError):
            proven(dataclasses.replace(seen, body=seen.body + b" "), NEW)
        with pytest.raises(WebhookVerificationError):
            proven(dataclasses.replace(seen, headers={**seen.headers, "webhook-id": "another"}), NEW)
    assert server.seen[0].json() == {
        "type": "message",
        "id": KEY,
        "conversation": "room-7",
        "contact": "ada",
        "message": {"kind": "text", "text": "Hello 📦"},
    }


async def test_a_call_that_is_old_is_proved_no_more(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASE.valid)
    await made(http, server.base_url, at=time.time_ns() // 1000 - 400_000_000).check()
    with pytest.raises(WebhookVerificationError, match="too old"):
        proven(server.seen[0], NEW)


async def test_a_repeat_is_the_same_call_at_another_time(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(misbehaving.close, answer(409, {"id": "m-42"}))
    for at, expected in ((NOON.now(), Unknown(Reason.NO_ANSWER, "closed")), (NOON.now() + 60_000_000, Accepted("m-42"))):
        webhook = made(http, server.base_url, at=at)
        assert await webhook.send(TO, webhook.render([Text("Hello")])[0], KEY) == expected
    first, second = server.seen
    assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"] == KEY
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 60


@given(st.integers(0, 2**80), st.integers(0, 999))
def test_an_id_has_no_point_and_leads_back_to_the_delivery(value: int, epoch: int) -> None:
    key = f"dlv_{value:022x}" + (f".{epoch}" if epoch else "")
    assert "." not in call_id(key) and webhook_inbound.key_of(call_id(key)) == key


async def test_everything_that_goes_out_has_the_published_shape(http: AiohttpHttp, server: MisbehavingServer) -> None:
    contents: list[Content] = [
        Text("Hello"),
        PICTURE,
        dataclasses.replace(PICTURE, kind=MediaKind.FILE, size=None, caption=""),
        dataclasses.replace(PICTURE, kind=MediaKind.AUDIO, caption="long " * 4000),
        Location(1.5, 2.5),
        Location(1.5, 2.5, "Depot", "Kai 3"),
        Rich("list", "Two parcels", {"items": [{"title": "One"}, {"title": "Two"}]}),
    ]
    server.behave(CASE.accepted)
    webhook = made(http, server.base_url)
    for part in webhook.render(contents):
        await webhook.send(TO, dataclasses.replace(part, url=URL) if part.media else part, KEY)
    await webhook.check()
    assert len(server.seen) == 10
    for seen in server.seen:
        judge_of("call").validate(seen.json())
    kinds = [seen.json()["message"]["kind"] for seen in server.seen[:-1]]
    assert kinds == ["text", "image", "file", "audio", "text", "text", "location", "location", "rich"]
    assert server.seen[1].json()["message"]["url"] == URL
    assert server.seen[-1].json() == {"type": "ping", "webhook_url": HERE}


def test_the_schema_takes_nothing_for_granted() -> None:
    """The judge refuses what is no call: a check of the check."""
    good = {"type": "message", "id": "x", "conversation": "c", "contact": "", "message": {"kind": "text", "text": "x"}}
    judge_of("call").validate(good)
    for bad in ({**good, "id": ""}, {**good, "message": {"kind": "text"}}, {**good, "more": 1}, {"type": "ping"}, {**good, "type": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            judge_of("call").validate(bad)


@pytest.mark.parametrize("secret", ["", "whsec_", SHORT, "whsec_not base64!", f"{NEW} {SHORT}", f"{NEW} half-a-change"])
async def test_a_secret_that_is_none_is_said_so_before_anything_is_sent(http: AiohttpHttp, server: MisbehavingServer, secret: str) -> None:
    webhook = made(http, server.base_url, secret=secret)
    assert await webhook.check() == Invalid(Reason.BAD_CREDENTIALS, "secret_unusable")
    assert await webhook.send(TO, webhook.render([Text("x")])[0], KEY) == Refused(Reason.BAD_CREDENTIALS, "secret_unusable")
    assert server.seen == []


async def test_a_taken_ping_is_no_identity(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(answer(409, {"identity": "shop-chat", "id": "m"}))
    assert isinstance(await made(http, server.base_url).check(), Inconclusive)


# --- in -------------------------------------------------------------------------------------------------


def test_we_prove_what_the_official_library_signs() -> None:
    body = json.dumps({"events": []}) + " ünï"
    now = datetime.datetime.fromtimestamp(NOON.now() // 1_000_000, datetime.UTC)
    for secret in (OLD, NEW):
        proof = Official(secret).sign("evt-1", now, body)
        headers = {"webhook-id": "evt-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": f"v1a,AAAA {proof}"}
        request = RawRequest("POST", "/hooks/x", {}, headers, body.encode(), at=NOON.now())
        made(None, "https://peer.example").verify(request)
        for forged in (
            dataclasses.replace(request, body=b"{}"),
            dataclasses.replace(request, headers={**headers, "webhook-id": "evt-2"}),
            dataclasses.replace(request, headers={**headers, "webhook-timestamp": str(int(now.timestamp()) + 1)}),
        ):
            with pytest.raises(BadSignature):
                made(None, "https://peer.example").verify(forged)


@pytest.mark.parametrize(("late", "good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (10**9, False)])
def test_a_proof_is_good_for_five_minutes(late: int, good: bool) -> None:
    request = dataclasses.replace(CASE.signed(b"{}", NEW), at=NOON.now() + late * 1_000_000)
    webhook = made(None, "https://peer.example")
    if good:
        webhook.verify(request)
        return
    with pytest.raises(BadSignature, match="webhook-timestamp"):
        webhook.verify(request)


@given(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=40))
def test_no_header_can_raise_or_prove(name: str, value: str) -> None:
    request = CASE.signed(b"{}", NEW)
    if value == request.headers[name] or value.split() == request.headers[name].split():
        return
    with pytest.raises(BadSignature):
        made(None, "https://peer.example").verify(dataclasses.replace(request, headers={**request.headers, name: value}))


def test_what_we_send_reads_as_no_event_when_it_comes_back() -> None:
    """One secret signs both ways, so that a call of ours can be thrown back at us."""
    part = made(None, "https://peer.example").render([Text("Hello")])[0]
    thrown = json.dumps({"type": "message", "id": KEY, "conversation": "c", "contact": "c", "message": dict(part.payload)})
    (fact,) = made(None, "https://peer.example").parse(CASE.signed(thrown.encode(), NEW))
    assert type(fact).__name__ == "Ignored"


async def test_files_of_the_service_itself_are_asked_for_with_a_signature(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(answer(200, b"\xff\xd8jpeg"))
    now = time.time_ns() // 1000
    webhook = made(http, f"{server.base_url}/heliograph", at=now)
    media = dataclasses.replace(PICTURE, file=None, remote=f"{server.base_url}/files/9.jpg")
    assert await webhook.fetch_media(media) == b"\xff\xd8jpeg"
    Official(NEW).verify(server.seen[0].body, server.seen[0].headers, json_parse=False)
    elsewhere = made(http, "https://peer.example/heliograph", at=now)
    assert await elsewhere.fetch_media(media) == b"\xff\xd8jpeg"
    assert "webhook-signature" not in server.seen[1].headers
    server.behave(answer(404))
    with pytest.raises(PollFailed):
        await webhook.fetch_media(media)


# --- the page and its schema ------------------------------------------------------------------------------


def test_the_schema_is_one_and_says_what_the_code_knows() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["$defs"]["reason"]["enum"]) == set(webhook_inbound.REASONS)
    assert set(SCHEMA["$defs"]["event"]["properties"]["type"]["enum"]) == set(webhook_inbound.EVENTS)
    outgoing = SCHEMA["$defs"]
    kinds = [outgoing[each]["properties"]["kind"] for each in ("text", "file", "location", "rich")]
    assert {name for kind in kinds for name in kind.get("enum", [kind.get("const")])} == set(webhook_inbound.CONTENTS)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.S | re.M)


def test_what_the_page_shows_has_the_published_shape() -> None:
    message, ping, events = map(json.loads, blocks("json"))
    judge_of("call").validate(message)
    judge_of("call").validate(ping)
    judge_of("events").validate(events)


def test_the_page_names_every_reason_and_event() -> None:
    named = set(re.findall(r"`([a-z_.]+)`", PAGE.read_text(encoding="utf-8")))
    assert set(webhook_inbound.REASONS) | set(webhook_inbound.EVENTS) | set(webhook_inbound.CONTENTS) <= named


class Desk:
    """Where the example posts events: turns the first call down, and takes the rest."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[RawRequest] = asyncio.Queue()
        self._calls = 0

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        at = time.time_ns() // 1000
        await self.came.put(RawRequest("POST", request.path, {}, headers, await request.read(), at=at))
        self._calls += 1
        return web.Response(status=503 if self._calls == 1 else 200)


@contextlib.asynccontextmanager
async def serving(desk: Desk) -> AsyncIterator[str]:
    """The desk's address."""
    app = web.Application()
    app.router.add_post("/hooks/webhook/chn_1", desk.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/webhook/chn_1"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def example(folder: Path, typed: str = "") -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
    """The page's example as it stands there, in a process of its own: its address, and what it prints. `typed` is all it is told."""
    (code,) = blocks("python")
    file = folder / "channel.py"
    file.write_text(code, encoding="utf-8")
    environ = {**os.environ, "WEBHOOK_SECRET": NEW, "PORT": "0"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, str(file), env=environ, stdin=pipe, stdout=pipe)
    assert process.stdout is not None and process.stdin is not None
    process.stdin.write(typed.encode())
    process.stdin.close()
    try:
        ready = (await process.stdout.readline()).decode()
        yield f"http://127.0.0.1:{ready.removeprefix('ready on port ').strip()}", process.stdout
    finally:
        process.kill()
        await process.wait()


async def test_what_is_typed_into_the_example_before_it_is_told_where_to_is_not_lost(tmp_path: Path, http: AiohttpHttp) -> None:
    desk = Desk()
    async with serving(desk) as hook, example(tmp_path, "Where is my parcel?\n\nAnd when?\n") as (address, _):
        config = {"base_url": address, "webhook_secret": NEW}
        nowhere: Any = configured("webhook", {**config, "webhook_url": ""}, http, SystemClock())
        assert await nowhere.check() == Valid("webhook:echo")
        webhook: Any = configured("webhook", {**config, "webhook_url": hook}, http, SystemClock())
        assert await webhook.check() == Valid("webhook:echo")
        first, again, second = [await desk.came.get() for _ in range(3)]
        assert first.body == again.body
        told = [webhook.parse(request)[0] for request in (first, second)]
        assert [message.contents for message in told] == [(Text("Where is my parcel?"),), (Text("And when?"),)]


async def test_the_example_of_the_page_is_a_channel(tmp_path: Path, http: AiohttpHttp) -> None:
    desk = Desk()
    async with serving(desk) as hook, example(tmp_path) as (address, printed):
        config = {"base_url": address, "webhook_secret": NEW, "webhook_url": hook}
        webhook: Any = configured("webhook", config, http, SystemClock())
        assert await webhook.check() == Valid("webhook:echo")
        (part,) = webhook.render([Text("Hello 📦")])
        to, key = Address("room-7", "ada"), "dlv_0199aa.1"
        taken = await webhook.send(to, part, key)
        assert isinstance(taken, Accepted) and await webhook.send(to, part, key) == taken
        assert "Hello 📦" in (await printed.readline()).decode()
        came = [await desk.came.get() for _ in range(3)]
        assert came[0].body == came[1].body, "what was turned down came again"
        facts = []
        for request in came:
            webhook.verify(request)
            judge_of("events").validate(json.loads(request.body))
            facts += webhook.parse(request)
        assert facts[0] == facts[1]
        receipt, echo = facts[1:]
        assert isinstance(receipt, Receipt) and (receipt.key, receipt.provider_id) == (key, taken.provider_id)
        assert isinstance(echo, InboundMessage) and (echo.conversation, echo.contact) == ("room-7", "ada")
        assert echo.contents == (Text("You said: Hello 📦"),)
        stranger: Any = configured("webhook", {**config, "webhook_secret": OLD}, http, SystemClock())
        assert await stranger.check() == Invalid(Reason.BAD_CREDENTIALS, "401")
        late: Any = configured("webhook", config, http, NOON)
        assert await late.check() == Invalid(Reason.BAD_CREDENTIALS, "401")


def test_an_id_that_is_longer_than_the_schema_lets_it_be_is_none() -> None:
    def parsed(**event: Any) -> Any:
        body = {"events": [{"type": "message", "id": "e", "conversation": "c", "contents": [{"kind": "text", "text": "hi"}], **event}]}
        return webhook_inbound.parse_body(json.dumps(body).encode())[0]

    long = "x" * 256
    assert parsed(id="x" * 255).event_id == "x" * 255
    assert parsed(id=long).event_id.startswith("body:") and parsed(id=long).conversation == "c"
    assert parsed(message_id=long).message_id == "e" and parsed(contact=long).contact == ""
    assert parsed(conversation=long).why == "incomplete_message"
