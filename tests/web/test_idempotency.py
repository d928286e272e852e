"""A comment sent again under its Idempotency-Key is one comment, also when both come at once."""

import asyncio
from typing import Any

import msgspec

from heliograph.ports.store import Unavailable
from heliograph.web.policy import API
from tests.web.installation import Answer, House


def body(text: str) -> dict[str, Any]:
    return {"contents": [{"type": "text", "text": text}]}


async def send(here: House, ticket: str, text: str, key: str, *, by: str = "write") -> Answer:
    return await here.send(
        "POST", f"{API}/tickets/{ticket}/comments", msgspec.json.encode(body(text)), by=by, content_type="application/json",
        idempotency_key=key,
    )  # fmt: skip


async def written(here: House, ticket: str) -> list[str]:
    _, comments = await here.call("GET", f"{API}/tickets/{ticket}/comments")
    return [comment["contents"][0]["text"] for comment in comments["items"] if comment["author_kind"] == "agent"]


async def test_the_same_request_gets_the_same_answer(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    first = await send(here, ticket, "once", "k-1")
    again = await send(here, ticket, "once", "k-1")
    assert (first.code, first.body) == (again.code, again.body) == (201, first.body)
    assert "idempotent-replayed" in again.headers and "idempotent-replayed" not in first.headers
    assert await written(here, ticket) == ["once"]


async def test_another_request_under_the_same_key_is_409(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    assert (await send(here, ticket, "once", "k-1")).code == 201
    other = await send(here, ticket, "twice", "k-1")
    assert other.code == 409 and "Idempotency-Key" in other.json()["detail"]
    assert (await send(here, ticket, "twice", "k-2")).code == 201
    assert await written(here, ticket) == ["once", "twice"]


async def test_twenty_at_once_are_one(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    answers = await asyncio.gather(*(send(here, ticket, "once", "k-1") for _ in range(20)))
    assert {answer.code for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert await written(here, ticket) == ["once"]


async def test_different_bodies_at_once_are_one_and_the_others_are_told(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    answers = await asyncio.gather(*(send(here, ticket, f"text {n}", "k-1") for n in range(10)))
    assert sorted(answer.code for answer in answers) == [201] + [409] * 9
    assert len(await written(here, ticket)) == 1


async def test_a_refused_request_does_not_use_up_its_key(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    assert (await send(here, "tkt_000000000000000000", "once", "k-1")).code == 404
    assert (await send(here, ticket, "once", "k-1")).code == 201


async def test_keys_of_two_accounts_have_nothing_to_do_with_each_other(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    assert (await send(here, ticket, "once", "k-1")).code == 201
    assert (await send(here, ticket, "once", "k-1", by="other")).code == 404


async def test_while_the_store_cannot_write_nothing_is_called_saved(here: House, monkeypatch: Any) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    store = here.application.context.store

    async def full(changes: object) -> None:
        raise Unavailable("FullError")

    with monkeypatch.context() as patched:
        patched.setattr(store, "commit", full)
        answer = await send(here, ticket, "once", "k-1")
        assert answer.code == 503 and int(answer.headers["retry-after"]) > 0
        assert "nothing was saved" in answer.json()["detail"]
    assert await written(here, ticket) == []
    assert (await send(here, ticket, "once", "k-1")).code == 201
    assert await written(here, ticket) == ["once"]
