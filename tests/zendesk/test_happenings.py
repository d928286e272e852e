"""What Zendesk says about itself is taken in once, from whoever holds the key, and whatever it looks like."""

import json
from typing import Any

import pytest

from heliograph.services import desk_happenings, desk_links
from tests.zendesk.town import Town


async def told(here: Town, *events: Any) -> int:
    code, _ = await here.post("events", json.dumps({"events": list(events)}).encode())
    return code


def happening(kind: str, **data: Any) -> dict[str, Any]:
    return {"type_id": kind, "timestamp": "2026-01-01T00:00:00Z", "subdomain": "sandbox", "integration_id": "heliograph", "data": data}


async def test_where_comments_are_is_known_afterwards(here: Town) -> None:
    comment = await here.contact_writes("hello")
    reply = here.reply("hi")
    await here.settled(reply)
    store = here.house.application.context.store
    for each in (comment, reply):
        place = await here.house.eventually(lambda each=each: desk_happenings.whereabouts(store, "acc_one", each.external_id), bool)
        assert (place.ticket, place.comment) == (each.ticket, each.id)


async def test_a_switched_off_link_needs_the_links_secret(on_sqlite: Town) -> None:
    here = on_sqlite
    wrong = json.dumps({"link": here.house.channel, "secret": "0" * 40})
    assert await told(here, happening("deactivate_integration_instance", metadata=wrong, deactivated_by="error")) == 200
    linked = await desk_links.find(here.house.application.context.store, "acc_one", here.house.channel)
    assert linked is not None and linked.link.standing == desk_links.ACTIVE
    off = happening("deactivate_integration_instance", metadata=here.instance.metadata, deactivated_by="error")
    assert await told(here, off) == 200 == await told(here, off)
    assert [e["data"]["by"] for e in await here.eventually("desk_ended")] == ["error"]


async def test_failed_channelbacks_are_counted(on_sqlite: Town) -> None:
    failed = {**happening("channelback", url="https://x", request_id="1"), "error": "timeout"}
    assert await told(on_sqlite, failed, happening("pull_request"), happening("who_knows")) == 200
    assert [(h["kind"], h["failed"]) for h in on_sqlite.observed("desk_happening")][-3:] == [
        ("channelback", 1), ("pull_request", 0), ("who_knows", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"events":5}', b"\xff\xfe", b"[" * 100_000, b'{"events":', b"<xml/>"])
async def test_what_is_no_event_callback_is_refused(on_sqlite: Town, body: bytes) -> None:
    code, _ = await on_sqlite.post("events", body)
    assert code == 400


async def test_comments_of_nobody_and_odd_events_change_nothing(on_sqlite: Town) -> None:
    comment = await on_sqlite.contact_writes("hello")
    odd: list[Any] = [
        None, 5, "x", [], {}, {"type_id": 5}, happening("resources_created_from_external_ids"),
        happening("resources_created_from_external_ids", resource_events=[
            None, {}, {"external_id": 5, "ticket_id": 1}, {"external_id": "cmt_nobody", "ticket_id": 1, "comment_id": 1},
            {"external_id": comment.external_id, "ticket_id": -1}, {"external_id": comment.external_id, "ticket_id": True},
            {"external_id": comment.external_id, "ticket_id": 10**40}, {"external_id": "x" * 9999, "ticket_id": 3},
        ]),
    ]  # fmt: skip
    assert await told(on_sqlite, *odd) == 200
