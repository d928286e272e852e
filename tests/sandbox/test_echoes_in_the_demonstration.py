"""An echo of our own reply that brings no id of ours is no message of somebody else."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from heliograph.domain.content import Text
from heliograph.domain.delivery import State
from heliograph.ports import rows
from heliograph.ports.provider import Author, InboundMessage
from heliograph.ports.store import Unavailable
from heliograph.sandbox.faults import Mode
from heliograph.services.ingest import ingest
from tests.sandbox.house import House, house_at

pytestmark = pytest.mark.timeout(120)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with house_at("instagram") as house:
        yield house


async def echo(house: House, message_id: str) -> None:
    """What the provider sends where it sends no metadata."""
    (delivery,) = await house.deliveries()
    channel = await house.context.store.channel(house.account, delivery.channel)
    assert isinstance(channel, rows.Channel)
    now, place = house.context.clock.now(), house.conversation
    item = InboundMessage(f"echo:{message_id}", place, place, "", message_id, Author.BUSINESS, (Text("Hello"),), now)
    await ingest(house.context, channel, [item])


async def comments(house: House) -> list[str]:
    return [each.author_kind for each in await house.context.store.comments(house.account, house.ticket)]


async def test_it_is_known_by_the_id_that_the_provider_gave(house: House) -> None:
    await house.write(Text("Hello"))
    (delivery,) = await house.all_taken()
    await echo(house, delivery.provider_id)
    assert await comments(house) == ["contact", "agent"]
    await echo(house, "written-in-the-inbox-of-the-provider")
    assert await comments(house) == ["contact", "agent", "business"]


async def test_while_the_answer_is_awaited_the_provider_is_asked_to_repeat(house: House) -> None:
    house.fault(Mode.SLOW, delay=2.0, count=1)
    await house.write(Text("Hello"))

    async def under_way() -> bool:
        return [each.state for each in await house.deliveries()] == [State.SENDING]

    await house.until(under_way)
    with pytest.raises(Unavailable):
        await echo(house, "not-known-yet")
    assert await comments(house) == ["contact", "agent"]
    await house.all_taken()
