"""Zendesk's agents are told what became of their replies: at the reply, in a note while it waits, and in their language."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heliograph.sandbox.faults import Mode, fault_from_json
from heliograph.services import desk_waits, staleness
from tests.zendesk.town import Town, link, town


def provider(here: Town, mode: str, **more: Any) -> None:
    here.house.sandbox.sandbox.faults.set(fault_from_json({"service": "sunshine", "mode": mode, **more}))


def notes(here: Town) -> list[str]:
    """Internal notes that came from us."""
    return [c.text for c in here.zendesk.center.comments.values() if not c.public and c.by == "push"]


async def test_a_reply_that_is_refused_for_good_is_told_at_the_reply(here: Town) -> None:
    await here.contact_writes("hello")
    provider(here, "error_not_taken", code=413, operation="send")
    reply = here.reply("too much")
    await here.until(lambda: reply.errors)
    assert reply.errors == ["This reply was not sent: the messages were larger than the provider accepts."]
    await here.eventually("desk_told")
    here.well()
    after = here.reply("short")
    await here.until(lambda: here.received() == ["short"])
    assert not after.errors and len(reply.errors) == 1


@pytest.mark.parametrize(("locale", "words"), [("es-419", "Esta respuesta no se envió"), ("pt-br", "Esta resposta não foi enviada")])
async def test_they_are_told_in_the_language_of_their_zendesk(tmp_path: Path, locale: str, words: str) -> None:
    async with town(tmp_path, linked=False) as here:
        here.instance = await link(here, locale=locale)
        await here.contact_writes("hello")
        provider(here, "error_not_taken", code=413, operation="send")
        reply = here.reply("too much")
        await here.until(lambda: reply.errors)
        assert reply.errors[0].startswith(words)


async def queued(here: Town, *, state: str) -> list[str]:
    async def ask() -> Any:
        return (await here.house.call("GET", f"/api/v1/deliveries?state={state}"))[1]["items"]

    return [each["id"] for each in await here.house.eventually(ask, bool)]


async def test_a_reply_that_needs_a_decision_asks_there_and_says_when_it_was_sent_after_all(here: Town, monkeypatch: Any) -> None:
    monkeypatch.setattr(staleness, "FRESH", 0)
    await here.contact_writes("hello")
    provider(here, "revoked")
    asked = here.reply("and now?")
    await queued(here, state="queued")
    await here.contact_writes("please cancel order 5")
    here.well()
    await here.until(lambda: asked.errors, seconds=30)
    assert asked.errors[0].startswith("The contact has written since, which may change the answer. It waits until somebody decides")
    assert asked.errors[0].endswith(f"{here.house.url}/desk/tickets/{here.tickets[-1].thread}") and here.received() == []
    (delivery,) = await queued(here, state="asking")
    code, _ = await here.house.call("POST", f"/api/v1/deliveries/{delivery}/resend")
    assert code == 200
    await here.until(lambda: here.received() == ["and now?"])
    await here.until(lambda: "A reply on this ticket that had to be decided about has been sent after all." in notes(here))
    assert len(asked.errors) == 1


async def test_a_reply_that_is_not_to_be_sent_is_told(here: Town) -> None:
    await here.contact_writes("hello")
    provider(here, "revoked")
    dropped = here.reply("never mind")
    (delivery,) = await queued(here, state="queued")

    async def cancel() -> int:
        # While an attempt is under way it cannot be taken back.
        return (await here.house.call("POST", f"/api/v1/deliveries/{delivery}/cancel"))[0]

    await here.house.eventually(cancel, lambda code: code == 200)
    await here.until(lambda: dropped.errors)
    assert dropped.errors == ["This reply was not sent: it was decided in Heliograph not to send it."]


async def test_waiting_is_noted_once_for_a_ticket_and_so_is_its_end(here: Town, monkeypatch: Any) -> None:
    monkeypatch.setattr(desk_waits, "PATIENCE", 300_000)
    await here.contact_writes("hello")
    provider(here, "revoked")
    for text in ("one", "two", "three"):
        await here.settled(here.reply(text))
    await here.until(lambda: notes(here))
    await asyncio.sleep(1)
    assert len(notes(here)) == 1 and "by themselves" in notes(here)[0] and f"{here.house.url}/status" in notes(here)[0]
    assert notes(here)[0].count("\n") == 0
    here.well()
    await here.until(lambda: len(here.received()) == 3, seconds=30)
    await here.until(lambda: len(notes(here)) == 2)
    await asyncio.sleep(0.5)
    assert notes(here)[1] == "The replies that waited on this ticket have been sent." and len(notes(here)) == 2
    assert here.received() == ["one", "two", "three"]
    provider(here, "revoked")
    await here.settled(here.reply("four"))
    await here.until(lambda: len(notes(here)) == 3)


async def test_no_note_makes_a_ticket_of_what_zendesk_does_not_know(on_sqlite: Town, monkeypatch: Any) -> None:
    here = on_sqlite
    monkeypatch.setattr(desk_waits, "PATIENCE", 100_000)
    provider(here, "revoked")
    await here.contact_writes("hello")
    await here.house.write(here.tickets[-1].thread, "from our own desk")
    await asyncio.sleep(1)
    assert notes(here) == [] and len(here.tickets) == 1


async def test_telling_waits_for_zendesk(here: Town) -> None:
    await here.contact_writes("hello")
    provider(here, "error_not_taken", code=413, operation="send")
    fault = here.fault(Mode.ERROR_NOT_TAKEN, operation="report_error")
    reply = here.reply("too much")
    await here.until(lambda: here.observed("desk_trouble"))
    assert not reply.errors
    here.house.sandbox.sandbox.faults.clear(id=fault)
    await here.until(lambda: reply.errors)
    assert len(reply.errors) == 1


async def test_a_note_that_zendesk_refuses_is_tried_five_times_and_holds_nobody(here: Town, monkeypatch: Any) -> None:
    await here.contact_writes("hello")
    provider(here, "revoked")
    await here.settled(here.reply("one"))
    here.fault(Mode.ERROR_NOT_TAKEN, operation="import", count=5)
    monkeypatch.setattr(desk_waits, "PATIENCE", 0)
    (untold,) = await here.eventually("desk_untold")
    assert untold["data"]["comment"].startswith("note_tkt_") and notes(here) == []
    await here.contact_writes("anybody there?")
    assert notes(here) == [] and await here.events("desk_noted") == []
