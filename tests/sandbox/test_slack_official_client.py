"""slack_sdk accepts the simulated Web API as real, and Slack's own verifier and framework its events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from slack_bolt.request.payload_utils import to_message
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.metadata import Metadata
from slack_sdk.signature import SignatureVerifier

from heliograph.sandbox.direct.slack import Slack
from heliograph.sandbox.direct.slack_messages import BOT, BOT_USER, TEAM
from heliograph.sandbox.direct.state import Account, Conversation
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Json, Request, Upload
from tests.sandbox.listening import Listening


@dataclass
class Setup:
    """A running sandbox with one workspace."""

    running: RunningSandbox
    config: Json

    @property
    def slack(self) -> Slack:
        service = self.running.sandbox.direct["slack"]
        assert isinstance(service, Slack)
        return service

    @property
    def account(self) -> Account:
        return next(iter(self.slack.accounts.values()))

    @property
    def place(self) -> Conversation:
        return next(iter(self.account.conversations.values()))

    async def call(self, work: Callable[[WebClient], Any], token: str | None = None) -> Any:
        """In a thread: the client blocks."""
        token = self.config["bot_token"] if token is None else token
        client = WebClient(token, base_url=f"{self.running.urls['slack']}/", retry_handlers=[])
        return await asyncio.to_thread(work, client)

    async def error(self, work: Callable[[WebClient], Any], token: str | None = None) -> str:
        """The name of the error that a call ends with."""
        with pytest.raises(SlackApiError) as error:
            await self.call(work, token)
        return str(error.value.response["error"])

    def act(self, name: str, body: Json, *files: Upload, place: str = "") -> Any:
        return self.slack.acts[name](place or self.place.id, body, Request("POST", "/", files=files))


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    yield Setup(running, sandbox.seed_direct("slack"))
    await running.stop()


async def test_whose_token_it_is(setup: Setup) -> None:
    me = await setup.call(lambda client: client.auth_test())
    assert (me["team_id"], me["bot_id"], me["user_id"]) == (TEAM, BOT, BOT_USER)
    assert await setup.error(lambda client: client.auth_test(), "xoxb-0") == "invalid_auth"
    assert await setup.error(lambda client: client.auth_test(), "") == "not_authed"
    setup.slack.revoke(setup.account.key, revoked=True)
    assert await setup.error(lambda client: client.auth_test()) == "token_revoked"


async def test_who_somebody_is(setup: Setup) -> None:
    wanted = setup.place.more["user"]
    user = (await setup.call(lambda client: client.users_info(user=wanted)))["user"]
    assert (user["id"], user["real_name"], user["profile"]["real_name"]) == (wanted, setup.place.name, setup.place.name)
    assert await setup.error(lambda client: client.users_info(user="U404")) == "user_not_found"


async def test_a_message_with_metadata_is_posted_and_read_back(setup: Setup) -> None:
    place = setup.place.id
    metadata = Metadata("heliograph_reply", {"key": "dlv_1"})
    sent = await setup.call(lambda client: client.chat_postMessage(channel=place, text="Grüße &amp; 📦", metadata=metadata))
    assert (sent["channel"], sent["message"]["text"], sent["message"]["bot_id"]) == (place, "Grüße &amp; 📦", BOT)
    with_metadata = await setup.call(lambda client: client.conversations_history(channel=place, include_all_metadata=True))
    assert with_metadata["messages"][0]["metadata"] == metadata.to_dict() and with_metadata["messages"][0]["ts"] == sent["ts"]
    without = await setup.call(lambda client: client.conversations_history(channel=place))
    assert "metadata" not in without["messages"][0]
    (shown,) = setup.slack.phone(place)["messages"]
    assert shown["text"] == "Grüße & 📦"
    by_user = await setup.call(lambda client: client.chat_postMessage(channel=setup.place.more["user"], text="x"))
    assert by_user["channel"] == place


async def test_lists_have_pages_and_bounds(setup: Setup) -> None:
    place = setup.place.id
    times = [setup.act("text", {"text": f"{number}"})["id"] for number in range(5)]
    pages = await setup.call(lambda client: [page["messages"] for page in client.conversations_history(channel=place, limit=2)])
    assert [[message["text"] for message in page] for page in pages] == [["4", "3"], ["2", "1"], ["0"]]
    bound = await setup.call(lambda client: client.conversations_history(channel=place, oldest=times[1], latest=times[3]))
    assert [message["text"] for message in bound["messages"]] == ["2"]
    bound = await setup.call(lambda client: client.conversations_history(channel=place, oldest=times[1], latest=times[3], inclusive=True))
    assert [message["text"] for message in bound["messages"]] == ["3", "2", "1"]


async def test_threads_are_lists_of_their_own(setup: Setup) -> None:
    channel = setup.slack.add_channel(setup.account, "help").id
    top = setup.act("text", {"text": "top"}, place=channel)["id"]
    reply = await setup.call(lambda client: client.chat_postMessage(channel=channel, text="reply", thread_ts=top))
    setup.act("thread", {"text": "answer", "thread": top}, place=channel)
    history = await setup.call(lambda client: client.conversations_history(channel=channel))
    assert [message["text"] for message in history["messages"]] == ["top"]
    thread = await setup.call(lambda client: client.conversations_replies(channel=channel, ts=top))
    assert [message["text"] for message in thread["messages"]] == ["top", "reply", "answer"]
    assert thread["messages"][1]["thread_ts"] == top and reply["message"]["thread_ts"] == top
    assert await setup.error(lambda client: client.conversations_replies(channel=channel, ts="1.0")) == "thread_not_found"


async def test_a_file_is_uploaded_and_shared(setup: Setup) -> None:
    place = setup.place.id
    shared = await setup.call(
        lambda client: client.files_upload_v2(channel=place, content=b"%PDF & =\xff", filename="a.pdf", initial_comment="your bill")
    )
    assert shared["files"][0]["title"] == "a.pdf"
    (message,) = (await setup.call(lambda client: client.conversations_history(channel=place)))["messages"]
    assert (message["text"], message["files"][0]["mimetype"], message["files"][0]["size"]) == ("your bill", "application/pdf", 9)
    assert setup.account.files[message["files"][0]["id"]].data == b"%PDF & =\xff"


@pytest.mark.parametrize(
    ("work", "name"),
    [
        (lambda client, place: client.chat_postMessage(channel="C0", text="x"), "channel_not_found"),
        (lambda client, place: client.chat_postMessage(channel=place, text=" "), "no_text"),
        (lambda client, place: client.chat_postMessage(channel=place, text="x", thread_ts="1.000000"), "thread_not_found"),
        (lambda client, place: client.chat_postMessage(channel=place, text="x", metadata={"event_type": ""}), "invalid_metadata_format"),
        (lambda client, place: client.conversations_history(channel="C0"), "channel_not_found"),
        (lambda client, place: client.conversations_history(channel=place, oldest="x"), "invalid_ts_oldest"),
        (lambda client, place: client.files_getUploadURLExternal(filename="a", length=0), "missing_argument"),
        (lambda client, place: client.files_completeUploadExternal(files=[{"id": "F0"}], channel_id=place), "file_not_found"),
        (lambda client, place: client.api_call("chat.nothing"), "unknown_method"),
    ],
)
async def test_what_is_wrong_is_told_by_its_name(setup: Setup, work: Callable[[WebClient, str], Any], name: str) -> None:
    assert await setup.error(lambda client: work(client, setup.place.id)) == name
    assert setup.running.sandbox.tally.counts().accepted == 0


async def test_an_archived_channel_and_a_person_who_is_gone(setup: Setup) -> None:
    channel = setup.slack.add_channel(setup.account, "help").id
    setup.act("archive", {}, place=channel)
    assert await setup.error(lambda client: client.chat_postMessage(channel=channel, text="x")) == "is_archived"
    setup.act("block", {"blocked": True})
    assert await setup.error(lambda client: client.chat_postMessage(channel=setup.place.id, text="x")) == "user_disabled"


async def test_what_is_too_long_is_cut_off_without_a_word(setup: Setup) -> None:
    sent = await setup.call(lambda client: client.chat_postMessage(channel=setup.place.id, text="x" * 40_001))
    assert sent["ok"] and len(sent["message"]["text"]) == 40_000


@pytest.mark.parametrize(
    ("fault", "number", "name"),
    [
        (Fault("slack", Mode.REVOKED), 200, "token_revoked"),
        (Fault("slack", Mode.NOT_PERMITTED), 200, "missing_scope"),
        (Fault("slack", Mode.RATE_LIMITED, retry_after=3), 429, "ratelimited"),
        (Fault("slack", Mode.ERROR_NOT_TAKEN), 500, "internal_error"),
        (Fault("slack", Mode.ERROR_TAKEN, code=200), 200, "internal_error"),
    ],
)
async def test_faults_are_exceptions(setup: Setup, fault: Fault, number: int, name: str) -> None:
    setup.running.sandbox.faults.set(fault)
    with pytest.raises(SlackApiError) as error:
        await setup.call(lambda client: client.chat_postMessage(channel=setup.place.id, text="x"))
    assert (error.value.response.status_code, error.value.response["error"]) == (number, name)
    if fault.retry_after:
        assert error.value.response.headers["retry-after"] == "3"
    assert setup.running.sandbox.tally.counts().accepted == (fault.mode is Mode.ERROR_TAKEN)


async def test_events_are_what_slack_s_own_framework_takes(setup: Setup) -> None:
    async with Listening() as listening:

        class Proving:
            """Slack's own verifier, where a provider of ours would be."""

            def challenge(self, call: Any) -> bytes | None:
                return None

            def verify(self, call: Any) -> None:
                assert SignatureVerifier(setup.account.secret).is_valid_request(call.body, call.headers)

            def parse(self, call: Any) -> list[Any]:
                return [json.loads(call.body)]

        listening.provider = Proving()
        setup.slack.set_webhook(setup.account, listening.url)
        question: Any = await listening.until(lambda _: True)
        assert question["type"] == "url_verification" and question["challenge"]
        listening.refusing.append(500)
        setup.act("text", {"text": "a < b"})
        event: Any = await listening.until(lambda body: body["type"] == "event_callback")  # type: ignore[index]
        message = to_message(event)
        assert message is not None and (message["text"], message["channel_type"]) == ("a &lt; b", "im")
        assert listening.calls[-1].headers["x-slack-retry-num"] == "1" and "x-slack-retry-num" not in listening.calls[-2].headers
