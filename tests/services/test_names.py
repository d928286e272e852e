"""Contacts of services that bring no names get theirs: asked for beside the way in, through trouble, for a day."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.wire import Request
from heliograph.services import configure, names
from heliograph.services.follow_up import LONGEST
from heliograph.services.names import GIVEN_UP, KIND
from tests.services.test_quarantine import Later
from tests.web.installation import House, house

NAME = "Grace Hopper"


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def here(tmp_path: Path, request: pytest.FixtureRequest, empty_database: str) -> AsyncIterator[House]:
    """A house on each engine."""
    async with house(tmp_path, database=empty_database if request.param == "postgres" else "") as made:
        yield made


async def begun(here: House, service: str = "messenger") -> tuple[Account, Callable[[], Any]]:
    """A contact of that service writes for the first time; what comes back reads the ticket as it is listed."""
    context, sandbox = here.application.context, here.sandbox
    channel = f"chn_{service}"
    config = sandbox.sandbox.seed_direct(service, contact=NAME, webhook_url=f"{here.url}/hooks/{service}/{channel}")
    config |= {"base_url": sandbox.urls[service]}
    spec = here.application.specs[service]
    await configure.create_channel(context, "acc_one", spec, name=service, config=config, actor="operator", id=channel)
    (account,) = sandbox.sandbox.direct[service].accounts.values()
    writes(here, service, next(iter(account.conversations)))

    async def listed() -> Any:
        found = await context.store.tickets("acc_one", state="open", before=None, limit=10)
        return next((each for each in found if each.channel == channel), None)

    await here.eventually(listed, lambda ticket: ticket is not None)
    return account, listed


def writes(here: House, service: str, place: str) -> None:
    here.sandbox.sandbox.direct[service].acts["text"](place, {"text": "Hello"}, Request("POST", "/"))


async def waiting(here: House) -> int:
    return len(await here.application.context.store.documents_of_all(KIND))


@pytest.mark.parametrize("service", ["messenger", "instagram", "line", "slack"])
async def test_a_contact_gets_a_name_and_open_pages_hear_of_it(here: House, service: str) -> None:
    _, ticket = await begun(here, service)
    before = await ticket()
    assert before.contact_name == "" and await waiting(here) == 1
    with here.application.live.subscribe("acc_one") as changed:
        here.application.context.store.on_committed = here.application.live.noticed
        await names.NAMES.step(here.application.context)
        assert changed.get_nowait() == f"ticket:{before.id}"
    after = await ticket()
    assert (after.contact_name, after.updated_at) == (NAME, before.updated_at)
    assert await waiting(here) == 0
    assert not any(word in str(here.observed) for word in NAME.split())


async def test_who_brings_a_name_is_not_asked_for(here: House) -> None:
    await here.contact_writes("Hello")
    await here.ticket()
    assert await waiting(here) == 0


async def test_it_is_asked_again_until_there_is_an_answer(here: House) -> None:
    _, ticket = await begun(here)
    context = here.application.context
    here.sandbox.sandbox.faults.set(Fault("messenger", Mode.ERROR_NOT_TAKEN))
    await names.NAMES.step(context)
    here.sandbox.sandbox.faults.clear(service="messenger")
    await names.NAMES.step(context)
    assert (await ticket()).contact_name == "" and await waiting(here) == 1, "not before its time"
    context.clock = Later(context.clock, LONGEST)
    await names.NAMES.step(context)
    assert (await ticket()).contact_name == NAME and await waiting(here) == 0


async def test_after_a_day_nobody_asks_and_nobody_is_told(here: House) -> None:
    _, ticket = await begun(here)
    context = here.application.context
    here.sandbox.sandbox.faults.set(Fault("messenger", Mode.REVOKED))
    context.clock = Later(context.clock, GIVEN_UP + 1)
    listed = await ticket()
    told = await context.store.events("acc_one", stream="ticket", stream_id=listed.id, after=0, limit=100)
    await names.NAMES.step(context)
    assert await waiting(here) == 0 and (await ticket()).contact_name == ""
    assert await context.store.events("acc_one", stream="ticket", stream_id=listed.id, after=0, limit=100) == told
    assert await context.store.healths("acc_one") == []


async def test_a_name_that_a_person_gave_meanwhile_stays(here: House) -> None:
    _, ticket = await begun(here)
    context = here.application.context
    listed = await ticket()
    await context.store.commit(Changes("acc_one", context.clock.now(), puts=[rows.Contact("acc_one", listed.contact, "G. H.", 1)]))
    await names.NAMES.step(context)
    assert (await ticket()).contact_name == "G. H." and await waiting(here) == 0


async def test_who_is_not_that_contact_any_more_is_neither_asked_for_nor_named(here: House) -> None:
    account, ticket = await begun(here)
    context = here.application.context
    (document,) = await context.store.documents_of_all(KIND)
    (handle,) = account.conversations
    gone = document.data.replace(handle, "forgotten")
    await context.store.commit(Changes("acc_one", 1, puts=[document._replace(version=document.version + 1, data=gone)]))
    # Whoever asks would be answered.
    account.conversations["forgotten"] = account.conversations[handle]
    await names.NAMES.step(context)
    assert (await ticket()).contact_name == "" and await waiting(here) == 0


async def test_a_provider_that_fails_keeps_another_one_s_contact_waiting_for_a_round_at_most(here: House) -> None:
    _, messenger = await begun(here)
    here.sandbox.sandbox.faults.set(Fault("messenger", Mode.ERROR_NOT_TAKEN))
    _, line = await begun(here, "line")
    context = here.application.context
    for _ in range(2):
        await names.NAMES.step(context)
    assert (await messenger()).contact_name == "" and (await line()).contact_name == NAME
