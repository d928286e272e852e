"""A Zendesk that lets nobody in asks for what is new, and gets all of it: comments, what became of replies, and what waits."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heliograph.sandbox.faults import fault_from_json
from heliograph.sandbox.zendesk import pulling
from heliograph.services import desk_waits
from tests.zendesk.town import Town, town


async def pull(here: Town) -> None:
    """Zendesk asks now, and has read the answer."""
    made = len([call for call in here.zendesk.center.errands.log if call["kind"] == "pull"])
    pulling.pull(here.zendesk.center, here.instance)
    await here.until(lambda: len([call for call in here.zendesk.center.errands.log if call["kind"] == "pull"]) > made)


async def pulls(here: Town, want: Callable[[], bool]) -> None:
    """Zendesk asks until it has what is wanted, and twice more."""
    async with asyncio.timeout(30):
        while not want():
            await pull(here)
    await pull(here)
    await pull(here)


def texts(here: Town, *, public: bool) -> list[str]:
    return [c.text for c in here.zendesk.center.comments.values() if c.by == "pull" and c.public is public]


async def wrote(here: Town, text: str) -> None:
    taken = len(here.observed("inbound_taken"))
    await here.house.contact_writes(text)
    await here.until(lambda: len(here.observed("inbound_taken")) > taken)


async def test_everything_goes_by_pulls(tmp_path: Path, database: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(desk_waits, "PATIENCE", 1_000_000)
    async with town(tmp_path, database=database, client="") as here:
        manifest = here.instance.integration.manifest
        assert manifest is not None and not manifest.push_client_id and not manifest.channelback_files
        await wrote(here, "hello")
        await pulls(here, lambda: bool(texts(here, public=True)))
        assert texts(here, public=True) == ["hello"]
        sent = here.reply("good morning")
        await here.until(lambda: here.received() == ["good morning"])
        body = here.form(
            message="a file", thread_id=here.tickets[-1].thread, request_unique_identifier="f", **{"file_urls[]": "https://x/y"}
        )
        behind = here.form(message="behind it", thread_id=here.tickets[-1].thread, request_unique_identifier="b")
        assert [(await here.post("channelback", each))[0] for each in (body, behind)] == [200, 200]
        await here.eventually("desk_reply_dropped")
        await here.until(lambda: here.received() == ["good morning", "behind it"])
        await pulls(here, lambda: any("its file" in text for text in texts(here, public=False)))
        here.house.sandbox.sandbox.faults.set(
            fault_from_json({"service": "sunshine", "mode": "error_not_taken", "code": 413, "operation": "send"})
        )
        refused = here.reply("too much")
        await here.settled(refused)
        await here.eventually("attempt_refused")
        await pulls(here, lambda: len(texts(here, public=False)) == 2)
        assert len(texts(here, public=False)) == 2 and texts(here, public=False)[1].startswith("This reply was not sent")
        here.well()
        here.house.sandbox.sandbox.faults.set(fault_from_json({"service": "sunshine", "mode": "revoked"}))
        held = here.reply("later")
        await here.settled(held)
        await pulls(here, lambda: len(texts(here, public=False)) == 3)
        assert len(texts(here, public=False)) == 3 and "waiting" in texts(here, public=False)[2]
        here.well()
        await here.until(lambda: here.received() == ["good morning", "behind it", "later"])
        await pulls(here, lambda: len(texts(here, public=False)) == 4)
        assert texts(here, public=False)[3:] == ["The replies that waited on this ticket have been sent."]
        assert texts(here, public=True) == ["hello"] and not sent.errors
        assert here.observed("desk_trouble") == []
