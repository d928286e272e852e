"""zenpy, a client that we did not write, takes the simulated ticket API for Zendesk's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from zenpy import Zenpy  # type: ignore[import-untyped]
from zenpy.lib.api_objects import Comment, Ticket, User  # type: ignore[import-untyped]
from zenpy.lib.exception import APIException, RecordNotFoundException  # type: ignore[import-untyped]

from heliograph.sandbox.faults import Fault, Mode
from tests.sandbox.zendesk_running import Running, running_zendesk
from tests.sandbox.zendesk_world import item

T = TypeVar("T")


@pytest.fixture
async def zendesk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    async with running_zendesk() as made:
        monkeypatch.setenv("ZENPY_FORCE_NETLOC", urlsplit(made.api).netloc)
        monkeypatch.setenv("ZENPY_FORCE_SCHEME", "http")
        await made.add_account()
        yield made


def client(made: Running, **more: Any) -> Zenpy:
    known = {"email": made.center.agents[0].email, "token": made.center.api_token}
    return Zenpy(subdomain=made.center.subdomain, disable_cache=True, **{**known, **more})


async def ask(call: Callable[[], T]) -> T:
    """zenpy waits; the sandbox it waits for is in this process."""
    return await asyncio.to_thread(call)


async def test_who_am_i(zendesk: Running) -> None:
    me = await ask(lambda: client(zendesk).users.me())
    assert isinstance(me, User) and (me.name, me.role) == ("Alex Agent", "agent")
    nobody = await ask(lambda: client(zendesk, token="wrong").users.me())
    assert nobody.id is None
    by_oauth = await ask(lambda: client(zendesk, email=None, token=None, oauth_token=zendesk.center.api_token).users.me())
    assert by_oauth.id == me.id


async def test_tickets_and_comments_of_a_channel(zendesk: Running) -> None:
    assert await zendesk.push(*(item(n) for n in range(1, 4)), item(9, thread="t2")) == ["success"] * 4
    zenpy = client(zendesk)
    tickets = await ask(lambda: list(zenpy.tickets()))
    assert [t.subject for t in tickets] == ["text 1", "text 9"]
    ticket = await ask(lambda: zenpy.tickets(id=1))
    assert ticket.via.channel == "any_channel" and ticket.allow_channelback is True
    assert ticket.via.source.from_["service_info"]["registered_integration_service_external_id"] == "example.signals"
    comments = await ask(lambda: list(zenpy.tickets.comments(ticket=1)))
    assert [(c.body, c.public, c.author_id) for c in comments] == [(f"text {n}", True, ticket.requester_id) for n in (1, 2, 3)]
    author = await ask(lambda: zenpy.users(id=ticket.requester_id))
    assert (author.name, author.role) == ("Ada", "end-user")


async def test_pages_are_followed(zendesk: Running) -> None:
    assert await zendesk.push(*(item(n) for n in range(205))) == ["success"] * 205
    zenpy = client(zendesk)
    assert len(await ask(lambda: list(zenpy.tickets.comments(ticket=1)))) == 205
    assert await zendesk.push(*(item(1000 + n, thread=f"s{n}") for n in range(150))) == ["success"] * 150
    assert len(await ask(lambda: list(zenpy.tickets()))) == 151
    assert len(await ask(lambda: list(zenpy.tickets(cursor_pagination=50)))) == 151


async def test_audits_tell_what_happened(zendesk: Running) -> None:
    await zendesk.push(item(1))
    zendesk.answers["/channelback"] = (400, {})
    await zendesk.control("POST", "act/reply", {"ticket": 1, "text": "Hello"})
    await zendesk.until(lambda: zendesk.center.tickets[1].comments[-1].errors)
    zenpy = client(zendesk)
    audits = await ask(lambda: list(zenpy.tickets.audits(ticket=1)))
    kinds = [event["type"] for audit in audits for event in audit.events]
    assert kinds[:4] == ["Create", "Create", "Create", "Comment"] and "Error" in kinds
    everywhere = await ask(lambda: [a.id for a in zenpy.tickets.audits()])
    assert sorted(everywhere) == sorted(a.id for a in audits)


async def test_a_reply_through_the_api_goes_out_and_a_note_does_not(zendesk: Running) -> None:
    await zendesk.push(item(1))
    zenpy = client(zendesk)
    ticket = await ask(lambda: zenpy.tickets(id=1))
    ticket.comment = Comment(body="Only for us", public=False)
    ticket.status = "pending"
    audit = await ask(lambda: zenpy.tickets.update(ticket))
    assert audit.ticket.status == "pending"
    ticket.comment = Comment(body="For the customer", public=True)
    await ask(lambda: zenpy.tickets.update(ticket))
    await zendesk.until(lambda: zendesk.center.tickets[1].comments[-1].external_id)
    sent = [dict(form)["message"] for path, form in zendesk.asked if path == "/channelback"]
    assert sent == ["For the customer"]
    assert [c.public for c in await ask(lambda: list(zenpy.tickets.comments(ticket=1)))] == [True, False, True]


async def test_tickets_are_found_by_who_commented_on_them(zendesk: Running) -> None:
    await zendesk.push(item(1), item(2, thread="t2"))
    bea = zendesk.center.agents[1]
    await zendesk.control("POST", "act/reply", {"ticket": 2, "text": "Hello", "agent": bea.id})
    zenpy = client(zendesk)
    found = await ask(lambda: [t.id for t in zenpy.search(type="ticket", commenter=bea.id)])
    assert found == [2]
    assert await ask(lambda: [t.id for t in zenpy.search(type="ticket", commenter="me")]) == []


async def test_a_ticket_is_made_once(zendesk: Running) -> None:
    made = await ask(lambda: client(zendesk).tickets.create(Ticket(subject="By hand", description="Hello")))
    assert made.ticket.id and made.ticket.subject == "By hand"
    body = {"ticket": {"subject": "Once", "comment": {"body": "Hello"}}}
    headers = {"authorization": f"Bearer {zendesk.center.api_token}", "idempotency-key": "k1"}
    seen = []
    for _ in range(2):
        async with zendesk.http.post(f"{zendesk.api}/api/v2/tickets.json", json=body, headers=headers) as answer:
            seen.append((answer.status, answer.headers["x-idempotency-lookup"], (await answer.json())["ticket"]["id"]))
    assert [s[1] for s in seen] == ["miss", "hit"] and seen[0][2] == seen[1][2]
    async with zendesk.http.post(f"{zendesk.api}/api/v2/tickets.json", json={"ticket": {"description": "x"}}, headers=headers) as answer:
        assert answer.status == 400


async def test_errors_are_those_that_clients_know(zendesk: Running) -> None:
    zenpy = client(zendesk)
    with pytest.raises(RecordNotFoundException):
        await ask(lambda: zenpy.tickets(id=99))
    with pytest.raises(APIException):
        await ask(lambda: client(zendesk, token="wrong").tickets(id=1))
    zendesk.sandbox.sandbox.faults.set(Fault("zendesk", Mode.RATE_LIMITED, retry_after=1, count=1))
    assert await ask(lambda: list(zenpy.tickets())) == [], "it waits as long as it is told, and asks again"
    assert zendesk.center.faults.active() == []
