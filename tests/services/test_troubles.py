"""What one conversation or one moment of the store cannot give must not stop what the others wait for."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain.content import Content, Text
from heliograph.domain.delivery import Question, State
from heliograph.ports import rows
from heliograph.ports.http import HttpFile, HttpResponse, MaybeSent
from heliograph.ports.store import Changes, Conflict, Unavailable
from heliograph.providers.registry import PROVIDERS
from heliograph.services import settle
from heliograph.services.catch_up import catch_up
from heliograph.services.channels import Channels
from heliograph.services.configure import create_account, create_agent, create_channel
from heliograph.services.context import Context
from heliograph.services.deliver import MARGIN, Delivering
from heliograph.services.files import as_media, upload
from heliograph.services.reply import reply

HI = Text("hi")
FIELDS = {
    "sunshine": {"app_id": "app", "key_id": "app_k", "key_secret": "s"},
    "telegram": {"token": "1:x"},
    "whatsapp": {
        "phone_number_id": "106540352242922",
        "waba_id": "102290129340398",
        "token": "EAAJB",
        "verify_token": "v",
        "webhook_secret": "s",
    },
}
GONE = HttpResponse(404, {}, b'{"errors":[{"code":"conversation_not_found","title":"gone"}]}')


@dataclass
class Line:
    """`ports.Http` with a script at the other end."""

    answer: Callable[[str, str], HttpResponse]
    asked: list[str] = field(default_factory=list)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (), timeout: float, max_bytes: int = 1_048_576,
    ) -> HttpResponse:  # fmt: skip
        self.asked.append(f"{method} {url}")
        return self.answer(method, url)


@dataclass
class Slow(Line):
    """Each answer takes its time. `done`: what was answered."""

    seconds: float = 0.2
    done: list[str] = field(default_factory=list)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (), timeout: float, max_bytes: int = 1_048_576,
    ) -> HttpResponse:  # fmt: skip
        self.asked.append(f"{method} {url}")
        await asyncio.sleep(self.seconds)
        self.done.append(f"{method} {url}")
        return self.answer(method, url)


@dataclass
class Desk:
    """One account with one channel and one ticket in conversation "here"."""

    application: Application
    account: str
    agent: str
    channel: rows.Channel

    @property
    def context(self) -> Context:
        return self.application.context

    async def conversation(self, id: str, address: str, ticket: str = "") -> None:
        changes = Changes(self.account, self.context.clock.now())
        now = changes.at
        changes.puts += [
            rows.Contact(self.account, f"con_{id}", "Ada", 1),
            rows.Conversation(self.account, id, self.channel.id, address, f"con_{id}", ticket, "", now, 0, now),
        ]
        if ticket:
            changes.puts.append(rows.Ticket(self.account, ticket, 0, id, self.channel.id, f"con_{id}", "open", now, now))
        await self.context.store.commit(changes)

    async def say(self, content: Content = HI) -> str:
        saved = await reply(self.context, self.account, "tkt_1", agent=self.agent, actor="a", contents=[content], public=True)
        return saved.deliveries[0]

    async def deliver(self, *, lease: int = 60_000_000) -> None:
        now = self.context.clock.now()
        mark = self.application.holds.mark()
        delivering = Delivering(self.context, self.application.holds, worker="w", lease=lease, goes_on=lambda: False)
        for claimed in await self.context.store.claim(worker="w", now=now, lease_until=now + lease, limit=9):
            await delivering.deliver(claimed, mark=mark)


async def desk(folder: Path, provider: str, line: Line) -> Desk:
    application = await build(Config(folder, b"k" * 32, http_process=False))
    context = application.context
    context.channels = Channels(context.store, lambda name, fields: PROVIDERS[name](fields, line), context.channels.vault)
    account = await create_account(context, "Lighthouse")
    agent = await create_agent(context, account, "Sam")
    id = await create_channel(context, account, application.specs[provider], name="x", config=FIELDS[provider], actor="operator")
    channel = await context.store.channel(account, id)
    assert channel is not None
    made = Desk(application, account, agent, channel)
    await made.conversation("cnv_1", "here", "tkt_1")
    return made


async def test_a_conversation_that_is_gone_does_not_keep_the_others_from_being_caught_up(tmp_path: Path) -> None:
    said = {
        "id": "m1",
        "received": "2040-01-01T00:00:00Z",
        "author": {"type": "user", "userId": "u"},
        "content": {"type": "text", "text": "x"},
    }
    page = HttpResponse(200, {}, msgspec.json.encode({"messages": [said], "meta": {"hasMore": False}}))
    line = Line(lambda method, url: GONE if "/here/" in url else page)
    made = await desk(tmp_path, "sunshine", line)
    await asyncio.sleep(0.002)
    await made.conversation("cnv_2", "there")
    assert await catch_up(made.context, made.channel, force=True) == 1
    assert any("/here/" in asked for asked in line.asked) and any("/there/" in asked for asked in line.asked)
    await made.application.close()


async def test_a_send_that_can_never_be_looked_up_asks_a_person(tmp_path: Path) -> None:
    def answer(method: str, url: str) -> HttpResponse:
        if method == "POST":
            raise MaybeSent("read_timeout")
        return GONE

    made = await desk(tmp_path, "sunshine", Line(answer))
    id = await made.say()
    await made.deliver()
    store = made.context.store
    unknown = await store.delivery(made.account, id)
    assert unknown is not None and unknown.state is State.UNKNOWN
    await settle.settle(made.context, unknown)
    asking = await store.delivery(made.account, id)
    assert asking is not None and (asking.state, asking.question) == (State.ASKING, Question.MAY_HAVE_BEEN_SENT)
    await made.application.close()


async def test_a_reply_follows_its_chat_to_an_address_where_somebody_has_written_already(tmp_path: Path) -> None:
    moved = HttpResponse(400, {}, b'{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-100}}')
    made = await desk(tmp_path, "telegram", Line(lambda method, url: moved))
    await made.conversation("cnv_2", "-100", "tkt_2")
    id = await made.say()
    await made.deliver()
    queued, conversation = await made.context.store.delivery(made.account, id), await made.context.store.conversation(made.account, "cnv_1")
    assert queued is not None and queued.state is State.QUEUED
    assert conversation is not None and conversation.address == "-100"
    survivor = await made.context.store.conversation_at(made.account, made.channel.id, "-100")
    assert survivor is not None and survivor.id == "cnv_2"
    await made.application.close()


async def test_an_answer_is_written_down_whatever_the_store_does_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = HttpResponse(200, {}, b'{"ok":true,"result":{"message_id":7,"chat":{"id":5}}}')
    made = await desk(tmp_path, "telegram", Line(lambda method, url: taken))
    id = await made.say()
    store = made.context.store
    commit, read = store.commit, store.delivery
    troubles: list[Exception] = [Conflict("delivery"), Unavailable("read"), Conflict("again")]

    async def commits(changes: Changes) -> None:
        if troubles and isinstance(troubles[0], Conflict):
            raise troubles.pop(0)
        await commit(changes)

    async def reads(account: str, delivery: str) -> object:
        if troubles and isinstance(troubles[0], Unavailable):
            raise troubles.pop(0)
        return await read(account, delivery)

    monkeypatch.setattr(store, "commit", commits)
    monkeypatch.setattr(store, "delivery", reads)
    await made.deliver()
    accepted = await read(made.account, id)
    assert accepted is not None and (accepted.state, accepted.provider_id) == (State.ACCEPTED, "5:7")
    await made.application.close()


async def test_the_calls_of_one_attempt_end_together_before_its_lease(tmp_path: Path) -> None:
    uploaded = HttpResponse(201, {}, b'{"attachment":{"mediaUrl":"https://files.example/1"}}')
    line = Slow(lambda method, url: uploaded, seconds=0.4)
    made = await desk(tmp_path, "sunshine", line)
    kept = await upload(made.context, made.account, name="map.pdf", media_type="application/pdf", data=b"x", actor="a")
    id = await made.say(as_media(kept))
    begun = made.context.clock.now()
    # Time for the first of its two calls, and for half of the second.
    await made.deliver(lease=int((MARGIN + 0.6) * 1_000_000))
    assert made.context.clock.now() - begun < MARGIN * 1_000_000
    assert (len(line.asked), len(line.done)) == (2, 1)
    unknown = await made.context.store.delivery(made.account, id)
    assert unknown is not None and (unknown.state, unknown.code) == (State.UNKNOWN, "lease_deadline")
    await made.application.close()


async def test_taking_control_leaves_the_message_its_time(tmp_path: Path) -> None:
    sent = HttpResponse(201, {}, b'{"messages":[{"id":"m1"}]}')
    line = Line(lambda method, url: sent)
    made = await desk(tmp_path, "sunshine", line)
    changes = Changes(made.account, made.context.clock.now())
    changes.puts.append(rows.SetControl(made.account, "cnv_1", "other"))
    await made.context.store.commit(changes)
    connected = await made.context.channels.get(made.account, made.channel.id)
    assert connected is not None
    asked: list[object] = []

    async def never(to: object) -> object:
        asked.append(to)
        return await asyncio.Event().wait()

    connected.provider.take_control = never
    id = await made.say()
    await made.deliver(lease=int((MARGIN + 1.0) * 1_000_000))
    accepted = await made.context.store.delivery(made.account, id)
    assert len(asked) == 1 and accepted is not None and accepted.state is State.ACCEPTED
    await made.application.close()
