"""The official Twilio client accepts the simulated Messages API as real."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import SECOND, Json, Upload


class Elsewhere(TwilioHttpClient):  # type: ignore[misc]
    """The client's own transport, with another host in the address."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base

    def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        here = url.replace("https://api.twilio.com", self._base).replace("https://content.twilio.com", self._base)
        return super().request(method, here, *args, **more)


@dataclass
class Setup:
    """A running sandbox with one account."""

    running: RunningSandbox
    config: Json

    @property
    def account(self) -> Account:
        return self.running.sandbox.direct["twilio"].accounts[self.config["account_sid"]]

    @property
    def contact(self) -> str:
        return next(iter(self.account.conversations))

    def client(self, token: str = "") -> Client:
        return Client(self.config["account_sid"], token or self.config["auth_token"], http_client=Elsewhere(self.running.urls["twilio"]))

    async def call(self, work: Callable[[Client], Any]) -> Any:
        """In a thread: the client blocks."""
        return await asyncio.to_thread(work, self.client())


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    yield Setup(running, sandbox.seed_direct("twilio"))
    await running.stop()


def _list(filters: Json, client: Client) -> Any:
    return client.messages.list(**filters)


def _create(fields: Json, client: Client) -> Any:
    return client.messages.create(**fields)


async def test_the_account(setup: Setup) -> None:
    account = await setup.call(lambda client: client.api.v2010.accounts(setup.config["account_sid"]).fetch())
    assert (account.sid, account.status) == (setup.config["account_sid"], "active")


async def test_a_message_is_created_fetched_and_listed(setup: Setup) -> None:
    number = setup.account.more["senders"][""]
    sent = await setup.call(lambda client: client.messages.create(to=setup.contact, from_=number, body="Grüße 📦"))
    assert (sent.status, sent.body, sent.from_, sent.error_code) == ("queued", "Grüße 📦", number, None)
    fetched = await setup.call(lambda client: client.messages(sent.sid).fetch())
    assert (fetched.sid, fetched.direction, fetched.to) == (sent.sid, "outbound-api", setup.contact)
    for filters in ({}, {"to": setup.contact}, {"from_": number}):
        listed = await setup.call(partial(_list, filters))
        assert [message.sid for message in listed] == [sent.sid]
    assert await setup.call(lambda client: client.messages.list(to="+15550000000")) == []


async def test_a_list_has_pages(setup: Setup) -> None:
    service = setup.config["sender"]
    for number in range(5):
        sent = await setup.call(partial(_create, {"to": setup.contact, "messaging_service_sid": service, "body": str(number)}))
        assert sent.status == "accepted" and sent.messaging_service_sid == service
    listed = await setup.call(lambda client: client.messages.list(to=setup.contact, page_size=2))
    assert [message.body for message in listed] == ["4", "3", "2", "1", "0"]


async def test_media_is_listed_and_fetched_through_a_redirect(setup: Setup) -> None:
    service = setup.running.sandbox.direct["twilio"]
    post = service.new_post("image", mine=True, text="look")
    post.file = service.keep(setup.account, Upload("f", "a.png", "image/png", b"\x89PNG"))
    service.writes(setup.contact, post)
    (message,) = await setup.call(lambda client: client.messages.list(from_=setup.contact))
    (media,) = await setup.call(lambda client: client.messages(message.sid).media.list())
    assert (message.num_media, message.direction, media.content_type) == ("1", "inbound", "image/png")
    path = media.uri.removesuffix(".json")
    fetched = await setup.call(lambda client: client.http_client.session.get(setup.running.urls["twilio"] + path, auth=client.auth))
    assert (fetched.content, fetched.history[0].status_code) == (b"\x89PNG", 307)


BIG = "x" * 1601


@pytest.mark.parametrize(
    ("fields", "code", "number"),
    [
        ({"to": "12345"}, 21211, 400),
        ({"to": "+15550000000", "from_": "+15559999999"}, 21606, 400),
        ({"to": "whatsapp:+15550000000", "from_": "whatsapp:+15559999999"}, 63007, 400),
        ({"to": "whatsapp:+15550000000", "from_": None}, 21910, 400),
        ({"from_": "", "to": "+15550000000"}, 21603, 400),
        ({"messaging_service_sid": "MG0", "from_": "", "to": "+15550000000"}, 21701, 400),
        ({"to": ""}, 21604, 400),
        ({"to": "+15550000000", "body": ""}, 21602, 400),
        ({"to": "+15550000000", "body": BIG}, 21617, 400),
        ({"to": "+15550000000", "media_url": ["ftp://a"]}, 21620, 400),
        ({"to": "+15550000000", "status_callback": "nowhere"}, 21609, 400),
        ({"to": "+15550000000", "content_sid": "HX0"}, 21655, 400),
    ],
)
async def test_what_is_wrong_with_a_message_is_told_by_its_code(setup: Setup, fields: Json, code: int, number: int) -> None:
    fields = {"body": "x", **fields}
    if fields.get("from_") is None:
        fields["from_"] = setup.account.more["senders"][""]
    with pytest.raises(TwilioRestException) as error:
        await setup.call(lambda client: client.messages.create(**fields))
    assert (error.value.code, error.value.status) == (code, number)
    assert setup.running.sandbox.tally.counts().accepted == 0


async def test_wrong_and_revoked_tokens_are_20003(setup: Setup) -> None:
    for token, revoked in (("0" * 32, False), ("", True)):
        setup.running.sandbox.direct["twilio"].revoke(setup.config["account_sid"], revoked=revoked)
        with pytest.raises(TwilioRestException) as error:
            await asyncio.to_thread(lambda client: client.messages("SM0").fetch(), setup.client(token))
        assert (error.value.status, error.value.code) == (401, 20003)


@pytest.mark.parametrize(
    ("fault", "number", "code"),
    [
        (Fault("twilio", Mode.REVOKED), 401, 20003),
        (Fault("twilio", Mode.RATE_LIMITED, retry_after=3), 429, 20429),
        (Fault("twilio", Mode.ERROR_NOT_TAKEN), 500, 20500),
        (Fault("twilio", Mode.ERROR_TAKEN), 500, 20500),
        (Fault("twilio", Mode.NOT_PERMITTED), 403, 20005),
    ],
)
async def test_faults_are_exceptions(setup: Setup, fault: Fault, number: int, code: int) -> None:
    setup.running.sandbox.faults.set(fault)
    with pytest.raises(TwilioRestException) as error:
        await setup.call(lambda client: client.messages.create(to=setup.contact, messaging_service_sid=setup.config["sender"], body="x"))
    assert (error.value.status, error.value.code) == (number, code)
    assert setup.running.sandbox.tally.counts().accepted == (fault.mode is Mode.ERROR_TAKEN)


async def test_a_stopped_contact_is_21610_by_sms_and_a_closed_window_is_a_later_failure(setup: Setup) -> None:
    sandbox, service = setup.running.sandbox, setup.config["sender"]
    sms, whatsapp = setup.account.conversations
    sandbox.direct["twilio"].acts["block"](sms, {"blocked": True}, None)  # type: ignore[arg-type]
    with pytest.raises(TwilioRestException) as error:
        await setup.call(lambda client: client.messages.create(to=sms, messaging_service_sid=service, body="x"))
    assert error.value.code == 21610
    setup.account.conversations[whatsapp].heard -= 25 * 3600 * SECOND
    sent = await setup.call(lambda client: client.messages.create(to=whatsapp, messaging_service_sid=service, body="x"))
    assert sent.status == "accepted"
    late = await setup.call(lambda client: client.messages(sent.sid).fetch())
    assert (late.status, late.error_code) == ("undelivered", 63016)
    assert sandbox.tally.counts().accepted == 0


async def test_templates_are_listed_with_their_approvals_and_sent_outside_of_the_window(setup: Setup) -> None:
    listed = await setup.call(lambda client: client.content.v1.content_and_approvals.list())
    assert [(each.friendly_name, each.approval_requests["status"]) for each in listed] == [
        ("parcel_update", "approved"),
        ("sale", "pending"),
    ]
    whatsapp = list(setup.account.conversations)[1]
    setup.account.conversations[whatsapp].heard = 0
    values = json.dumps({"1": "7001", "2": "today"})
    sent = await setup.call(
        lambda client: client.messages.create(
            to=whatsapp, messaging_service_sid=setup.config["sender"], content_sid=listed[0].sid, content_variables=values
        )
    )
    assert (sent.body, sent.status) == ("Your parcel 7001 arrives today.", "accepted")
    assert setup.running.sandbox.tally.counts().accepted == 1
    with pytest.raises(TwilioRestException) as error:
        await setup.call(
            lambda client: client.messages.create(
                to=whatsapp, messaging_service_sid=setup.config["sender"], content_sid=listed[0].sid, content_variables="["
            )
        )
    assert error.value.code == 21656
