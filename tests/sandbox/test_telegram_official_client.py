"""python-telegram-bot accepts the simulated Bot API as real."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import telegram
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter

from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.wire import Upload
from heliograph.sandbox.world import Demo


@dataclass
class Setup:
    """A running sandbox and a client's bot for the demo's token."""

    running: RunningSandbox
    demo: Demo
    bots: list[telegram.Bot]

    @property
    def bot(self) -> telegram.Bot:
        return self.bots[0]

    def with_token(self, token: str) -> telegram.Bot:
        base = self.running.telegram_url
        self.bots.append(telegram.Bot(token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot"))
        return self.bots[-1]


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    demo = sandbox.seed_demo()
    made = Setup(running, demo, [])
    made.with_token(demo.bot_token)
    yield made
    for bot in made.bots:
        await bot.shutdown()
    await running.stop()


async def test_get_me(setup: Setup) -> None:
    me = await setup.bot.get_me()
    assert (me.username, me.is_bot) == ("demo_desk_bot", True)


@pytest.mark.parametrize(("token", "said"), [("5000000001:" + "x" * 35, "Unauthorized"), ("nonsense", "Not Found")])
async def test_wrong_tokens(setup: Setup, token: str, said: str) -> None:
    with pytest.raises(InvalidToken, match=said):
        await setup.with_token(token).get_me()


async def test_text_is_sent_and_answers_what_it_replies_to(setup: Setup) -> None:
    asked = setup.running.sandbox.telegram.contacts.text(setup.demo.chat_id, "where is my order?")
    sent = await setup.bot.send_message(setup.demo.chat_id, "on its way", reply_parameters=telegram.ReplyParameters(asked.id))
    assert (sent.text, sent.chat.first_name) == ("on its way", "Ada")
    assert sent.reply_to_message is not None and sent.reply_to_message.text == "where is my order?"


@pytest.mark.parametrize(
    ("chat", "text", "mode", "said"),
    [
        ("42", "x", None, "Chat not found"),
        (None, " ", None, "Message text is empty"),
        (None, "x" * 4097, None, "Message is too long"),
        (None, "snake_case", "Markdown", "Can't parse entities"),
    ],
)
async def test_refused_texts(setup: Setup, chat: str | None, text: str, mode: str | None, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        await setup.bot.send_message(chat or setup.demo.chat_id, text, parse_mode=mode)
    assert setup.running.sandbox.tally.counts().accepted == 0


async def test_files_are_sent_and_fetched(setup: Setup) -> None:
    sent = await setup.bot.send_document(setup.demo.chat_id, b"%PDF", filename="bill.pdf", caption="your bill")
    assert sent.document is not None and (sent.document.file_name, sent.caption) == ("bill.pdf", "your bill")
    file = await setup.bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"%PDF"
    photo = await setup.bot.send_photo(setup.demo.chat_id, b"\x89PNG", filename="a.png")
    again = await setup.bot.send_photo(setup.demo.chat_id, photo.photo[-1].file_id)
    assert again.photo[-1].file_id == photo.photo[-1].file_id
    assert (await setup.bot.send_video(setup.demo.chat_id, b"v", filename="v.mp4")).video is not None
    assert (await setup.bot.send_audio(setup.demo.chat_id, b"a", filename="a.mp3")).audio is not None
    place = await setup.bot.send_location(setup.demo.chat_id, 52.5, 13.4)
    assert place.location is not None and place.location.latitude == 52.5
    assert await setup.bot.send_chat_action(setup.demo.chat_id, "typing")


async def test_every_kind_of_update_is_understood(setup: Setup) -> None:
    contact, chat = setup.running.sandbox.telegram.contacts, setup.demo.chat_id
    first = contact.text(chat, "hi")
    contact.file(chat, "photo", Upload("f", "p.jpg", "image/jpeg", b"\xff\xd8"), "look")
    contact.file(chat, "document", Upload("f", "d.pdf", "application/pdf", b"%PDF"))
    contact.file(chat, "voice", Upload("f", "v.ogg", "audio/ogg", b"OggS"))
    contact.sticker(chat, "👍")
    contact.location(chat, 1.5, 2.5)
    contact.share_contact(chat, "+4912345", "Bo")
    contact.edit(chat, first.id, "hello")
    contact.block(chat, blocked=True)
    updates = await setup.bot.get_updates(timeout=0)
    seen = [u.message for u in updates[:7]]
    assert [bool(m) for m in seen] == [True] * 7
    kinds = ("text", "photo", "document", "voice", "sticker", "location", "contact")
    assert all(getattr(m, kind) for m, kind in zip(seen, kinds, strict=True))
    assert updates[7].edited_message is not None and updates[7].edited_message.text == "hello"
    assert updates[8].my_chat_member is not None and updates[8].my_chat_member.new_chat_member.status == "kicked"
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await setup.bot.send_message(chat, "x")
    assert [u.update_id for u in await setup.bot.get_updates(offset=updates[-1].update_id, timeout=0)] == [updates[-1].update_id]
    assert await setup.bot.get_updates(offset=updates[-1].update_id + 1, timeout=0) == ()


async def test_long_polling_wakes_up_at_once(setup: Setup) -> None:
    waiting = asyncio.create_task(setup.bot.get_updates(timeout=50))
    while setup.running.sandbox.telegram.center.bots[int(setup.demo.bot_token.partition(":")[0])].poll == 0:
        await asyncio.sleep(0)
    setup.running.sandbox.telegram.contacts.text(setup.demo.chat_id, "hi")
    updates = await asyncio.wait_for(waiting, 10)
    assert updates[0].message is not None and updates[0].message.text == "hi"


async def test_a_second_poller_ends_the_first(setup: Setup) -> None:
    first = asyncio.create_task(setup.bot.get_updates(timeout=50))
    while setup.running.sandbox.telegram.center.bots[int(setup.demo.bot_token.partition(":")[0])].poll == 0:
        await asyncio.sleep(0)
    assert await setup.with_token(setup.demo.bot_token).get_updates(timeout=0) == ()
    with pytest.raises(Conflict):
        await asyncio.wait_for(first, 10)


async def test_webhook_and_polling_exclude_each_other(setup: Setup) -> None:
    with pytest.raises(BadRequest, match="https"):
        await setup.bot.set_webhook("http://example.org/hook")
    assert await setup.bot.set_webhook("http://127.0.0.1:9/hook", secret_token="abc")
    assert (await setup.bot.get_webhook_info()).url == "http://127.0.0.1:9/hook"
    with pytest.raises(Conflict):
        await setup.bot.get_updates(timeout=0)
    assert await setup.bot.delete_webhook()
    assert await setup.bot.get_updates(timeout=0) == ()


async def test_group_that_became_a_supergroup(setup: Setup) -> None:
    telegram_side = setup.running.sandbox.telegram
    bot = next(iter(telegram_side.center.bots.values()))
    group = telegram_side.center.new_chat(bot, "Ada", kind="group")
    moved = telegram_side.contacts.migrate(str(group.id))
    with pytest.raises(ChatMigrated) as told:
        await setup.bot.send_message(group.id, "x")
    assert told.value.new_chat_id == moved.id
    assert (await setup.bot.send_message(moved.id, "x")).chat.type == "supergroup"


async def test_faults(setup: Setup) -> None:
    faults, chat = setup.running.sandbox.faults, setup.demo.chat_id
    fault = faults.set(Fault("telegram", Mode.RATE_LIMITED, retry_after=7))
    with pytest.raises(RetryAfter, match="7"):
        await setup.bot.send_message(chat, "x")
    faults.clear(id=fault.id)
    faults.set(Fault("telegram", Mode.REVOKED, count=1))
    with pytest.raises(InvalidToken, match="Unauthorized"):
        await setup.bot.get_me()
    faults.set(Fault("telegram", Mode.ANSWER_LOST, operation="send", count=1))
    with pytest.raises(NetworkError):
        await setup.bot.send_message(chat, "taken")
    faults.set(Fault("telegram", Mode.REQUEST_LOST, operation="send", count=1))
    with pytest.raises(NetworkError):
        await setup.bot.send_message(chat, "not taken")
    assert [t.text for t in setup.running.sandbox.tally.taken("telegram")] == ["taken"]
    bot = next(iter(setup.running.sandbox.telegram.center.bots.values()))
    bot.revoked = True
    with pytest.raises(InvalidToken, match="Unauthorized"):
        await setup.bot.get_updates(timeout=0)
