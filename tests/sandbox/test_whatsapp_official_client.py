"""pywa accepts the simulated Cloud API as real."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pywa import filters, types as pywa_types
from pywa.client import WhatsApp
from pywa.errors import (
    AccountLocked,
    BusinessPaymentIssue,
    ExpiredAccessToken,
    InvalidParameter,
    MediaUploadError,
    MissingRequiredParameter,
    RateLimitHit,
    RecipientCannotBeSender,
    ServiceUnavailable,
    TemplateNotExists,
    TemplateParamCountMismatch,
    TemplatePaused,
    UnknownError,
    WhatsAppError,
)
from pywa.types.templates import BodyText as PywaBodyText, TemplateLanguage

from heliograph.sandbox.direct.state import Account, Conversation
from heliograph.sandbox.direct.whatsapp import WhatsApp as Simulated
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Json, Request, Upload

#: Its types are not exported as a type checker wants it.
types: Any = pywa_types
BodyText: Any = PywaBodyText


class ToSandbox(httpx.BaseTransport):
    """pywa's address is fixed: what it sends there goes to the sandbox, everything else where it says."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "graph.facebook.com":
            request.url = httpx.URL(self._url + request.url.raw_path.decode())
            request.headers["host"] = request.url.netloc.decode()
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


@dataclass
class Setup:
    """A running sandbox, a number in it, its contact, and pywa."""

    running: RunningSandbox
    simulated: Simulated
    account: Account
    place: Conversation
    config: Json
    wa: Any
    hooks: "list[tuple[dict[str, str], bytes]]"

    def client(self, token: str) -> WhatsApp:
        return WhatsApp(
            self.account.id,
            token,
            waba_id=self.config["waba_id"],
            app_secret=self.account.secret,
            session=httpx.Client(transport=ToSandbox(self.running.urls["whatsapp"]), trust_env=False),
        )

    async def call(self, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """pywa waits, and so it does that in a thread."""
        return await asyncio.to_thread(method, *given, **named)

    def act(self, name: str, body: Json, *files: Upload) -> Any:
        return self.simulated.acts[name](self.place.id, body, Request("POST", "/", files=files))

    async def called(self, number: int) -> "list[tuple[dict[str, str], bytes]]":
        """The webhook calls so far, once there are `number`."""
        async with asyncio.timeout(10):
            while len(self.hooks) < number:
                await asyncio.sleep(0.01)
        return self.hooks


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    hooks: list[tuple[dict[str, str], bytes]] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = {name: value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        hooks.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(listen, "127.0.0.1", 0)
    sandbox = new_sandbox(seed=1)
    sandbox.settings.user_after = 0.1
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    config = sandbox.seed_direct("whatsapp", webhook_url=f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    simulated = sandbox.direct["whatsapp"]
    assert isinstance(simulated, Simulated)
    account = simulated.accounts[config["phone_number_id"]]
    made = Setup(running, simulated, account, next(iter(account.conversations.values())), config, None, hooks)
    made.wa = made.client(config["token"])
    yield made
    listener.close()
    await running.stop()


def shown(setup: Setup) -> list[Json]:
    return list(setup.simulated.phone(setup.place.id)["messages"])


# --- calls ----------------------------------------------------------------------------------------------


async def test_the_number_is_asked_for(setup: Setup) -> None:
    number = await setup.call(setup.wa.get_business_phone_number)
    assert (number.id, number.verified_name, number.quality_rating) == (setup.account.id, "Demo shop", "GREEN")


async def test_text_goes_to_the_number_and_to_the_user(setup: Setup) -> None:
    for to in (setup.place.more["number"], f"+{setup.place.more['number']}", setup.place.more["user"]):
        sent = await setup.call(setup.wa.send_message, to, f"hello {to}", tracker="dlv_1")
        assert sent.id.startswith("wamid.")
    assert [each["text"].split()[0] for each in shown(setup)] == ["hello"] * 3
    assert setup.running.sandbox.tally.counts().accepted == 3


async def test_buttons_a_reaction_and_a_place(setup: Setup) -> None:
    asked = setup.act("text", {"text": "where is it?"})
    to = setup.place.more["number"]
    await setup.call(setup.wa.send_message, to, "Choose", buttons=[types.Button("Yes", "y"), types.Button("No", "n")])
    await setup.call(setup.wa.send_reaction, to, "👍", asked["id"])
    await setup.call(setup.wa.send_location, to, 52.5, 13.4, name="Shop")
    assert [each["kind"] for each in shown(setup)] == ["text", "text", "reaction", "location"]


async def test_a_message_is_marked_as_read(setup: Setup) -> None:
    asked = setup.act("text", {"text": "where is it?"})
    assert await setup.call(setup.wa.mark_message_as_read, asked["id"])
    assert await setup.call(setup.wa.indicate_typing, asked["id"])
    assert setup.simulated.phone(setup.place.id)["typing"]
    with pytest.raises(InvalidParameter):
        await setup.call(setup.wa.mark_message_as_read, "wamid.none")


async def test_files_are_uploaded_sent_fetched_and_deleted(setup: Setup) -> None:
    to = setup.place.more["number"]
    media = await setup.call(setup.wa.upload_media, b"%PDF", mime_type="application/pdf", filename="bill.pdf")
    await setup.call(setup.wa.send_document, to, media.id, filename="bill.pdf", caption="your bill")
    await setup.call(setup.wa.send_image, to, b"\x89PNG", mime_type="image/png", caption="look")
    await setup.call(setup.wa.send_video, to, b"v", mime_type="video/mp4")
    await setup.call(setup.wa.send_audio, to, b"a", mime_type="audio/mpeg")
    assert [(each["kind"], each["text"]) for each in shown(setup)] == [
        ("file", "your bill"), ("image", "look"), ("video", ""), ("audio", ""),
    ]  # fmt: skip
    url = await setup.call(setup.wa.get_media_url, media.id)
    assert (url.mime_type, url.file_size) == ("application/pdf", 4)
    assert await setup.call(url.get_bytes) == b"%PDF"
    assert (await setup.call(httpx.get, url.url, trust_env=False)).status_code == 401
    assert await setup.call(setup.wa.delete_media, media.id)
    with pytest.raises(WhatsAppError, match="does not exist"):
        await setup.call(setup.wa.get_media_url, media.id)


async def test_templates_are_listed_and_sent(setup: Setup) -> None:
    found = list(await setup.call(setup.wa.get_templates))
    assert [(each.name, each.status.value) for each in found].count(("old_offer", "PAUSED")) == 1 and len(found) == 6
    assert (await setup.call(setup.wa.get_template, found[0].id)).name == "conversation_follow_up"
    params = [BodyText.params("Ada", "7001")]
    to = setup.place.more["number"]
    await setup.call(setup.wa.send_template, to, "conversation_follow_up", TemplateLanguage.ENGLISH_US, params)
    await setup.call(setup.wa.send_template, to, "appointment", TemplateLanguage.ENGLISH_US, [BodyText.params(name="Ada", day="Monday")])
    assert [each["text"] for each in shown(setup)] == [
        "Hello Ada, we have news about order 7001. Reply to this message to go on.", "Dear Ada, your appointment is on Monday.",
    ]  # fmt: skip


async def test_a_page_of_templates_leads_to_the_next(setup: Setup) -> None:
    first = await setup.call(setup.wa.get_templates, pagination=types.Pagination(limit=4))
    assert len(list(first)) == 4 and first.has_next
    # Its own `next` does not work for templates; where it leads is what it would have asked for.
    second = await setup.call(setup.wa.api._request, "GET", first._next_url)
    assert len(second["data"]) == 2 and "next" not in second["paging"]


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "send"),
    [
        (MissingRequiredParameter, lambda wa, to: wa.send_message(to, " ")),
        (WhatsAppError, lambda wa, to: wa.send_message(to, "x" * 4097)),
        (InvalidParameter, lambda wa, to: wa.send_message("12", "x")),
        (InvalidParameter, lambda wa, to: wa.send_message(to, "x", tracker="k" * 513)),
        (InvalidParameter, lambda wa, to: wa.send_image(to, "12345")),
        (WhatsAppError, lambda wa, to: wa.upload_media(b"x", mime_type="application/zip", filename="a.zip")),
        (MediaUploadError, lambda wa, to: wa.upload_media(b"", mime_type="image/png", filename="a.png")),
        (MediaUploadError, lambda wa, to: wa.send_image(to, b"%PDF", mime_type="application/pdf")),
        (MediaUploadError, lambda wa, to: wa.send_image(to, b"x" * (5 * 1_048_576 + 1), mime_type="image/png")),
        (TemplateNotExists, lambda wa, to: wa.send_template(to, "none", TemplateLanguage.ENGLISH_US, [])),
        (TemplateNotExists, lambda wa, to: wa.send_template(to, "hello_world", TemplateLanguage.GERMAN, [])),
        (TemplatePaused, lambda wa, to: wa.send_template(to, "old_offer", TemplateLanguage.ENGLISH_US, [])),
        (
            TemplateParamCountMismatch,
            lambda wa, to: wa.send_template(to, "conversation_follow_up", TemplateLanguage.ENGLISH_US, [BodyText.params("Ada")]),
        ),
        (WhatsAppError, lambda wa, to: wa.get_business_phone_number(phone_id="999")),
        (WhatsAppError, lambda wa, to: wa.get_templates(waba_id="999")),
    ],
)
async def test_what_the_real_one_refuses(error: type[WhatsAppError], send: Any, setup: Setup) -> None:
    with pytest.raises(error):
        await setup.call(send, setup.wa, setup.place.more["number"])
    assert setup.running.sandbox.tally.counts().accepted == 0 and shown(setup) == []


async def test_the_number_writes_not_to_itself(setup: Setup) -> None:
    with pytest.raises(RecipientCannotBeSender):
        await setup.call(setup.wa.send_message, setup.account.more["number"], "x")


async def test_keys_that_are_not_good(setup: Setup) -> None:
    with pytest.raises(ExpiredAccessToken):
        await setup.call(setup.client("EAAwrong").get_business_phone_number)
    assert setup.simulated.revoke(setup.account.key, revoked=True)
    with pytest.raises(ExpiredAccessToken):
        await setup.call(setup.wa.send_message, setup.place.more["number"], "x")
    setup.simulated.revoke(setup.account.key, revoked=False)
    await setup.call(setup.wa.send_message, setup.place.more["number"], "x")


@pytest.mark.parametrize(
    ("fault", "error", "number"),
    [
        (Fault("whatsapp", Mode.REVOKED), ExpiredAccessToken, 401),
        (Fault("whatsapp", Mode.NOT_PERMITTED), AccountLocked, 403),
        (Fault("whatsapp", Mode.NOT_PERMITTED, code=402), BusinessPaymentIssue, 400),
        (Fault("whatsapp", Mode.RATE_LIMITED, retry_after=3), RateLimitHit, 429),
        (Fault("whatsapp", Mode.ERROR_NOT_TAKEN), UnknownError, 500),
        (Fault("whatsapp", Mode.ERROR_NOT_TAKEN, code=503), ServiceUnavailable, 503),
        (Fault("whatsapp", Mode.ERROR_NOT_TAKEN, code=400, error_code="131042"), BusinessPaymentIssue, 400),
    ],
)
async def test_faults_are_worded_as_the_real_one_words_them(fault: Fault, error: type[WhatsAppError], number: int, setup: Setup) -> None:
    setup.running.sandbox.faults.set(fault)
    with pytest.raises(error) as raised:
        await setup.call(setup.wa.send_message, setup.place.more["number"], "x")
    assert raised.value.status_code == number
    assert shown(setup) == []


# --- webhooks -----------------------------------------------------------------------------------------------


async def test_every_event_is_signed_and_understood(setup: Setup) -> None:
    seen: list[Any] = []
    setup.wa.on_message()(lambda _, update: seen.append(update))
    setup.wa.on_callback_button()(lambda _, update: seen.append(update))
    setup.wa.on_phone_number_change()(lambda _, update: seen.append(update))
    setup.act("text", {"text": "hi"})
    setup.act("file", {"caption": "look"}, Upload("f", "p.jpg", "image/jpeg", b"\xff\xd8"))
    setup.act("file", {}, Upload("f", "d.pdf", "application/pdf", b"%PDF"))
    setup.act("file", {}, Upload("f", "v.ogg", "audio/ogg", b"OggS"))
    setup.act("location", {"latitude": 1.5, "longitude": 2.5})
    setup.act("react", {"id": "wamid.x", "emoji": "👍"})
    setup.act("choose", {"id": "y", "title": "Yes"})
    setup.act("change_number", {"number": "491700000001"})
    setup.act("hide_number", {"hidden": True})
    setup.act("text", {"text": "it is me"})
    for headers, body in await setup.called(9):
        assert setup.wa.webhook_update_validator(body, headers["x-hub-signature-256"]) is None
        assert setup.wa.webhook_update_handler(body) == ("ok", 200)
    kinds = {type(update).__name__: update for update in seen}
    assert set(kinds) == {"Message", "CallbackButton", "PhoneNumberChange"}
    messages = {update.type.value: update for update in seen if isinstance(update, types.Message)}
    assert set(messages) == {"text", "image", "document", "audio", "location", "reaction"}
    assert kinds["PhoneNumberChange"].new_wa_id == "491700000001"
    assert (messages["image"].caption, messages["document"].document.filename) == ("look", "d.pdf")
    hidden = next(update for update in seen if getattr(update, "text", "") == "it is me")
    assert hidden.from_user.wa_id is None and hidden.from_user.bsuid == setup.place.more["user"]
    fetched = await setup.call(messages["image"].get_media_bytes)
    assert fetched == b"\xff\xd8"


async def statuses(setup: Setup, number: int) -> list[Any]:
    seen: list[Any] = []
    setup.wa.on_message_status(filters.true)(lambda _, update: seen.append(update))
    for _, body in await setup.called(number):
        setup.wa.webhook_update_handler(body)
    return seen


async def test_statuses_bring_the_tracker_back(setup: Setup) -> None:
    sent = await setup.call(setup.wa.send_message, setup.place.more["number"], "x", tracker="dlv_1")
    await setup.called(2)
    setup.act("read", {})
    seen = await statuses(setup, 3)
    assert [(each.status.value, each.tracker, each.id) for each in seen] == [
        ("sent", "dlv_1", sent.id), ("delivered", "dlv_1", sent.id), ("read", "dlv_1", sent.id),
    ]  # fmt: skip


async def test_a_contact_who_blocks_gets_nothing_and_nobody_is_told(setup: Setup) -> None:
    setup.act("block", {"blocked": True})
    await setup.call(setup.wa.send_message, setup.place.more["number"], "x")
    assert [each.status.value for each in await statuses(setup, 1)] == ["sent"]


async def test_the_window_closes_after_a_day_and_a_template_opens_it_not(setup: Setup) -> None:
    setup.act("fall_silent", {})
    to = setup.place.more["number"]
    await setup.call(setup.wa.send_message, to, "too late", tracker="dlv_1")
    (failed,) = await statuses(setup, 1)
    assert failed.status.value == "failed" and failed.tracker == "dlv_1" and failed.error is not None and failed.error.code == 131047
    assert shown(setup) == [] and setup.running.sandbox.tally.counts().accepted == 0
    await setup.call(setup.wa.send_template, to, "hello_world", TemplateLanguage.ENGLISH_US, [])
    setup.act("text", {"text": "hello"})
    await setup.call(setup.wa.send_message, to, "in time")
    assert [each["text"] for each in shown(setup)] == ["Welcome and congratulations!", "hello", "in time"]


async def test_nobody_there_is_said_later(setup: Setup) -> None:
    sent = await setup.call(setup.wa.send_message, "491700000009", "x")
    body = (await setup.called(1))[0][1]
    assert sent.id.encode() in body and b"131026" in body
