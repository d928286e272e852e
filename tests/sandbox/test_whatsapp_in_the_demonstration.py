"""A whole Heliograph beside a simulated WhatsApp: a status settles what an answer left open, and says whose fault a failure is."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from heliograph.domain.content import Media, MediaKind, Rich, Text
from heliograph.domain.delivery import State
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Request
from heliograph.services.files import upload
from tests.sandbox.house import House, house_at

pytestmark = pytest.mark.timeout(120)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with house_at("whatsapp") as house:
        yield house


async def reaches(house: House, *states: State) -> None:
    """Wait until the replies, in their order, stand so."""

    async def holds() -> bool:
        return tuple(each.state for each in await house.deliveries()) == states

    await house.until(holds)


async def test_a_lost_answer_is_settled_by_the_status_of_its_message(house: House) -> None:
    house.fault(Mode.ANSWER_LOST, count=1)
    for text in ("One", "Two"):
        await house.write(Text(text))
    await reaches(house, State.DELIVERED, State.DELIVERED)
    assert house.seen() == ["One", "Two"] and [each.attempt for each in await house.deliveries()] == [1, 1]
    counts = house.made.demo.sandbox.sandbox.tally.counts_of("whatsapp", house.conversation)
    assert (counts.lost, counts.doubled, counts.overtaken, counts.unexpected) == (0, 0, 0, 0)


async def test_an_account_that_did_not_pay_keeps_its_replies(house: House) -> None:
    house.fault(Mode.RECEIPT_FAILURE, count=1, error_code="131042")
    await house.write(Text("Returned at first"))
    await reaches(house, State.DELIVERED)
    (delivery,) = await house.deliveries()
    assert house.seen() == ["Returned at first"] and delivery.attempt == 2


async def test_a_file_goes_by_its_id(house: House) -> None:
    agent = house.made.demo.agent
    row = await upload(house.context, house.account, name="bill.pdf", media_type="application/pdf", data=b"%PDF", actor=agent)
    await house.write(Media(MediaKind.FILE, row.name, row.media_type, row.size, file=row.key))
    await reaches(house, State.DELIVERED)
    (account,) = house.service.accounts.values()
    assert [each.data for each in account.files.values()] == [b"%PDF"]


async def test_a_closed_window_is_said_and_a_template_passes_it(house: House) -> None:
    house.service.acts["fall_silent"](house.conversation, {}, Request("POST", "/"))
    await house.write(Text("Too late"))
    await reaches(house, State.FAILED)
    (delivery,) = await house.deliveries()
    assert (delivery.reason, delivery.code) == ("window_closed", "131047")
    content = {"name": "conversation_follow_up", "language": "en_US", "values": [["1", "Ada"], ["2", "7001"]]}
    await house.write(Rich("template", "Hello Ada", content))
    await reaches(house, State.FAILED, State.DELIVERED)
    assert house.seen() == ["Hello Ada, we have news about order 7001. Reply to this message to go on."]
