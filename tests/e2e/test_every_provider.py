"""Every provider in use, on both stores: what is written arrives once and in order, whatever happens to keys, answers and webhooks."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from heliograph.domain.content import Media, MediaKind, Text
from heliograph.domain.delivery import TAKEN, State
from heliograph.domain.outcomes import DedupeClass
from heliograph.providers.registry import PROVIDERS
from heliograph.sandbox.direct import DIRECT
from heliograph.sandbox.faults import REFUSE_LATER, Fault, Mode
from heliograph.sandbox.wire import Request, Upload
from heliograph.services import decisions, holds, inbound_files
from heliograph.services.files import upload
from heliograph.services.parts import load_contents
from tests.databases import fresh_database
from tests.demonstration import Demonstration, demonstration
from tests.sandbox.house import House

pytestmark = pytest.mark.timeout(300)
in_use = pytest.mark.asyncio(loop_scope="module")
NAMES = [service.name for service in DIRECT]
PNG = b"\x89PNG\r\n\x1a\n a picture"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgres"])
async def made(request: pytest.FixtureRequest) -> AsyncIterator[Demonstration]:
    """One installation with a channel of each kind, on each engine."""
    if request.param == "sqlite":
        async with demonstration() as made:
            yield made
        return
    async with (
        fresh_database(request.getfixturevalue("postgres_server"), "template1") as database,
        demonstration(database=database) as made,
    ):
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def house(made: Demonstration, name: str) -> AsyncIterator[House]:
    """A contact who has just begun at that service."""
    service = made.demo.sandbox.sandbox.direct[name]
    (account,) = service.accounts.values()
    house = House(made, service, next(iter(account.conversations)))
    await house.begins()
    yield house
    made.demo.sandbox.sandbox.faults.clear(service=name)


def test_no_provider_is_left_out() -> None:
    assert {*NAMES, "sunshine", "telegram"} == set(PROVIDERS)


@in_use
@pytest.mark.parametrize("name", [name for name in NAMES if "challenge" in PROVIDERS[name].spec.capabilities])
async def test_our_address_is_known_as_ours(house: House, name: str) -> None:
    sandbox = house.made.demo.sandbox.sandbox

    async def answered() -> bool:
        asked = [call["code"] for call in sandbox.errands.log if (call["service"], call["kind"]) == (name, "challenge")]
        asked += [call["code"] for call in sandbox.outbox.log if call["service"] == name and call["kinds"] == ["url_verification"]]
        return 200 in asked

    await house.until(answered)
    (account,) = house.service.accounts.values()
    assert account.target is not None and account.target.url.startswith(house.made.url)


@in_use
@pytest.mark.parametrize("name", NAMES)
async def test_replies_wait_for_the_key_and_go_in_order(house: House, name: str) -> None:
    before = house.seen()
    fault = house.made.demo.sandbox.sandbox.faults.set(Fault(name, Mode.REVOKED))
    for number in range(3):
        await house.write(Text(f"While the key is revoked, {number}"))

    async def held() -> bool:
        # Perhaps before the first attempt: a probe may have found the key dead.
        waiting = (await house.deliveries())[-3:]
        connected = await house.context.channels.get(house.account, waiting[0].channel)
        assert connected is not None
        return await holds.held(house.context.store, connected) and all(each.state is State.QUEUED for each in waiting)

    await house.until(held)
    assert house.seen() == before
    house.made.demo.sandbox.sandbox.faults.clear(id=fault.id)
    await house.all_taken()
    assert house.seen() == [*before, *(f"While the key is revoked, {number}" for number in range(3))]


@in_use
@pytest.mark.parametrize("name", NAMES)
async def test_a_lost_answer_doubles_nothing_and_loses_nothing(house: House, name: str) -> None:
    before = len(house.seen())
    house.fault(Mode.ANSWER_LOST, count=1)
    await house.write(Text("Answered into the void"))
    await house.write(Text("Right after it"))

    async def settled() -> bool:
        return all(each.state in TAKEN or each.state is State.ASKING for each in (await house.deliveries())[-2:][:1])

    await house.until(settled)
    first = (await house.deliveries())[-2]
    if first.state is State.ASKING:
        assert PROVIDERS[name].spec.dedupe in (DedupeClass.ECHO, DedupeClass.NONE), "where it can be found out, nobody is asked"
        await decisions.decide_on(house.context, house.account, first.id, "mark_sent", actor=house.made.demo.agent)
    await house.all_taken()
    assert house.seen()[before:] == ["Answered into the void", "Right after it"]
    counts = house.made.demo.sandbox.sandbox.tally.counts_of(name, house.conversation)
    assert (counts.lost, counts.doubled, counts.overtaken) == (0, 0, 0)


@in_use
@pytest.mark.parametrize("name", NAMES)
async def test_files_go_both_ways(house: House, name: str) -> None:
    row = await upload(house.context, house.account, name="a.png", media_type="image/png", data=PNG, actor=house.made.demo.agent)
    await house.write(Media(MediaKind.IMAGE, row.name, row.media_type, row.size, file=row.key))
    await house.all_taken()
    sent = Request("POST", "/", files=(Upload("file", "b.png", "image/png", PNG),))
    house.service.acts["file"](house.conversation, {}, sent)

    async def copied() -> bool:
        for comment in await house.context.store.comments(house.account, house.ticket):
            for index, content in enumerate(load_contents(comment.body)):
                if comment.author_kind == "contact" and isinstance(content, Media):
                    key = inbound_files.key_of(comment.id, index)
                    try:
                        return await house.context.files.get(key) == PNG
                    except KeyError:
                        return False
        return False

    async with asyncio.timeout(60):
        while not await copied():
            await asyncio.sleep(0.05)


@in_use
@pytest.mark.parametrize("name", [name for name in NAMES if name in REFUSE_LATER])
async def test_what_is_refused_later_is_said(house: House, name: str) -> None:
    """The last here: what was refused stays in the conversation."""
    before = house.seen()
    house.fault(Mode.RECEIPT_FAILURE, count=1)
    await house.write(Text("Taken at first"))

    async def refused() -> bool:
        return (await house.deliveries())[-1].state is State.FAILED

    await house.until(refused)
    assert house.seen() == before
