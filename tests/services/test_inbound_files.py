"""Files of contacts are copied at once, through trouble, and what can never be had is said on the ticket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from heliograph.domain.content import Media, MediaKind
from heliograph.domain.events import PartNotCarried
from heliograph.ports.provider import Author, InboundMessage
from heliograph.sandbox.wire import Upload
from heliograph.services import configure, inbound_files
from heliograph.services.follow_up import LONGEST
from heliograph.services.inbound_files import GIVEN_UP, KIND
from heliograph.services.ingest import ingest
from heliograph.storage.ledger import decode
from tests.services.test_quarantine import Later
from tests.web.installation import House, house

PNG = b"\x89PNG\r\n\x1a\n picture"


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def here(tmp_path: Path, request: pytest.FixtureRequest, empty_database: str) -> AsyncIterator[House]:
    """A house on each engine."""
    async with house(tmp_path, database=empty_database if request.param == "postgres" else "") as made:
        yield made


async def sends_a_file(here: House) -> Any:
    """The contact sends a picture; returns the comment's row once it is in."""
    contacts = here.sandbox.sandbox.sunshine.contacts
    kept = contacts.upload(here.demo.conversation_id, Upload("file", "cat.png", "image/png", PNG), here.sandbox.url)
    contacts.write(here.demo.conversation_id, {"type": "image", "mediaUrl": kept.url})
    ticket = (await here.ticket())["id"]

    async def comments() -> Any:
        return [each for each in await here.application.context.store.comments("acc_one", ticket) if "media" in each.body]

    return (await here.eventually(comments, bool))[-1]


async def waiting(here: House) -> int:
    return len(await here.application.context.store.documents_of_all(KIND))


def taken_away(here: House) -> Any:
    """The provider hands out nothing; calling what comes back makes it do so again."""
    (app,) = here.sandbox.sandbox.sunshine.center.apps.values()
    there = dict(app.attachments)
    app.attachments.clear()
    return lambda: app.attachments.update(there)


async def test_a_file_is_here_when_the_provider_has_it_no_longer(here: House) -> None:
    comment = await sends_a_file(here)
    context = here.application.context
    assert await waiting(here) == 1
    await inbound_files.FILES.step(context)
    assert await waiting(here) == 0
    taken_away(here)
    assert await inbound_files.data_of(context, "acc_one", comment, 0) == PNG


async def test_it_is_tried_until_it_is_there(here: House) -> None:
    comment = await sends_a_file(here)
    context = here.application.context
    give_back = taken_away(here)
    await inbound_files.FILES.step(context)
    assert await waiting(here) == 1
    with pytest.raises(inbound_files.NotThere):
        await inbound_files.data_of(context, "acc_one", comment, 0)
    give_back()
    await inbound_files.FILES.step(context)
    assert await waiting(here) == 1, "not before its time"
    context.clock = Later(context.clock, LONGEST)
    await inbound_files.FILES.step(context)
    assert await waiting(here) == 0
    assert await inbound_files.data_of(context, "acc_one", comment, 0) == PNG


async def test_what_can_never_be_had_is_said_on_the_ticket(here: House) -> None:
    comment = await sends_a_file(here)
    taken_away(here)
    context = here.application.context
    context.clock = Later(context.clock, GIVEN_UP + 1)
    await inbound_files.FILES.step(context)
    assert await waiting(here) == 0
    read = await context.store.events("acc_one", stream="ticket", stream_id=comment.ticket, after=0, limit=100)
    assert PartNotCarried("file", comment.id) in [decode(event) for event in read]


async def stranger(here: House, url: str, number: int) -> None:
    """Another account, whose own service has sent messages with a file at this address."""
    context = here.application.context
    account = await configure.create_account(context, "Stranger")
    config = {"base_url": "https://service.example", "webhook_secret": "whsec_" + "A" * 44}
    id = await configure.create_channel(context, account, here.application.specs["webhook"], name="x", config=config, actor="operator")
    channel = await context.store.channel(account, id)
    assert channel is not None
    file = Media(MediaKind.FILE, "x", "image/png", None, remote=url)
    await ingest(context, channel, [InboundMessage(f"e{n}", "c", "k", "", f"e{n}", Author.CONTACT, (file,), 1) for n in range(number)])


async def test_an_address_that_is_none_ends_nobody_s_round(here: House) -> None:
    await stranger(here, "http://[", 3)
    await sends_a_file(here)
    await inbound_files.FILES.step(here.application.context)
    assert {document.account for document in await here.application.context.store.documents_of_all(KIND)} != {"acc_one"}
    assert not await here.application.context.store.documents("acc_one", KIND)


async def test_files_that_never_come_keep_no_other_account_waiting(here: House) -> None:
    asked = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        with contextlib.suppress(OSError):
            await asyncio.sleep(30)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    await stranger(here, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", 30)
    context = here.application.context
    round = asyncio.create_task(inbound_files.FILES.step(context))
    await asyncio.wait_for(asked.wait(), 10)
    await sends_a_file(here)

    async def left() -> Any:
        return await context.store.documents("acc_one", KIND)

    await here.eventually(left, lambda documents: not documents)
    assert not round.done()
    round.cancel()
    await asyncio.gather(round, return_exceptions=True)
    server.close()
