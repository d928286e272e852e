"""The contract of a provider, over everything in the registry, against a server that misbehaves."""

import dataclasses
import importlib
import json
import logging
import traceback
from typing import Any

import pytest

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    BadSignature,
    Deferred,
    Inconclusive,
    Invalid,
    Part,
    PollFailed,
    Support,
    Template,
    Unknown,
    Unsupported,
    Valid,
)
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import PROVIDERS
from tests.providers import misbehaving
from tests.providers.contract import BODY_CANARY, CANARY, KEY, NAME, Case, Documented
from tests.providers.misbehaving import MisbehavingServer, answer
from tests.providers.normal_form import plain
from tests.providers.under_contract import CASES, HOOKS, offline, parse

NAMES = sorted(PROVIDERS)
ERRORS = [pytest.param(name, each, id=f"{name}-{each.name}") for name in NAMES for each in CASES[name].errors]
METHODS = {
    "poll": ["poll"],
    "find": ["find"],
    "history": ["history"],
    "fetch_media": ["fetch_media"],
    "control": ["take_control", "release_control"],
    "webhook": ["verify", "parse"],
    "register_webhook": ["register_webhook"],
    "challenge": ["challenge"],
    "templates": ["templates", "fill"],
    "file_urls": [],
    "timed": ["keep_time"],
    "names": ["name_of"],
}

IMAGE = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f")
SAMPLES: dict[str, Content] = {
    "text": Text(BODY_CANARY),
    "image": IMAGE,
    "audio": dataclasses.replace(IMAGE, kind=MediaKind.AUDIO, name="a.mp3", media_type="audio/mpeg"),
    "video": dataclasses.replace(IMAGE, kind=MediaKind.VIDEO, name="a.mp4", media_type="video/mp4"),
    "file": dataclasses.replace(IMAGE, kind=MediaKind.FILE, name="a.pdf", media_type="application/pdf", caption=BODY_CANARY),
    "location": Location(1.5, 2.5),
    "rich": Rich("list", "x", {"items": [{"title": BODY_CANARY, "actions": []}]}),
}
TEMPLATE = Template("parcel", "en_US", "UTILITY", "Your parcel {{number}} waits.", ("number",))


class Impatient:
    """The real client with deadlines of a second, so that a test of silence ends soon, and yet not before the request is there."""

    def __init__(self, http: AiohttpHttp) -> None:
        self._http = http

    async def request(self, method: str, url: str, **more: Any):
        return await self._http.request(method, url, **{**more, "timeout": 1.0})


async def send(name: str, http: Any, base: str, *contents: Any):
    provider = CASES[name].build(name, http, base)
    part = provider.render(contents or [Text(BODY_CANARY)])[0]
    if part.media is not None:
        part = dataclasses.replace(part, data=b"\x89PNG", url="https://desk.example/files/f")
    return await provider.send(CASES[name].to, part, KEY)


# --- what it says about itself ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_spec_is_complete_and_true(name: str) -> None:
    provider, spec = offline(name), PROVIDERS[name].spec
    assert spec.name == name and spec.title and spec.docs.startswith("https://")
    assert len({each.name for each in spec.fields}) == len(spec.fields)
    assert all(each.label for each in spec.fields)
    assert set(CASES[name].config) | {"base_url"} <= {each.name for each in spec.fields}
    assert {each.name for each in spec.fields if each.required} <= set(CASES[name].config)
    assert set(spec.content) <= {*SAMPLES, "template"} and spec.text_limit > 0 and spec.file_limit > 0 and spec.timeout > 0
    assert spec.capabilities <= set(METHODS)
    for capability, methods in METHODS.items():
        for method in methods:
            if capability != "webhook":
                assert hasattr(provider, method) == (capability in spec.capabilities), (capability, method)
    if spec.dedupe == "lookup":
        assert "find" in spec.capabilities and spec.settle > 0
    if spec.dedupe == "key":
        assert spec.key_lifetime
    assert spec.receipts <= {"delivered", "read", "failed"}
    assert spec.setup and all(each.format(webhook_url="x").strip() for each in spec.setup)
    assert spec.rates.app is None or spec.rates.app_field in {each.name for each in spec.fields}
    assert ("templates" in spec.capabilities) == ("template" in spec.content)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", SAMPLES)
def test_every_kind_of_content_is_carried_or_refused_aloud(name: str, kind: str) -> None:
    provider = offline(name)
    if provider.spec.content.get(kind, Support.REFUSED) is Support.REFUSED:
        with pytest.raises(Unsupported):
            provider.render([SAMPLES[kind]])
        return
    parts = provider.render([SAMPLES[kind]])
    assert parts and all(isinstance(part, Part) for part in parts)
    assert json.loads(json.dumps(parts[0].payload)) == plain(parts[0].payload), "a payload must survive being stored as JSON"


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_filled_and_carried_or_refused_aloud(name: str) -> None:
    provider: Any = offline(name)
    if "templates" not in provider.spec.capabilities:
        if "rich" in provider.spec.content and provider.spec.content["rich"] is not Support.REFUSED:
            return
        with pytest.raises(Unsupported):
            provider.render([Rich("template", "x", {"name": "parcel"})])
        return
    filled = provider.fill(TEMPLATE, ["7001"])
    assert (filled.kind, filled.summary) == ("template", "Your parcel 7001 waits.")
    (part,) = provider.render([filled])
    assert part.kind == "template" and "7001" in json.dumps(part.payload)
    for values in ([], ["a", "b"], [""], ["line\nbreak"]):
        with pytest.raises(Unsupported):
            provider.fill(TEMPLATE, values)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_send_and_too_much_to_send_are_refused(name: str) -> None:
    provider = offline(name)
    huge = dataclasses.replace(IMAGE, size=provider.spec.file_limit + 1)
    for contents in ([], [Text("  \n ")], [huge], [Location(float("nan"), 0)]):
        with pytest.raises(Unsupported):
            provider.render(contents)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", ["x", "😀", "e\u0301", "👨\u200d👩\u200d👧\u200d👦", "שלום ", "word. "])
def test_text_is_split_at_the_limit_and_not_before(name: str, unit: str) -> None:
    provider = offline(name)
    limit, measure = provider.spec.text_limit, provider.spec.measure
    fitting = unit * (limit // measure(unit))
    assert len(provider.render([Text(fitting)])) == 1
    parts = provider.render([Text(fitting + unit * 3)])
    bodies = [CASES[name].text_of(part) for part in parts]
    assert len(parts) == 2 and all(measure(body) <= limit for body in bodies)
    assert "".join("".join(bodies).split()) == "".join((fitting + unit * 3).split())


@pytest.mark.parametrize("name", NAMES)
def test_a_long_caption_is_not_lost(name: str) -> None:
    provider = offline(name)
    count = 2 * provider.spec.text_limit // 5
    parts = provider.render([dataclasses.replace(IMAGE, caption="word " * count)])
    assert [part.media is None for part in parts].count(False) == 1 and len(parts) > 2
    assert sum(CASES[name].text_of(part).count("word") for part in parts) == count


# --- sending --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_an_accepted_message_is_one_request(name: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASES[name].accepted)
    assert await send(name, http, server.base_url) == Accepted(CASES[name].provider_id)
    assert len(server.seen) == 1
    assert BODY_CANARY in server.seen[0].body.decode()


@pytest.mark.parametrize("name", NAMES)
async def test_the_same_key_makes_the_same_request(name: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASES[name].accepted)
    for _ in range(2):
        await send(name, http, server.base_url)
    first, second = server.seen
    assert (first.target, first.body) == (second.target, second.body)
    if PROVIDERS[name].spec.dedupe != "none":
        wanted = CASES[name].key_on_wire
        assert wanted in first.target + str(first.headers) + first.body.decode(), "a look-up needs our id on the provider's side"


@pytest.mark.parametrize(("name", "documented"), ERRORS)
async def test_every_documented_error_has_its_reason(
    name: str, documented: Documented, http: AiohttpHttp, server: MisbehavingServer
) -> None:
    server.behave(documented.behaviour)
    result = await send(name, http, server.base_url)
    assert isinstance(result, documented.outcome), result
    assert not isinstance(result, Accepted) and result.reason is documented.reason
    assert result.code and BODY_CANARY not in result.code
    if isinstance(result, Deferred):
        assert (result.after, result.readdress, result.lane) == (documented.after, documented.readdress, documented.lane)
    assert len(server.seen) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_the_error_table_is_among_the_documented(name: str) -> None:
    """Each row of CODES decides at least one documented error: take it away, and a test above fails."""
    rows = importlib.import_module(CASES[name].codes or f"heliograph.providers.{name}").CODES
    reasons = set(rows.values()) if isinstance(rows, dict) else {row[-1] for row in rows}
    assert reasons <= {each.reason for each in CASES[name].errors}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [500, 502, 503, 504, 520])
async def test_a_server_error_is_ambiguous(name: str, number: int, http: AiohttpHttp, server: MisbehavingServer) -> None:
    for body in (b"", b"<html>", b'{"errors":[{"code":"unauthorized"}],"ok":false}'):
        server.behave(answer(number, body, {"Retry-After": "5"}))
        result = await send(name, http, server.base_url)
        assert isinstance(result, Unknown) and result.reason is Reason.PROVIDER_DOWN


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "behaviour",
    [
        *(misbehaving.close, misbehaving.reset, misbehaving.truncated, misbehaving.not_http, misbehaving.hang),
        *(answer(200, each) for each in (b"", b"null", b"[]", b"<html>ok</html>", b"\xff\xfe", b'{"ok":1,"messages":{}}', b"{}", b"7")),
        *(answer(200, b"[" * 60_000), answer(200, b"x" * 1_100_000)),
    ],
)
async def test_no_usable_answer_is_unknown(name: str, behaviour: Any, http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(behaviour)
    result = await send(name, Impatient(http), server.base_url)
    assert isinstance(result, Unknown) and result.reason is Reason.NO_ANSWER, result
    assert len(server.seen) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_a_lost_reused_connection_is_unknown_and_one_request(name: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASES[name].accepted, misbehaving.close)
    await send(name, http, server.base_url)
    assert isinstance(await send(name, http, server.base_url), Unknown)
    assert len(server.seen) == 2


@pytest.mark.parametrize("name", NAMES)
async def test_what_never_left_is_deferred(name: str, http: AiohttpHttp) -> None:
    refused = await send(name, http, misbehaving.refused_url())
    assert isinstance(refused, Deferred) and refused.reason is Reason.PROVIDER_DOWN
    unknown = await send(name, http, "http://no-such-host.invalid")
    assert isinstance(unknown, Deferred) and unknown.reason is Reason.NETWORK


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_without_its_bytes_is_a_bug_that_shows(name: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    provider = CASES[name].build(name, http, server.base_url)
    with pytest.raises(ValueError, match=r"needs its (bytes|address)"):
        await provider.send(CASES[name].to, provider.render([IMAGE])[0], KEY)


# --- credentials ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_check_names_whose_credentials_they_are(name: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(CASES[name].valid)
    assert await CASES[name].build(name, http, server.base_url).check() == Valid(CASES[name].identity)
    assert len(server.seen) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_refused_credentials_are_invalid_for_check_too(name: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    for documented in CASES[name].errors:
        if documented.reason is Reason.BAD_CREDENTIALS:
            server.behave(documented.behaviour)
            result = await CASES[name].build(name, http, server.base_url).check()
            assert isinstance(result, Invalid) and result.reason is Reason.BAD_CREDENTIALS, documented.name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "behaviour",
    [
        *(answer(500), answer(503, b"{}"), answer(429, b"", {"Retry-After": "1"}), answer(200, b""), answer(200, b"[]"), answer(302)),
        *(misbehaving.close, misbehaving.truncated, misbehaving.hang),
    ],
)
async def test_silence_and_trouble_say_nothing_about_credentials(
    name: str, behaviour: Any, http: AiohttpHttp, server: MisbehavingServer
) -> None:
    server.behave(behaviour)
    result = await CASES[name].build(name, Impatient(http), server.base_url).check()
    assert isinstance(result, Inconclusive), result


@pytest.mark.parametrize("name", NAMES)
async def test_an_unreachable_provider_says_nothing_about_credentials(name: str, http: AiohttpHttp) -> None:
    assert isinstance(await CASES[name].build(name, http, misbehaving.refused_url()).check(), Inconclusive)


# --- names ------------------------------------------------------------------------------------------


NAMED = [name for name in NAMES if "names" in PROVIDERS[name].spec.capabilities]
CONTACT = "U4af4980629"


def test_who_is_asked_for_names_brings_an_answer_to_test() -> None:
    assert [name for name in NAMES if CASES[name].named is not None] == NAMED != []


@pytest.mark.parametrize("name", NAMED)
async def test_a_contact_s_name_is_asked_for_by_one_request_and_said_nowhere(
    name: str, http: AiohttpHttp, server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    behaviour = CASES[name].named
    assert behaviour is not None
    server.behave(behaviour)
    provider: Any = CASES[name].build(name, http, server.base_url)
    assert await provider.name_of(CONTACT) == NAME
    (seen,) = server.seen
    assert CONTACT in seen.target + seen.body.decode()
    assert not any(word in text for word in NAME.split() for text in (repr(provider), str(vars(provider)), caplog.text))


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(
    "behaviour",
    [
        *(answer(number) for number in (302, 400, 401, 403, 404, 429, 500, 503)),
        *(answer(200, each) for each in (b"", b"[]", b"null", b"<html>")),
        *(misbehaving.close, misbehaving.truncated, misbehaving.hang),
    ],
)
async def test_a_name_that_is_not_told_is_a_failure(name: str, behaviour: Any, http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(behaviour)
    provider: Any = CASES[name].build(name, Impatient(http), server.base_url)
    with pytest.raises(PollFailed):
        await provider.name_of(CONTACT)
    assert len(server.seen) == 1


@pytest.mark.parametrize("name", NAMED)
async def test_refused_credentials_are_said_where_a_name_is_asked_for(name: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    for documented in CASES[name].errors:
        if documented.reason is Reason.BAD_CREDENTIALS:
            server.behave(documented.behaviour)
            provider: Any = CASES[name].build(name, http, server.base_url)
            with pytest.raises(PollFailed) as failed:
                await provider.name_of(CONTACT)
            assert isinstance(failed.value.result, Invalid) and CONTACT not in str(failed.value), documented.name


# --- secrets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_no_secret_and_no_text_comes_out(
    name: str, http: AiohttpHttp, server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = CASES[name].build(name, http, server.base_url)
    shown = [repr(provider), str(provider), repr(PROVIDERS[name].spec)]
    for kind, support in provider.spec.content.items():
        if support is not Support.REFUSED and kind in SAMPLES:
            shown += [repr(part) for part in provider.render([SAMPLES[kind]]) if part.media is None]
    behaviours = [CASES[name].accepted, *(each.behaviour for each in CASES[name].errors), misbehaving.close, misbehaving.truncated]
    for behaviour in behaviours:
        server.behave(behaviour)
        shown += [repr(await send(name, http, server.base_url)), repr(await provider.check())]
    shown += [repr(await send(name, http, misbehaving.refused_url()))]
    try:
        provider.verify(CASES[name].signed(BODY_CANARY.encode(), f"{CANARY}-guess"))
    except BadSignature as error:
        shown += ["".join(traceback.format_exception(error)).replace("signed(BODY_CANARY", ""), repr(error)]
    request = CASES[name].signed(BODY_CANARY.encode(), f"{CANARY}-old")
    shown += [repr(request), *(repr(fact) for fact in provider.parse(request)), caplog.text]
    for path in [path for each, path in HOOKS if each == name]:
        body = path.read_text(encoding="utf-8").replace("parcel", BODY_CANARY)
        shown += [repr(fact) for fact in parse(name, CASES[name].encode(json.loads(body)["body"]))]
    leaks = [each for each in shown if CANARY in each or BODY_CANARY in each]
    assert leaks == []


def test_a_case_is_needed_for_every_registered_provider() -> None:
    assert set(CASES) == set(PROVIDERS) and all(isinstance(each, Case) for each in CASES.values())
