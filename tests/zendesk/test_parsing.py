"""Whatever is sent as a form or as events is read or refused, and nothing else happens."""

import contextlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

from heliograph.desks.zendesk import calls, shapes
from heliograph.desks.zendesk.desk import ZendeskDesk
from heliograph.ports.desk import Door, Fetched, Item, Malformed, Took
from heliograph.ports.http import HttpResponse

NAMES = st.sampled_from([
    "message", "metadata", "thread_id", "parent_id", "recipient_id", "request_unique_identifier", "file_urls[]", "state", "subdomain",
    "locale", "return_url", "instance_push_id", "zendesk_access_token", "name",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from([
    "resources_created_from_external_ids", "deactivate_integration_instance", "destroy_integration_instance", "channelback", "pull_request",
    "activate_integration_instance", "nobody_knows",
])  # fmt: skip


@given(st.binary(max_size=2000))
def test_any_bytes(body: bytes) -> None:
    for read in (calls.written, calls.wanted, calls.happenings):
        with contextlib.suppress(Malformed):
            read(body)
    for loopback in (False, True):
        with contextlib.suppress(Malformed):
            calls.visit(body, loopback=loopback, pushes=loopback)


@given(st.lists(st.tuples(NAMES, st.text(max_size=200) | JSON.map(json.dumps)), max_size=12))
def test_any_form(fields: list[tuple[str, str]]) -> None:
    body = urlencode(fields, errors="replace").encode()
    written = calls.written(body)
    assert "\x00" not in written.text and all(isinstance(each, str) for each in written.files)
    calls.wanted(body)
    with contextlib.suppress(Malformed):
        came = calls.visit(body, loopback=False, pushes=True)
        assert came.base == f"https://{came.subdomain}.zendesk.com" and came.back.startswith(came.base)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=300))
def test_a_message_arrives_as_it_was_written(text: str) -> None:
    assert calls.written(urlencode({"message": text}).encode()).text == text.replace("\x00", "")


@given(st.lists(st.builds(lambda kind, data, error: {"type_id": kind, "data": data, "error": error}, KINDS | JSON, JSON, JSON), max_size=6))
def test_any_events(events: list[Any]) -> None:
    for each in calls.happenings(json.dumps({"events": events}).encode()):
        assert each is not None


@given(st.text(max_size=70_000), st.text(max_size=400), st.lists(st.text(max_size=700), max_size=15), st.booleans())
def test_what_goes_out_keeps_to_the_limits(text: str, name: str, files: list[str], internal: bool) -> None:
    made = shapes.resource(Item("cmt_1", "tkt_1", text, 1_700_000_000_000_000, "con_1", name, tuple(files), internal=internal))
    assert 1 <= len(made["message"]) <= 65_535 and made["message"].strip()
    assert 1 <= len(made["author"]["name"]) <= 255 and made["created_at"] == "2023-11-14T22:13:20.000Z"
    assert len(made.get("file_urls", [])) <= 10 and all(len(url) <= 511 for url in made.get("file_urls", []))


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps({"results": value}).encode()))
def test_any_answer_to_a_push(body: bytes) -> None:
    items = [Item(f"cmt_{n}", "tkt", "x", 0, "con", "N") for n in range(3)]
    taken = shapes.taken(items, body)
    assert taken is None or [each.id for each in taken] == ["cmt_0", "cmt_1", "cmt_2"]


def test_results_are_matched_by_their_ids() -> None:
    items = [Item(f"cmt_{n}", "tkt", "x", 0, "con", "N") for n in range(4)]
    codes = {"cmt_2": "halted", "cmt_1": "processing_error", "cmt_0": "already_imported"}
    body = json.dumps({"results": [{"external_resource_id": id, "status": {"code": code}} for id, code in codes.items()]})
    taken = shapes.taken(items, body.encode())
    assert taken is not None and [each.took for each in taken] == [Took.DONE, Took.FAILED, Took.HALTED, Took.HALTED]


class Answers:
    """`ports.Http` that has one answer."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    async def request(self, *_: object, **__: object) -> HttpResponse:
        return HttpResponse(200, self._headers, b"bytes")


@pytest.mark.parametrize("kind", ["text/\udcdc", "image/png\x01", "x" * 9000, "", "日本/語"])
async def test_a_file_s_name_and_type_can_be_kept(kind: str) -> None:
    headers = {"content-disposition": 'attachment; filename="\udcdcber.png"', "content-type": kind}
    door = Door("https://acme.zendesk.com", "i", "t")
    fetched = await ZendeskDesk(Answers(headers)).fetch(door, "https://acme.zendesk.com/a", limit=100)
    assert fetched == Fetched("�ber.png", "application/octet-stream", b"bytes")
