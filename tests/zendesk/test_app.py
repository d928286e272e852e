"""What our app in Zendesk is given: its link's replies, where they are there, and words in three languages; nothing to anybody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heliograph.bootstrap.watch import steps
from heliograph.sandbox.faults import fault_from_json
from heliograph.services import desk_links, desk_notices
from heliograph.services.attention import Attention
from heliograph.worker.watching import Watching
from tests.zendesk.town import Town


@asynccontextmanager
async def watched(here: Town) -> AsyncIterator[None]:
    """Incidents are opened and notices written, as in a working process."""
    application = here.house.application
    attention = Attention()
    application.noticing.append(attention.noticed)
    watching = Watching(application.context, attention, steps(application))
    watching.start()
    try:
        yield
    finally:
        await watching.stop()


async def token(here: Town) -> str:
    return await desk_links.new_app_token(here.house.application.context, "acc_one", here.house.channel, actor="agent:agt_one")


async def notices(here: Town, text: str) -> Any:
    code, found = await here.house.call("GET", "/zendesk/app/notices", by="", authorization=f"Bearer {text}")
    assert code == 200, found
    return found["notices"]


async def test_an_incident_names_the_replies_and_goes_when_they_are_out(here: Town, monkeypatch: Any) -> None:
    monkeypatch.setattr(desk_notices, "FRESH", 0)
    text = await token(here)
    async with watched(here):
        await here.contact_writes("hello")
        assert await notices(here, text) == []
        here.house.sandbox.sandbox.faults.set(fault_from_json({"service": "sunshine", "mode": "revoked"}))
        replies = [here.reply(f"reply {n}") for n in range(3)]
        for reply in replies:
            await here.settled(reply)

        def placed(got: Any) -> bool:
            return bool(got) and len(got[0]["replies"]) == 3 and all(r["comment_id"] for r in got[0]["replies"])

        (notice,) = await here.house.eventually(lambda: notices(here, text), placed, 30)
        assert {r["comment_id"] for r in notice["replies"]} == {reply.id for reply in replies}
        assert {r["ticket_id"] for r in notice["replies"]} == {here.tickets[-1].id}
        assert {r["became"] for r in notice["replies"]} == {"waiting"} and not notice["over"]
        assert set(notice["wording"]) == {"en", "es", "pt-BR"}
        assert notice["wording"]["en"]["waiting"] == {
            "one": "{waiting} is waiting and goes out by itself.", "other": "{waiting} are waiting and go out by themselves.",
        }  # fmt: skip
        assert "credentials" in notice["wording"]["en"]["told"] and "credenciales" in notice["wording"]["es"]["told"]
        here.well()
        await here.until(lambda: len(here.received()) == 3, seconds=30)
        (after,) = await here.house.eventually(
            lambda: notices(here, text), lambda got: not got or {r["became"] for r in got[0]["replies"]} == {"sent_late"}, 30
        ) or (None,)
        assert after is None or {r["became"] for r in after["replies"]} == {"sent_late"}


@pytest.mark.parametrize("text", ["", "hgz_", "hgz_chn_sunshine_", "hgz_chn_sunshine_0", "x" * 5000, "hgt_" + "0" * 40, "hgz_chn_nobody_0"])
async def test_without_the_apps_token_there_is_nothing(on_sqlite: Town, text: str) -> None:
    await token(on_sqlite)
    code, _ = await on_sqlite.house.call("GET", "/zendesk/app/notices", by="", authorization=f"Bearer {text}")
    assert code == 401


async def test_a_new_token_makes_the_former_void_and_is_kept_as_a_digest(on_sqlite: Town) -> None:
    here = on_sqlite
    first, second = await token(here), await token(here)
    code, _ = await here.house.call("GET", "/zendesk/app/notices", by="", authorization=f"Bearer {first}")
    assert code == 401 and await notices(here, second) == []
    linked = await desk_links.find(here.house.application.context.store, "acc_one", here.house.channel)
    assert linked is not None and second.rpartition("_")[2] not in repr(linked)
