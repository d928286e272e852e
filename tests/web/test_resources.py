"""What the API tells and does, resource by resource: pages, contents, files, channels, waiting and reasons."""

import asyncio
from typing import Any

from heliograph.web.policy import API
from tests.web.installation import SECRET, House


async def pages(here: House, path: str, limit: int = 2) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(200):
        mark = "&" if "?" in path else "?"
        code, page = await here.call("GET", f"{API}/{path}{mark}limit={limit}{cursor}")
        assert code == 200 and len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"
    raise AssertionError("a list without end")


async def test_pages_of_every_list_are_complete_and_in_order(here: House) -> None:
    sandbox = here.sandbox.sandbox
    app = sandbox.sunshine.center.apps[here.demo.app_id]
    places = [here.demo.conversation_id, *(sandbox.new_contact(app, f"Contact {n}").id for n in range(4))]
    for place in places:
        sandbox.sunshine.contacts.write(place, {"type": "text", "text": f"from {place}"})

    async def all_open() -> list[dict[str, Any]]:
        return await pages(here, "tickets?state=open")

    tickets = await here.eventually(all_open, lambda found: len(found) == 5)
    times = [ticket["updated_at"] for ticket in tickets]
    assert times == sorted(times, reverse=True) and len({ticket["id"] for ticket in tickets}) == 5
    ticket = tickets[0]["id"]
    for n in range(7):
        await here.write(ticket, f"reply {n}")
    comments = await pages(here, f"tickets/{ticket}/comments")
    assert [comment["contents"][0]["text"] for comment in comments[1:]] == [f"reply {n}" for n in range(7)]
    deliveries = await pages(here, "deliveries?state=queued")
    assert [delivery["comment"] for delivery in deliveries] == [comment["id"] for comment in comments[1:]]
    assert await pages(here, f"deliveries?state=queued&channel={here.channel}") == deliveries
    assert await pages(here, "deliveries?state=queued&channel=chn_other") == []
    events = await pages(here, "events")
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    own = await pages(here, f"tickets/{ticket}/events")
    assert [event for event in events if event["stream_id"] == ticket] == own


async def test_every_kind_of_content_goes_out_and_is_shown(here: House) -> None:
    here.worker.start()
    await here.contact_writes("send me everything")
    ticket = (await here.ticket())["id"]
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    file = (await here.send("POST", f"{API}/files?name=..%2F..%2Fpic%22ture.png", png, content_type="image/png")).json()
    assert (file["name"], file["size"], file["media_type"]) == ("pic_ture.png", 108, "image/png")
    contents = [
        {"type": "text", "text": "Here:"},
        {"type": "file", "file": file["id"], "caption": "the picture"},
        {"type": "location", "latitude": 52.5, "longitude": 13.4, "name": "Office"},
    ]
    code, saved = await here.call("POST", f"{API}/tickets/{ticket}/comments", {"contents": contents}, by="write")
    assert code == 201 and len(saved["deliveries"]) >= 3

    async def states() -> set[str]:
        _, found = await here.call("GET", f"{API}/tickets/{ticket}/comments")
        return {delivery["state"] for delivery in found["items"][1]["deliveries"]}

    await here.eventually(states, lambda found: found == {"delivered"})
    _, comments = await here.call("GET", f"{API}/tickets/{ticket}/comments")
    shown = comments["items"][1]["contents"]
    assert [one["type"] for one in shown] == ["text", "file", "location"]
    assert shown[1]["file"] == file["id"] and shown[1]["kind"] == "image"
    download = await here.send("GET", f"{API}/files/{file['id']}/content")
    assert download.body == png and download.headers["content-disposition"].startswith("attachment")
    assert download.headers["x-content-type-options"] == "nosniff" and "sandbox" in download.headers["content-security-policy"]


async def test_an_internal_note_stays_inside(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    saved = await here.write(ticket, "do not tell", public=False)
    assert saved["deliveries"] == []
    _, comments = await here.call("GET", f"{API}/tickets/{ticket}/comments")
    assert comments["items"][1]["public"] is False
    _, queued = await here.call("GET", f"{API}/deliveries?state=queued")
    assert queued["items"] == []


async def test_solve_and_reopen(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    assert (await here.call("POST", f"{API}/tickets/{ticket}/solve"))[1]["state"] == "solved"
    assert (await here.call("GET", f"{API}/tickets"))[1]["items"] == []
    assert [one["id"] for one in (await here.call("GET", f"{API}/tickets?state=solved"))[1]["items"]] == [ticket]
    assert (await here.call("POST", f"{API}/tickets/{ticket}/reopen"))[1]["state"] == "open"


async def test_a_channel_with_wrong_keys_holds_says_why_and_goes_on_by_itself(here: House) -> None:
    here.worker.start()
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    path = f"{API}/channels/{here.channel}"
    code, changed = await here.call("PATCH", path, {"config": {"key_secret": "not-the-key"}})
    assert code == 200 and "not-the-key" not in repr(changed)

    async def health() -> Any:
        return (await here.call("GET", path))[1]["health"]

    held = await here.eventually(health, lambda found: found["condition"] == "held")
    assert held["reason"]["code"] == "bad_credentials" and "credentials" in held["reason"]["sentence"] and held["reason"]["remedy"]
    saved = [await here.write(ticket, f"reply {n}") for n in range(3)]
    _, listed = await here.call("GET", f"{API}/channels")
    assert listed[0]["waiting"]["queued"] == 3 and listed[0]["waiting"]["oldest_at"]
    assert (await here.call("POST", f"{path}/check"))[1]["result"] == "invalid"

    assert (await here.call("PATCH", path, {"config": {"key_secret": here.demo.key_secret}}))[0] == 200

    async def states() -> list[str]:
        return [(await here.call("GET", f"{API}/deliveries/{one['deliveries'][0]}"))[1]["state"] for one in saved]

    await here.eventually(states, lambda found: found == ["delivered"] * 3)
    messages = here.sandbox.sandbox.sunshine.center.apps[here.demo.app_id].conversations[here.demo.conversation_id].messages
    assert [message.content["text"] for message in messages if message.content["text"].startswith("reply")] == [
        f"reply {n}" for n in range(3)
    ]
    assert (await here.call("POST", f"{path}/check"))[1] == {"result": "valid", "reason": None}


async def test_a_disabled_channel_waits_and_still_listens(here: House) -> None:
    here.worker.start()
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    path = f"{API}/channels/{here.channel}"
    assert (await here.call("POST", f"{path}/disable"))[1]["enabled"] is False
    saved = await here.write(ticket, "later")
    await here.contact_writes("still there?")

    async def inbound() -> int:
        _, found = await here.call("GET", f"{API}/tickets/{ticket}/comments")
        return sum(comment["author_kind"] == "contact" for comment in found["items"])

    await here.eventually(inbound, lambda count: count == 2)
    await asyncio.sleep(0.2)
    delivery = f"{API}/deliveries/{saved['deliveries'][0]}"
    assert (await here.call("GET", delivery))[1]["state"] == "queued"
    assert (await here.call("POST", f"{path}/enable"))[1]["enabled"] is True

    async def state() -> str:
        return str((await here.call("GET", delivery))[1]["state"])

    await here.eventually(state, lambda found: found == "delivered")


async def test_secrets_go_in_and_never_come_out(here: House) -> None:
    code, made = await here.call(
        "POST", f"{API}/channels", {"provider": "telegram", "name": "Bot", "config": {"token": "1234:canary-telegram"}}
    )
    assert code == 201
    shown = [made, (await here.call("GET", f"{API}/channels"))[1], (await here.call("GET", f"{API}/events"))[1]]
    assert "canary" not in repr(shown) and here.demo.key_secret not in repr(shown) and SECRET not in repr(shown)
    assert "token" in made["secrets"]


async def test_a_setting_that_does_not_fit_is_named_without_its_value(here: House) -> None:
    for config in ({"token": " canary "}, {"token": "a\nb"}, {"tokn": "canary"}, {}):
        code, problem = await here.call("POST", f"{API}/channels", {"provider": "telegram", "name": "Bot", "config": config})
        assert code == 422 and "canary" not in repr(problem) and "oken" in problem["detail"]
    code, problem = await here.call("POST", f"{API}/channels", {"provider": "pigeon", "name": "Bot", "config": {}})
    assert code == 422 and "telegram" in problem["detail"]


async def test_the_description_and_its_page(here: House) -> None:
    code, schema = await here.call("GET", f"{API}/openapi.json", by="")
    assert code == 200 and schema["openapi"].startswith("3.1")
    assert "application/problem+json" in schema["paths"][f"{API}/tickets/{{ticket}}"]["get"]["responses"]["404"]["content"]
    page = await here.send("GET", f"{API}/docs", by="")
    assert page.code == 200 and b"Idempotency-Key" in page.body and b"<script" not in page.body and b"https://" not in page.body
