"""What is new is handed over once and in order, whatever Zendesk does meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Request, Upload
from heliograph.sandbox.zendesk import desk
from heliograph.services import desk_cursor, desk_links
from heliograph.worker.desking import Desking
from tests.zendesk.town import QUICK, Town, link, town

PNG = b"\x89PNG\r\n\x1a\n" + b"1" * 200


def texts(here: Town) -> list[str]:
    """What Zendesk has of the contact, in its order."""
    return [c.text for c in here.zendesk.center.comments.values() if c.by in ("push", "pull") and c.public]


async def write(here: Town, number: int, *, start: int = 0) -> list[str]:
    wanted = [f"message {n}" for n in range(start, start + number)]
    for text in wanted:
        taken = len(here.observed("inbound_taken"))
        await here.house.contact_writes(text)
        # Webhook calls that are made at the same time may come in any order.
        await here.until(lambda taken=taken: len(here.observed("inbound_taken")) > taken)
    return wanted


@pytest.mark.parametrize(
    "fault",
    [
        {"mode": Mode.DOWN}, {"mode": Mode.ERROR_NOT_TAKEN}, {"mode": Mode.ERROR_TAKEN, "count": 3}, {"mode": Mode.ANSWER_LOST, "count": 3},
        {"mode": Mode.RATE_LIMITED}, {"mode": Mode.GARBAGE, "count": 3}, {"mode": Mode.TRUNCATED, "count": 3}, {"mode": Mode.REVOKED},
    ],
    ids=lambda fault: fault["mode"].value,
)  # fmt: skip
async def test_trouble_of_zendesk_loses_nothing_and_doubles_nothing(here: Town, fault: dict[str, Any]) -> None:
    await here.contact_writes("before")
    here.fault(**fault)
    wanted = await write(here, 5)
    await here.until(lambda: here.observed("desk_trouble"))
    here.well()
    await here.until(lambda: len(texts(here)) >= 6)
    wanted += await write(here, 1, start=5)
    await here.until(lambda: wanted[-1] in texts(here))
    assert texts(here) == ["before", *wanted]


async def test_a_token_that_is_not_accepted_is_said_once_and_tried_again(here: Town) -> None:
    await here.contact_writes("before")
    here.zendesk.revoke(here.instance.push_id, revoked=True)
    wanted = await write(here, 3)
    await here.eventually("desk_stopped")
    await asyncio.sleep(0.5)
    assert len(await here.events("desk_stopped")) == 1
    here.zendesk.revoke(here.instance.push_id, revoked=False)
    await here.until(lambda: texts(here) == ["before", *wanted])
    assert len(await here.events("desk_resumed")) == 1


async def test_an_item_that_fails_is_tried_again_and_what_was_halted_behind_it_too(here: Town) -> None:
    await here.contact_writes("before")
    here.fault(Mode.ERROR_NOT_TAKEN, operation="import", count=2)
    wanted = await write(here, 4)
    await here.until(lambda: texts(here) == ["before", *wanted])
    assert await here.events("desk_refused") == []


async def test_an_item_that_fails_for_good_is_seen_and_holds_nobody(here: Town) -> None:
    await here.contact_writes("before")
    here.fault(Mode.ERROR_NOT_TAKEN, operation="import", count=5)
    await here.house.contact_writes("poison")
    refused = await here.eventually("desk_refused")
    await here.contact_writes("after")
    assert texts(here) == ["before", "after"] and len(refused) == 1


async def test_an_item_that_was_taken_and_called_failed_is_taken_once(here: Town) -> None:
    here.fault(Mode.ERROR_TAKEN, operation="import", count=1)
    await here.contact_writes("hello")
    await here.contact_writes("again")
    assert texts(here) == ["hello", "again"] and here.zendesk.center.repeats >= 1


async def test_a_reply_from_our_own_desk_is_a_comment_there_and_zendesks_own_is_not_sent_back(here: Town) -> None:
    await here.contact_writes("hello")
    reply = here.reply("from zendesk")
    await here.until(lambda: "from zendesk" in here.received())
    await here.house.write(here.tickets[-1].thread, "from our desk")
    await here.until(lambda: "from our desk" in texts(here))
    assert texts(here) == ["hello", "from our desk"]
    ours = next(c for c in here.zendesk.center.comments.values() if c.text == "from our desk")
    assert here.zendesk.center.users[ours.author].name == "Agent one" and ours.ticket == reply.ticket


async def test_a_note_of_ours_stays_ours(on_sqlite: Town) -> None:
    here = on_sqlite
    await here.contact_writes("hello")
    await here.house.write(here.tickets[-1].thread, "between us", public=False)
    await here.contact_writes("more")
    assert texts(here) == ["hello", "more"]


async def test_a_pull_has_what_does_not_get_through_by_pushing(here: Town) -> None:
    await here.contact_writes("before")
    here.fault(Mode.ERROR_NOT_TAKEN, operation="push")
    await write(here, 3)
    await here.until(lambda: here.observed("desk_trouble"))
    code, pulled = await here.post("pull", here.form(state=""))
    assert code == 200
    assert [r["message"] for r in pulled["external_resources"]] == ["message 0", "message 1", "message 2"]
    assert {r["thread_id"] for r in pulled["external_resources"]} == {here.tickets[-1].thread}
    code, again = await here.post("pull", here.form(state=pulled["state"]))
    assert code == 200 and again["external_resources"] == []
    for state in ("nonsense", "{}", '{"seq":-5}', '{"seq":"x"}', '{"seq":9e99}', "[" * 3000):
        code, whole = await here.post("pull", here.form(state=state))
        assert code == 200 and len(whole["external_resources"]) == 3, state
    here.well()
    await here.until(lambda: len(texts(here)) == 4)
    await here.house.eventually(lambda: here.post("pull", here.form(state="")), lambda got: got[1]["external_resources"] == [])


async def test_what_was_said_before_the_link_is_nobodys_there(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, linked=False) as here:
        await here.house.contact_writes("long ago")
        await here.house.ticket()
        here.instance = await link(here)
        await here.contact_writes("now")
        assert texts(here) == ["now"]


async def test_files_of_contacts_reach_zendesk(here: Town) -> None:
    house = here.house
    kept = house.sandbox.sandbox.sunshine.contacts.upload(
        house.demo.conversation_id, Upload("f", "cat.png", "image/png", PNG), house.sandbox.url
    )
    house.sandbox.sandbox.sunshine.contacts.write(
        house.demo.conversation_id, {"type": "image", "mediaUrl": kept.url, "mediaType": "image/png", "altText": "cat"}
    )
    await here.until(lambda: [f for c in here.zendesk.center.comments.values() for f in c.files if f.data == PNG])


async def test_a_link_that_is_switched_off_waits_and_goes_on(here: Town) -> None:
    await here.contact_writes("before")
    act(here, "deactivate")
    await here.eventually("desk_ended")
    await here.house.contact_writes("meanwhile")
    act(here, "activate")
    await here.until(lambda: texts(here) == ["before", "meanwhile"])


async def test_a_link_that_is_removed_is_left_alone(here: Town) -> None:
    await here.contact_writes("before")
    act(here, "remove")
    await here.eventually("desk_ended")
    linked = await desk_links.find(here.house.application.context.store, "acc_one", here.house.channel)
    assert linked is not None and linked.link.standing == desk_links.REMOVED
    door = await desk_links.open_door(here.house.application.context, linked)
    assert door is not None and door.token == ""


def act(here: Town, action: str) -> None:
    desk.act(here.zendesk.center, action, {"account": here.instance.id}, Request("POST", "/", {}, {}, b""))


class Gate:
    """A failpoint at which a process stands still until it is gone."""

    def __init__(self) -> None:
        self.name = ""
        self.reached = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, name: str) -> None:
        if name == self.name:
            self.reached.set()
            await self.gone.wait()
            raise ConnectionError("this process has ended")


@pytest.mark.parametrize("name", ["desk_mirror:pushed", "desk_mirror:before_commit", "desk_mirror:after_commit"])
async def test_a_process_that_ends_while_handing_over_leaves_nothing_out(tmp_path: Path, database: str, name: str) -> None:
    gate = Gate()
    async with town(tmp_path, database=database, failpoint=gate) as here:
        await here.contact_writes("before")
        gate.name = name
        wanted = await write(here, 3)
        await asyncio.wait_for(gate.reached.wait(), 10)
        await _another_process(here, gate)
        wanted += await write(here, 1, start=3)
        await here.until(lambda: wanted[-1] in texts(here))
        assert texts(here) == ["before", *wanted]


@pytest.mark.parametrize("name", ["desk_reply:fetched", "reply:before_commit", "reply:after_commit"])
async def test_a_process_that_ends_while_it_makes_a_reply_makes_one(tmp_path: Path, database: str, name: str) -> None:
    gate = Gate()
    async with town(tmp_path, database=database, failpoint=gate) as here:
        await here.contact_writes("before")
        gate.name = name
        reply = here.reply("look", files=(Upload("files", "map.png", "image/png", PNG),))
        await asyncio.wait_for(gate.reached.wait(), 10)
        await _another_process(here, gate)
        await here.until(lambda: "look" in here.received())
        last = here.reply("last")
        await here.until(lambda: "last" in here.received())
        assert [text for text in here.received() if text] == ["look", "last"] and not reply.errors and not last.errors


@pytest.mark.parametrize("name", ["reply:before_commit", "reply:after_commit", "desk_reply:before_commit", "desk_reply:after_commit"])
async def test_a_process_that_ends_while_it_takes_a_reply_takes_it_once(tmp_path: Path, database: str, name: str) -> None:
    gate = Gate()
    async with town(tmp_path, database=database, failpoint=gate) as here:
        await here.contact_writes("before")
        file = here.zendesk.center.store("a.png", "image/png", PNG)
        files = {"file_urls[]": here.zendesk.center.file_url(file)} if name.startswith("desk") else {}
        body = here.form(message="once", thread_id=here.tickets[-1].thread, request_unique_identifier="i", **files)
        gate.name = name
        lost = asyncio.ensure_future(here.post("channelback", body))
        await asyncio.wait_for(gate.reached.wait(), 10)
        gate.name = ""
        answers = [await here.post("channelback", body) for _ in range(3)]
        lost.cancel()
        assert {code for code, _ in answers} == {200} and len({a["external_id"] for _, a in answers}) == 1
        await here.until(lambda: "once" in here.received())
        last = here.reply("last")
        await here.until(lambda: "last" in here.received())
        assert [text for text in here.received() if text] == ["once", "last"] and not last.errors
        gate.gone.set()


async def _another_process(here: Town, gate: Gate) -> None:
    """Everything that the one process knew is gone."""
    gate.name = ""
    await here.desking.stop()
    application = here.house.application
    application.noticing.remove(here.desking.noticed)
    here.desking = Desking(application.context, application.desk, url=here.house.url, pauses=QUICK)
    application.noticing.append(here.desking.noticed)
    here.desking.start()


async def test_a_large_backlog_goes_in_batches_and_in_order(on_sqlite: Town) -> None:
    here = on_sqlite
    await here.contact_writes("before")
    here.fault(Mode.DOWN)
    wanted = await write(here, 40)
    here.well()
    await here.until(lambda: len(texts(here)) == 41)
    assert texts(here) == ["before", *wanted]
    store = here.house.application.context.store
    await here.house.eventually(
        lambda: store.document("acc_one", desk_cursor.KIND, here.house.channel), lambda got: msgspec.json.decode(got.data)["seq"] > 40
    )
