"""The main job over HTTP: a contact writes, an agent answers by API, the answer arrives, and every step is an event."""

from typing import Any

from tests.web.installation import House


async def test_a_contact_writes_and_the_answer_by_api_arrives(here: House) -> None:
    here.worker.start()
    await here.contact_writes("Where is my parcel?")
    ticket = await here.ticket()
    assert ticket["preview"] == "Where is my parcel?"

    code, saved = await here.call(
        "POST", f"/api/v1/tickets/{ticket['id']}/comments", {"contents": [{"type": "text", "text": "On its way."}]}, by="write"
    )
    assert code == 201 and saved["public"] and len(saved["deliveries"]) == 1

    async def delivery() -> Any:
        return (await here.call("GET", f"/api/v1/deliveries/{saved['deliveries'][0]}", by="read"))[1]

    arrived = await here.eventually(delivery, lambda d: d["state"] == "delivered")
    assert arrived["reason"] is None and arrived["attempts"] == 1

    _, events = await here.call("GET", f"/api/v1/tickets/{ticket['id']}/events")
    kinds = [event["kind"] for event in events["items"]]
    assert kinds[:2] == ["ticket_opened", "message_received"]
    for kind in ("reply_queued", "attempt_started", "attempt_accepted", "receipt_received"):
        assert kind in kinds
    assert all(event["sentence"] and "{" not in event["sentence"] for event in events["items"])
    _, comments = await here.call("GET", f"/api/v1/tickets/{ticket['id']}/comments")
    assert [comment["author_kind"] for comment in comments["items"]] == ["contact", "agent"]
    assert comments["items"][1]["deliveries"][0]["state"] == "delivered"
