"""Whatever is sent, the answer is a clear 4xx with a reason, and nothing is lost or half saved."""

from typing import Any

import pytest

from heliograph.web.policy import API
from tests.web.installation import Answer, House

MEGABYTE = 1_048_576
TEXT = {"contents": [{"type": "text", "text": "x"}]}


async def ticket(here: House) -> str:
    await here.contact_writes("hello")
    return str((await here.ticket())["id"])


def problem(answer: Answer, code: int | set[int], about: str = "") -> dict[str, Any]:
    """The problem, which must be one and must say something."""
    assert answer.code in ({code} if isinstance(code, int) else code), (about[:80], answer.code, answer.body[:300])
    assert answer.headers["content-type"].startswith("application/problem+json")
    found = dict(answer.json())
    assert found["status"] == answer.code and found["title"] and len(found["detail"]) > 10
    return found


BAD_BODIES = {
    "empty": b"",
    "malformed": b'{"contents": [',
    "not an object": b"[1, 2]",
    "a number": b"1",
    "null": b"null",
    "not UTF-8": b'{"contents": [{"type": "text", "text": "\xff\xfe"}]}',
    "lone surrogate": b'{"contents": [{"type": "text", "text": "\\ud800"}]}',
    "NUL": b'{"contents": [{"type": "text", "text": "a\\u0000b"}]}',
    "NUL in a name": b'{"contents": [{"type": "rich", "kind": "k", "summary": "s", "content": {"a\\u0000": 1}}]}',
    "nested too deeply for a parser": b"[" * 200_000 + b"]" * 200_000,
    "nested too deeply": b'{"contents": [{"type": "rich", "kind": "k", "summary": "s", "content": {"a": ' + b"[" * 60 + b"]" * 60 + b"}}]}",
    "a huge integer": b'{"contents": [{"type": "rich", "kind": "k", "summary": "s", "content": {"a": ' + b"9" * 30 + b"}}]}",
    "an enormous integer": b'{"contents": [{"type": "rich", "kind": "k", "summary": "s", "content": {"a": ' + b"9" * 9_000 + b"}}]}",
    "a number beyond floats": b'{"contents": [{"type": "location", "latitude": 1e400, "longitude": 0}]}',
    "NaN": b'{"contents": [{"type": "location", "latitude": NaN, "longitude": 0}]}',
    "no such latitude": b'{"contents": [{"type": "location", "latitude": 91, "longitude": 0}]}',
    "wrong type": b'{"contents": "x"}',
    "text that is a number": b'{"contents": [{"type": "text", "text": 5}]}',
    "empty text": b'{"contents": [{"type": "text", "text": ""}]}',
    "unknown kind": b'{"contents": [{"type": "hologram", "text": "x"}]}',
    "unknown field": b'{"contents": [{"type": "text", "text": "x"}], "account": "acc_two"}',
    "no contents": b'{"contents": []}',
    "public is a word": b'{"contents": [{"type": "text", "text": "x"}], "public": "yes"}',
    "unknown file": b'{"contents": [{"type": "file", "file": "fil_000000000000000000"}]}',
    "file id with tricks": b'{"contents": [{"type": "file", "file": "../../etc/passwd"}]}',
}


async def test_a_bad_body_of_a_comment_is_explained(here: House) -> None:
    path = f"{API}/tickets/{await ticket(here)}/comments"
    for name, body in BAD_BODIES.items():
        problem(await here.send("POST", path, body, content_type="application/json"), {400, 422}, name)
    _, comments = await here.call("GET", path)
    assert [comment["author_kind"] for comment in comments["items"]] == ["contact"]


async def test_a_wrong_field_is_named(here: House) -> None:
    path = f"{API}/tickets/{await ticket(here)}/comments"
    body = b'{"contents": [{"type": "text", "text": "x"}, {"type": "location", "latitude": "north", "longitude": 0}]}'
    found = problem(await here.send("POST", path, body, content_type="application/json"), 400)
    assert "contents[1].latitude" in repr(found["errors"])
    body = b'{"contents": [{"type": "text", "text": "a\\u0000b"}]}'
    found = problem(await here.send("POST", path, body, content_type="application/json"), 400)
    assert found["errors"][0]["field"] == "contents[0].text"


async def test_what_is_not_json_is_415(here: House) -> None:
    path = f"{API}/tickets/{await ticket(here)}/comments"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json-seq", "nonsense"):
        problem(await here.send("POST", path, b'{"contents": [{"type": "text", "text": "x"}]}', content_type=kind), 415)


async def test_ten_megabytes_are_413(here: House) -> None:
    path = f"{API}/tickets/{await ticket(here)}/comments"
    body = b'{"contents": [{"type": "text", "text": "' + b"x" * 10 * MEGABYTE + b'"}]}'
    found = problem(await here.send("POST", path, body, content_type="application/json"), 413)
    assert "1 MB" in found["detail"]
    assert (await here.call("POST", path, TEXT))[0] == 201


async def test_a_file_beyond_the_limit_is_413_and_leaves_nothing(here: House) -> None:
    problem(await here.send("POST", f"{API}/files?name=big.bin", b"x" * (50 * MEGABYTE + 1), content_type="application/octet-stream"), 413)
    problem(await here.send("POST", f"{API}/files?name=none.bin", b"", content_type="application/octet-stream"), 422)
    problem(await here.send("POST", f"{API}/files", b"x", content_type="text/plain"), 400)
    problem(await here.send("POST", f"{API}/files?name=a%00b", b"x", content_type="text/plain"), 400)
    problem(await here.send("POST", f"{API}/files?name=a", b"x", content_type="no type"), 400)
    assert not [path for path in here.application.config.data.joinpath("files").rglob("*") if path.is_file()]


BAD_PATHS = [
    "tickets/tkt_000000000000000000", "tickets/%00", "tickets/%ff%fe", "tickets/..%2f..%2fetc", "tickets/" + "9" * 5_000,
    "tickets/%F0%9F%98%80", "tickets/x/comments", "tickets/x/events", "deliveries/x", "channels/x", "files/x", "files/x/content", "nothing",
    "tickets/'%20OR%201=1",
]  # fmt: skip


async def test_an_id_that_does_not_exist_is_404(here: House) -> None:
    for path in BAD_PATHS:
        problem(await here.send("GET", f"{API}/{path}"), 404, path)


BAD_QUERIES = [
    "tickets?state=nope", "tickets?limit=0", "tickets?limit=101", "tickets?limit=-1", "tickets?limit=x", "tickets?limit=" + "9" * 5_000,
    "tickets?limit=1e3", "tickets?cursor=x", "tickets?cursor=", "tickets?cursor=%00", "tickets?cursor=" + "A" * 400,
    "tickets?cursor=" + "A" * 401,
    "tickets?cursor=%F0%9F%98%80", "events?cursor=WyJzIiwtMV0", "events?cursor=WyJzIiwxZTMwXQ", "deliveries", "deliveries?state=held",
    "deliveries?state=queued&channel=%00", "deliveries?state=queued&cursor=WyJzIiwxXQ", "tickets?cursor=WyJzIiwxXQ",
    "events?cursor=WyJzIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTld",
]  # fmt: skip


async def test_a_bad_query_is_400(here: House) -> None:
    for query in BAD_QUERIES:
        assert problem(await here.send("GET", f"{API}/{query}"), 400, query)["errors"], query


async def test_a_bad_idempotency_key_is_400(here: House) -> None:
    path = f"{API}/tickets/{await ticket(here)}/comments"
    body = b'{"contents": [{"type": "text", "text": "x"}]}'
    for key in ("", " ", "a b", "ü", "x" * 201):
        problem(await here.send("POST", path, body, content_type="application/json", idempotency_key=key), 400, key)


async def test_a_method_that_is_not_there_is_405_and_says_which_are(here: House) -> None:
    answer = await here.send("PUT", f"{API}/tickets")
    problem(answer, 405)
    assert "GET" in answer.headers["allow"]


async def test_a_bug_says_nothing_of_what_was_sent(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(account: str) -> None:
        raise ValueError("canary-7741")

    monkeypatch.setattr(here.application.context.store, "agents", broken)
    answer = await here.send("GET", f"{API}/agents")
    problem(answer, 500)
    assert b"canary" not in answer.body
    assert ("web_bug", {"error": "ValueError", "route": f"{API}/agents"}) in here.observed


async def test_a_decision_that_does_not_fit_is_409(here: House) -> None:
    saved = await here.write(await ticket(here), "wait")
    delivery = f"{API}/deliveries/{saved['deliveries'][0]}"
    found = problem(await here.send("POST", f"{delivery}/resend"), 409)
    assert "queued" in found["detail"]
    assert (await here.call("POST", f"{delivery}/decide", {"decision": "cancel"}))[1]["state"] == "cancelled"
    problem(await here.send("POST", f"{delivery}/mark_sent"), 409)
    assert (await here.call("POST", f"{delivery}/resend"))[1]["state"] == "queued"
    problem(await here.send("POST", f"{delivery}/decide", b'{"decision": "burn"}', content_type="application/json"), 400)


async def test_a_refused_field_is_named_as_its_sender_knows_it(here: House) -> None:
    code, problem = await here.call("GET", "/api/v1/tickets?state=nope")
    assert code == 400
    assert [error["field"] for error in problem["errors"]] == ["state"]
    code, problem = await here.call("POST", "/api/v1/tickets/tkt_x/comments", {"text": "x"})
    assert code == 400
    assert [error["field"] for error in problem["errors"]] == ["body"]
