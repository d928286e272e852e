"""The same promises over the other engine, where what a database cannot keep would show as a fault of ours."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from heliograph.web.policy import API
from tests.web.installation import House, house
from tests.web.test_bad_input import BAD_BODIES, BAD_PATHS, BAD_QUERIES, problem
from tests.web.test_hooks import hook, message, texts
from tests.web.test_idempotency import send, written


@pytest_asyncio.fixture
async def there(tmp_path: Path, empty_database: str) -> AsyncIterator[House]:
    """A house on PostgreSQL."""
    async with house(tmp_path, database=empty_database) as made:
        yield made


async def test_the_spine(there: House) -> None:
    there.worker.start()
    await there.contact_writes("Where is my parcel?")
    ticket = (await there.ticket())["id"]
    saved = await there.write(ticket, "On its way.")

    async def state() -> Any:
        return (await there.call("GET", f"{API}/deliveries/{saved['deliveries'][0]}"))[1]["state"]

    await there.eventually(state, lambda found: found == "delivered")


async def test_bad_input(there: House) -> None:
    await there.contact_writes("hello")
    path = f"{API}/tickets/{(await there.ticket())['id']}/comments"
    for name, body in BAD_BODIES.items():
        problem(await there.send("POST", path, body, content_type="application/json"), {400, 422}, name)
    for bad in BAD_PATHS:
        problem(await there.send("GET", f"{API}/{bad}"), 404, bad)
    for bad in BAD_QUERIES:
        problem(await there.send("GET", f"{API}/{bad}"), 400, bad)
    _, comments = await there.call("GET", path)
    assert len(comments["items"]) == 1


async def test_what_a_provider_sends_is_never_a_fault(there: House) -> None:
    answer = await hook(there, message(there, "nul \x00 inside", "m\x00"), message(there, "after", "m2"))
    assert answer.code == 200
    assert (await texts(there))[-1] == "after"


async def test_repeats_at_once_are_one(there: House) -> None:
    answers = await asyncio.gather(*(hook(there, message(there, "hello", "m1")) for _ in range(10)))
    assert {answer.code for answer in answers} == {200}
    assert await texts(there) == ["hello"]
    ticket = (await there.ticket())["id"]
    sent = await asyncio.gather(*(send(there, ticket, "once", "k-1") for _ in range(10)))
    assert {answer.code for answer in sent} == {201} and len({answer.body for answer in sent}) == 1
    assert await written(there, ticket) == ["once"]
