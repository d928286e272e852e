"""The contract of a provider, for what comes in: signatures, recorded hooks, and anything else that may be sent."""

import dataclasses
import hmac
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings, strategies as st

from heliograph.domain.content import Text
from heliograph.ports.provider import BadSignature, Ignored, Inbound, InboundMessage, RawRequest
from heliograph.providers.registry import PROVIDERS
from tests.providers.contract import CANARY
from tests.providers.normal_form import plain
from tests.providers.under_contract import CASES, HOOKS, offline, parse

NAMES = sorted(PROVIDERS)


# --- signatures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_both_secrets_are_good_while_one_is_changed(name: str) -> None:
    for secret in CASES[name].webhook_secrets:
        offline(name).verify(CASES[name].signed(b"{}", secret))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "secret", ["", " ", "x", f"{CANARY}-ol", f"{CANARY}-old ", f"{CANARY}-old {CANARY}-new", f"{CANARY}-olD", "\udcff", "ü"]
)
def test_anything_else_is_a_bad_signature(name: str, secret: str) -> None:
    with pytest.raises(BadSignature):
        offline(name).verify(CASES[name].signed(b"{}", secret))


@pytest.mark.parametrize("name", NAMES)
def test_without_a_secret_nothing_is_good(name: str) -> None:
    unsigned = {key: value for key, value in CASES[name].config.items() if key != "webhook_secret"}
    provider = PROVIDERS[name](unsigned, None)
    for request in (CASES[name].signed(b"{}", ""), RawRequest("POST", "/", {}, {}, b"{}")):
        with pytest.raises(BadSignature):
            provider.verify(request)


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_compared_in_constant_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every secret, or what it makes of the call, is compared by compare_digest, whichever matches."""
    compared = []
    real = hmac.compare_digest

    def compare(given: bytes, wanted: bytes) -> bool:
        compared.append(wanted)
        return bool(real(given, wanted))

    request = CASES[name].signed(b"{}", CASES[name].webhook_secrets[0])
    monkeypatch.setattr(hmac, "compare_digest", compare)
    offline(name).verify(request)
    assert len(set(compared)) == len(CASES[name].webhook_secrets) * CASES[name].proofs


# --- what comes in --------------------------------------------------------------------------------------


def test_every_provider_has_recorded_hooks() -> None:
    assert {name for name, _ in HOOKS} == set(NAMES)
    assert all(sum(each == name for each, _ in HOOKS) >= 10 for name in NAMES)


@pytest.mark.parametrize(("name", "path"), [pytest.param(name, path, id=f"{name}-{path.stem}") for name, path in HOOKS])
def test_a_recorded_hook_reads_as_expected(name: str, path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    provider = PROVIDERS[name]({**CASES[name].config}, None)
    body, query = CASES[name].encode(recorded["body"]), recorded.get("query", {})
    facts = provider.parse(dataclasses.replace(CASES[name].signed(body, CASES[name].webhook_secrets[0]), query=query))
    assert plain(facts) == recorded["expected"]
    assert provider.parse(dataclasses.replace(CASES[name].signed(body, ""), query=query)) == facts, (
        "the same call twice is the same facts, with the same ids"
    )
    assert all(isinstance(fact, get_args(Inbound)) and fact.event_id for fact in facts)
    assert "https://" in recorded["about"]


@pytest.mark.parametrize(("name", "path"), [pytest.param(name, path, id=f"{name}-{path.stem}") for name, path in HOOKS])
def test_the_official_model_takes_our_fixtures_for_real(name: str, path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))["body"]
    if path.stem in CASES[name].unjudged:
        with pytest.raises(Exception):  # noqa: B017 - that it is refused is the point
            CASES[name].judge(body)
    else:
        CASES[name].judge(body)


@pytest.mark.parametrize("name", NAMES)
def test_event_ids_differ_between_recorded_hooks(name: str) -> None:
    ids: list[str] = []
    for each, path in HOOKS:
        if each == name and not path.stem.startswith("several"):
            ids += [fact["event_id"] for fact in json.loads(path.read_text(encoding="utf-8"))["expected"]]
    assert len(ids) == len(set(ids))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value where something else could stand."""
    found = [prefix]
    if isinstance(value, dict):
        return found + [place for key in value for place in places(value[key], (*prefix, key))]
    if isinstance(value, list):
        return found + [place for index, each in enumerate(value) for place in places(each, (*prefix, index))]
    return found


def planted(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    """The value with `other` at `place`; DROP removes what was there."""
    if not place:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = planted(value[place[0]], place[1:], other)
    return copy


BODIES = {name: [json.loads(path.read_text(encoding="utf-8"))["body"] for each, path in HOOKS if each == name] for name in NAMES}
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 10**30, 1e308, "", "x" * 300, "\x00", "a\x00b", [], [[]], {}, {"id": {}}, [None], "٣", "\u202e"]
)


def assert_total(name: str, body: bytes) -> None:
    facts = parse(name, body)
    assert facts and all(isinstance(fact, get_args(Inbound)) for fact in facts)
    for fact in facts:
        stored = json.dumps(plain(fact), ensure_ascii=False, allow_nan=False)
        assert stored.encode("utf-8") and "\\u0000" not in stored, "a fact must be storable"
        assert fact.event_id and (not isinstance(fact, Ignored) or len(fact.why) <= 64)
        if isinstance(fact, InboundMessage):
            assert fact.conversation and fact.message_id and (fact.contents or fact.not_carried)
    assert facts == parse(name, body)


@pytest.mark.parametrize("name", NAMES)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_parse_is_total_on_anything(name: str, body: bytes) -> None:
    assert_total(name, body)


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
@settings(max_examples=600)
def test_parse_is_total_on_hooks_with_something_wrong(name: str, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(BODIES[name]))
    for _ in range(data.draw(st.integers(1, 3))):
        body = planted(body, data.draw(st.sampled_from(places(body))), data.draw(ODD | JSON))
    assert_total(name, CASES[name].encode(body))


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
def test_parse_is_total_on_hooks_with_broken_bytes(name: str, data: st.DataObject) -> None:
    raw = bytearray(CASES[name].encode(data.draw(st.sampled_from(BODIES[name]))))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert_total(name, bytes(raw[: data.draw(st.integers(1, len(raw)))]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "body", [b"", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'"\\ud800"', b"\xff\xfe\x00", b"NaN", b'{"update_id":1e999}']
)
def test_parse_is_total_on_hostile_bodies(name: str, body: bytes) -> None:
    assert_total(name, body)


@pytest.mark.parametrize(("name", "broken"), [(name, broken) for name in NAMES for broken in CASES[name].broken])
def test_one_broken_character_does_not_lose_the_message(name: str, broken: bytes) -> None:
    path = next(path for each, path in HOOKS if each == name and path.stem in ("text", "message_text"))
    body = CASES[name].encode(json.loads(path.read_text(encoding="utf-8"))["body"]).replace(b"parcel", b"par" + broken + b"cel")
    assert_total(name, body)
    (fact,) = [each for each in parse(name, body) if not isinstance(each, Ignored)]
    assert isinstance(fact, InboundMessage) and isinstance(fact.contents[0], Text)
    assert fact.contents[0].body.startswith("Where is my par\ufffdcel?")
