"""Webhooks: proved, taken once, durable before 2xx, and never refused for good for trouble of our own."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from heliograph.ports.store import Unavailable
from heliograph.sandbox.faults import Fault, Mode
from heliograph.services import configure, ingest
from heliograph.web.hooks import FRESH, Proofs
from heliograph.web.policy import API
from tests.web.installation import SECRET, Answer, House, house

PATH = "/hooks/sunshine/chn_sunshine"


def message(here: House, text: str, id: str = "m1", *, conversation: str = "") -> dict[str, Any]:
    """An event as Sunshine Conversations describes it."""
    return {
        "id": f"event-{id}",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "type": "conversation:message",
        "payload": {
            "conversation": {"id": conversation or here.demo.conversation_id, "type": "personal"},
            "message": {
                "id": id,
                "received": "2026-01-01T00:00:00.000Z",
                "author": {"type": "user", "userId": here.demo.user_id, "displayName": "Ada"},
                "content": {"type": "text", "text": text},
                "source": {"type": "whatsapp"},
            },
        },
    }


async def hook(here: House, *events: Any, secret: str = SECRET, path: str = PATH) -> Answer:
    envelope = {"app": {"id": here.demo.app_id}, "webhook": {"id": "w", "version": "v2"}, "events": list(events)}
    return await here.send("POST", path, msgspec.json.encode(envelope), by="", content_type="application/json", x_api_key=secret)


async def texts(here: House) -> list[str]:
    """What contacts wrote, on all open tickets."""
    _, tickets = await here.call("GET", f"{API}/tickets")
    found: list[str] = []
    for ticket in tickets["items"]:
        _, comments = await here.call("GET", f"{API}/tickets/{ticket['id']}/comments")
        found += [comment["contents"][0]["text"] for comment in comments["items"] if comment["author_kind"] != "agent"]
    return found


async def test_each_event_is_taken_once_however_often_it_comes(here: House) -> None:
    for _ in range(3):
        assert (await hook(here, message(here, "one", "m1"))).code == 200
    answers = await asyncio.gather(*(hook(here, message(here, "two", "m2")) for _ in range(10)))
    assert {answer.code for answer in answers} == {200}
    assert await texts(here) == ["one", "two"]


async def test_several_events_of_one_call_are_all_taken_in_order_beside_one_that_nobody_knows(here: House) -> None:
    unknown = {"id": "e-u", "createdAt": "2026-01-01T00:00:00Z", "type": "conversation:hologram", "payload": {"x": [1]}}
    assert (await hook(here, message(here, "a", "m1"), unknown, message(here, "b", "m2"), 17, message(here, "c", "m3"))).code == 200
    assert await texts(here) == ["a", "b", "c"]


UNREADABLE = (b"", b"{", b"[]", b"null", b"\xff", b'{"events": 5}', b'{"events": [{"type": 5}]}', b"[" * 50_000)


async def test_a_body_that_nobody_understands_loses_nothing_and_is_no_5xx(here: House) -> None:
    assert (await hook(here, message(here, "before"))).code == 200
    for raw in UNREADABLE:
        answer = await here.send("POST", PATH, raw, by="", content_type="application/json", x_api_key=SECRET)
        assert answer.code in (200, 401), raw[:20]
    assert await texts(here) == ["before"]


async def test_a_body_beyond_the_limit_is_413(here: House) -> None:
    answer = await here.send("POST", PATH, b"x" * 10_000_000, by="", x_api_key=SECRET)
    assert answer.code == 413


async def test_while_the_store_cannot_write_the_provider_is_told_to_repeat_and_nothing_is_lost(here: House, monkeypatch: Any) -> None:
    store = here.application.context.store
    commit_all, calls = store.commit_all, 0

    async def second_fails(acts: Any) -> None:
        nonlocal calls
        calls += 1
        if calls >= 2:
            raise Unavailable("FullError")
        await commit_all(acts)

    events = [message(here, text, f"m-{text}") for text in "abc"]
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "AT_ONCE", 2)
        patched.setattr(store, "commit_all", second_fails)
        answer = await hook(here, *events)
        assert answer.code == 503 and int(answer.headers["retry-after"]) > 0
    assert await texts(here) == ["a", "b"]
    assert (await hook(here, *events)).code == 200
    assert await texts(here) == ["a", "b", "c"]


async def test_a_wrong_secret_is_our_own_trouble_until_a_call_has_proved_ours(here: House) -> None:
    first = await hook(here, message(here, "forged"), secret="wrong")
    assert first.code == 503 and int(first.headers["retry-after"]) > 0
    assert (await hook(here, message(here, "real", "m1"))).code == 200
    assert (await hook(here, message(here, "forged", "m2"), secret="wrong")).code == 401
    assert await texts(here) == ["real"]
    await configure.change_channel(
        here.application.context, "acc_one", here.channel, config={"webhook_secret": "another"}, actor="operator"
    )
    # The provider still has the old one: perhaps the new one is the mistake.
    assert (await hook(here, message(here, "kept by the provider", "m3"))).code == 503
    await configure.change_channel(
        here.application.context, "acc_one", here.channel, config={"webhook_secret": f"another {SECRET}"}, actor="operator"
    )
    assert (await hook(here, message(here, "kept by the provider", "m3"))).code == 200
    assert await texts(here) == ["real", "kept by the provider"]


def test_a_run_of_failures_or_a_long_silence_makes_the_secret_doubtful_again() -> None:
    proofs = Proofs()
    assert not proofs.refusable("c", "v1", 0)
    proofs.verified("c", "v1", 0)
    assert [proofs.refusable("c", "v1", 1) for _ in range(5)] == [True, True, True, False, False]
    proofs.verified("c", "v1", 10)
    assert proofs.refusable("c", "v1", 11)
    assert not proofs.refusable("c", "v2", 11)
    assert not proofs.refusable("c", "v1", 12 + FRESH * 1_000_000)


async def test_the_secret_of_one_app_does_not_open_another(here: House) -> None:
    assert (await hook(here, message(here, "real", "m1"))).code == 200
    envelope = {"app": {"id": "another-app"}, "events": [message(here, "foreign", "m2")]}
    answer = await here.send("POST", PATH, msgspec.json.encode(envelope), by="", content_type="application/json", x_api_key=SECRET)
    assert answer.code == 401
    assert await texts(here) == ["real"]


async def test_an_address_that_is_no_channels_is_404(here: House) -> None:
    for path in ("/hooks/sunshine/chn_nobody", "/hooks/telegram/chn_sunshine", "/hooks/pigeon/x", "/hooks/sunshine/%00"):
        assert (await hook(here, message(here, "x"), path=path)).code == 404, path
        assert (await here.send("GET", path, by="")).code == 404, path
    assert await texts(here) == []


async def test_the_address_can_be_looked_at(here: House) -> None:
    assert (await here.send("GET", PATH, by="")).code == 200
    assert (await here.send("HEAD", PATH, by="")).code == 200
    assert (await here.send("PUT", PATH, b"x", by="")).code == 405


async def test_echo_and_receipts_that_overtake_our_own_commit_change_nothing_for_the_worse(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def failpoint(name: str) -> None:
        if name == "deliver:before_record":
            await go_on.wait()

    async with house(tmp_path, failpoint=failpoint) as here:
        here.worker.start()
        await here.contact_writes("hello")
        ticket = (await here.ticket())["id"]
        saved = await here.write(ticket, "on its way")
        path = f"{API}/deliveries/{saved['deliveries'][0]}"

        async def seen() -> int:
            return sum(name == "inbound_taken" and fields["kind"] == "Receipt" for name, fields in here.observed)

        # The echo and two receipts, while the worker still has the answer in its hand.
        await here.eventually(seen, lambda count: count >= 3)
        go_on.set()

        async def state() -> str:
            return str((await here.call("GET", path))[1]["state"])

        await here.eventually(state, lambda found: found == "delivered")
        _, comments = await here.call("GET", f"{API}/tickets/{ticket}/comments")
        assert [comment["author_kind"] for comment in comments["items"]] == ["contact", "agent"]
        _, delivery = await here.call("GET", path)
        assert delivery["attempts"] == 1


async def test_a_receipt_that_nobody_can_place_yet_finds_its_reply_later(tmp_path: Path) -> None:
    go_on, called = asyncio.Event(), asyncio.Event()

    async def failpoint(name: str) -> None:
        if name == "deliver:before_record":
            called.set()
            await go_on.wait()

    async with house(tmp_path, failpoint=failpoint) as here:
        # The echo is lost, so that only the worker's own answer tells the message's id.
        here.sandbox.sandbox.faults.set(Fault(service="sunshine", mode=Mode.WEBHOOK_LOST))
        here.worker.start()
        await hook(here, message(here, "hello"))
        ticket = (await here.ticket())["id"]
        saved = await here.write(ticket, "on its way")
        await called.wait()
        sent = here.sandbox.sandbox.sunshine.center.apps[here.demo.app_id].conversations[here.demo.conversation_id].messages[-1]
        receipt = {
            "id": "event-receipt",
            "createdAt": "2026-01-01T00:00:00Z",
            "type": "conversation:message:delivery:user",
            "payload": {"conversation": {"id": here.demo.conversation_id}, "message": {"id": sent.id}, "isFinalEvent": True},
        }
        assert (await hook(here, receipt)).code == 200
        go_on.set()

        async def state() -> str:
            return str((await here.call("GET", f"{API}/deliveries/{saved['deliveries'][0]}"))[1]["state"])

        await here.eventually(state, lambda found: found == "delivered")


async def test_replies_follow_a_merged_contact(here: House) -> None:
    sandbox = here.sandbox.sandbox
    app = sandbox.sunshine.center.apps[here.demo.app_id]
    other = sandbox.new_contact(app, "Ada's second phone")
    sandbox.sunshine.contacts.write(other.id, {"type": "text", "text": "from my second phone"})
    ticket = (await here.ticket())["id"]
    sandbox.sunshine.contacts.merge(here.demo.conversation_id, other.id)

    async def kinds() -> list[str]:
        return [event["kind"] for event in (await here.call("GET", f"{API}/tickets/{ticket}/events"))[1]["items"]]

    await here.eventually(kinds, lambda found: "conversation_replaced" in found)
    here.worker.start()
    saved = await here.write(ticket, "found you")

    async def state() -> str:
        return str((await here.call("GET", f"{API}/deliveries/{saved['deliveries'][0]}"))[1]["state"])

    await here.eventually(state, lambda found: found == "delivered")
    assert app.conversations[here.demo.conversation_id].messages[-1].content["text"] == "found you"


async def test_a_duplicated_and_late_webhook_of_the_sandbox_is_one_comment(here: House) -> None:
    here.sandbox.sandbox.faults.set(Fault(service="sunshine", mode=Mode.WEBHOOK_DUPLICATED))
    await here.contact_writes("only once")

    async def taken() -> int:
        return sum(name == "inbound_taken" for name, _ in here.observed)

    await here.eventually(taken, lambda count: count >= 2)
    assert await texts(here) == ["only once"]
