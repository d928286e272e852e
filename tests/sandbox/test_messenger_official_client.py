"""pymsgr, a client of the Messenger Platform that is not ours, accepts the simulated Messenger as real."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pymsgr  # type: ignore[import-untyped]
import pytest
from pymsgr.api import endpoints  # type: ignore[import-untyped]
from pymsgr.errors import GraphAPIError  # type: ignore[import-untyped]
from pymsgr.security import verify_webhook_signature  # type: ignore[import-untyped]
from pymsgr.types.payloads import GenericElement, PostbackButton, SenderActionType  # type: ignore[import-untyped]

from heliograph.sandbox.direct.messenger import Messenger
from heliograph.sandbox.direct.state import Account, Conversation
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Request


@dataclass
class Setup:
    """A running sandbox, a client for its Page, and a contact who has written."""

    running: RunningSandbox
    client: Any
    account: Account
    place: Conversation

    async def call(self, method: str, **more: Any) -> Any:
        """The client blocks: it runs beside."""
        return await asyncio.to_thread(getattr(self.client, method), psid=self.place.id, page_id=self.account.id, **more)

    def act(self, action: str, **body: Any) -> None:
        self.running.sandbox.direct["messenger"].acts[action](self.place.id, body, Request("POST", "/"))


@pytest.fixture
async def setup(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    config = sandbox.seed_direct("messenger", contact="Ada Lovelace", webhook_url="http://127.0.0.1:9/hook")
    service = sandbox.direct["messenger"]
    assert isinstance(service, Messenger)
    (account,) = service.accounts.values()
    (place,) = account.conversations.values()
    monkeypatch.setattr(endpoints, "GRAPH_BASE_URL", running.urls["messenger"])
    client = pymsgr.Messenger(page_access_token=config["token"], verify_token=config["verify_token"], app_secret=account.secret)
    made = Setup(running, client, account, place)
    made.act("text", text="Hello")
    yield made
    client.close()
    await running.stop()


async def test_all_that_it_can_send_is_taken(setup: Setup) -> None:
    sent = [
        await setup.call("send_text", text="On its way."),
        await setup.call("send_image", image_url="https://shop.example/a.png"),
        await setup.call("send_buttons", text="Was it there?", buttons=[PostbackButton(title="Yes", payload="Y")]),
        await setup.call("send_generic_template", elements=[GenericElement(title="Lamp", subtitle="Blue")]),
    ]
    assert all(each["recipient_id"] == setup.place.id for each in sent)
    assert [each["message_id"] for each in sent] == [post.id for post in setup.place.posts if not post.mine]
    assert [post.text for post in setup.place.posts if not post.mine] == ["On its way.", "", "Was it there?", "Lamp"]
    assert await setup.call("set_typing", action=SenderActionType.TYPING_ON) == {"recipient_id": setup.place.id}
    assert setup.place.typing_until > 0


async def test_the_name_of_a_contact(setup: Setup) -> None:
    profile = await setup.call("get_user_profile")
    assert (profile["first_name"], profile["last_name"]) == ("Ada", "Lovelace")


@pytest.mark.parametrize(
    ("prepare", "code", "subcode"),
    [
        (lambda s: setattr(s.account, "revoked", True), 190, None),
        (lambda s: s.act("block", blocked=True), 551, 1545041),
        (lambda s: setattr(s.place, "heard", 1), 10, 2018278),
        (lambda s: setattr(s.place, "id", "404"), 100, 2018001),
        (lambda s: s.running.sandbox.faults.set(Fault("messenger", Mode.RATE_LIMITED)), 613, None),
        (lambda s: s.running.sandbox.faults.set(Fault("messenger", Mode.ERROR_TAKEN, error_code="1/1357046")), 1, 1357046),
    ],
)
async def test_errors_are_its_errors(setup: Setup, prepare: Any, code: int, subcode: int | None) -> None:
    prepare(setup)
    with pytest.raises(GraphAPIError) as failed:
        await setup.call("send_text", text="x")
    assert (failed.value.code, failed.value.subcode) == (code, subcode)


async def test_it_reads_what_the_sandbox_tells(setup: Setup) -> None:
    seen: list[tuple[str, Any]] = []
    for kind in ("message", "postback", "delivery", "read", "reaction"):
        getattr(setup.client, f"on_{kind}")()(lambda each, kind=kind: seen.append((kind, each)))
    service = setup.running.sandbox.direct["messenger"]
    told = service.told(setup.account, setup.place, setup.place.posts[0])
    await setup.call("send_text", text="x")
    post = setup.place.posts[-1]
    events = [told, *(service.receipt(setup.account, setup.place, post, level, None) for level in ("delivered", "read"))]
    headers, body = service.pack(setup.account, [each for each in events if each is not None])
    verify_webhook_signature(body, headers["x-hub-signature-256"], app_secret=setup.account.secret)
    setup.client.process_webhook(json.loads(body))
    assert [kind for kind, _ in seen] == ["message", "delivery", "read"]
    assert seen[0][1].text == "Hello" and seen[0][1].sender_id == setup.place.id and seen[1][1].delivery.mids == [post.id]
