"""A conversation that moves takes its replies along; one that moves to where another of ours is joins that one's order."""

import json
from pathlib import Path
from typing import Any

import pytest

from heliograph.domain.content import Text
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import Author, ConversationMoved, InboundMessage
from heliograph.ports.store import Changes
from heliograph.services.deliver import Delivering
from heliograph.services.ingest import ingest
from heliograph.services.reply import reply
from tests.services.test_troubles import Desk, Line, desk

OLD, NEW = "-100", "-100200"


class Groups(Line):
    """Telegram with a group that became a supergroup. `took`: texts by chat, in the order of acceptance."""

    def __init__(self) -> None:
        super().__init__(lambda method, url: HttpResponse(500, {}, b""))
        self.took: list[tuple[str, str]] = []

    async def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> HttpResponse:
        said = json.loads(body or b"{}")
        if str(said["chat_id"]) == OLD:
            moved = {"ok": False, "error_code": 400, "description": "upgraded", "parameters": {"migrate_to_chat_id": int(NEW)}}
            return HttpResponse(400, {}, json.dumps(moved).encode())
        self.took.append((str(said["chat_id"]), said["text"]))
        taken = {"ok": True, "result": {"message_id": len(self.took), "chat": {"id": said["chat_id"]}}}
        return HttpResponse(200, {}, json.dumps(taken).encode())


async def two_groups(folder: Path, line: Line) -> Desk:
    made = await desk(folder, "telegram", line)
    await made.context.store.commit(Changes(made.account, made.context.clock.now(), puts=[rows.Readdress(made.account, "cnv_1", NEW, 0)]))
    await made.conversation("cnv_2", OLD, "tkt_2")
    return made


async def say(made: Desk, ticket: str, text: str) -> None:
    await reply(made.context, made.account, ticket, agent=made.agent, actor="a", contents=[Text(text)], public=True)


async def deliver(made: Desk, *, turn: int) -> None:
    """Send what may go once the pace of a chat allows the next message."""
    now = made.context.clock.now() + turn * 10 * SECOND
    mark = made.application.holds.mark()
    delivering = Delivering(made.context, made.application.holds, worker="w", lease=60 * SECOND, goes_on=lambda: False)
    for claimed in await made.context.store.claim(worker="w", now=now, lease_until=now + 60 * SECOND, limit=9):
        await delivering.deliver(claimed, mark=mark)


async def removed(made: Desk, id: str) -> tuple[str, int]:
    row = await made.context.store.conversation(made.account, id)
    assert row is not None
    return row.address, row.removed


@pytest.mark.parametrize("told", ["by the answer to a call", "by an update"])
async def test_replies_of_two_conversations_that_become_one_go_in_the_order_of_their_writing(tmp_path: Path, told: str) -> None:
    line = Groups()
    made = await two_groups(tmp_path, line)
    if told == "by the answer to a call":
        await say(made, "tkt_2", "one")
        await made.deliver()
    else:
        await ingest(made.context, made.channel, [ConversationMoved("e1", OLD, NEW, 1)])
        await say(made, "tkt_2", "one")
    for n, text in enumerate(("two", "three", "four", "five")):
        await say(made, f"tkt_{n % 2 + 1}", text)
    assert await removed(made, "cnv_2") == (NEW, 2)
    for turn in range(1, 6):
        await deliver(made, turn=turn)
        assert len(line.took) == turn
    assert line.took == [(NEW, text) for text in ("one", "two", "three", "four", "five")]
    await made.application.close()


async def test_a_conversation_that_moves_where_none_is_stays_itself(tmp_path: Path) -> None:
    line = Groups()
    made = await desk(tmp_path, "telegram", line)
    await made.conversation("cnv_2", OLD, "tkt_2")
    await say(made, "tkt_2", "one")
    await made.deliver()
    assert await removed(made, "cnv_2") == (NEW, 0)
    await deliver(made, turn=1)
    assert line.took == [(NEW, "one")]
    await made.application.close()


async def test_it_does_not_join_one_that_is_gone(tmp_path: Path) -> None:
    made = await two_groups(tmp_path, Groups())
    store = made.context.store
    await store.commit(Changes(made.account, made.context.clock.now(), puts=[rows.RemoveConversation(made.account, "cnv_1")]))
    await ingest(made.context, made.channel, [ConversationMoved("e1", OLD, NEW, 1)])
    assert await removed(made, "cnv_2") == (NEW, 0)
    said = InboundMessage("e2", NEW, "7", "Ada", "m1", Author.CONTACT, (Text("hello"),), 1)
    await ingest(made.context, made.channel, [said])
    found = await store.conversation_at(made.account, made.channel.id, NEW)
    assert found is not None and found.id == "cnv_2"
    await made.application.close()


async def test_told_twice_it_moves_once(tmp_path: Path) -> None:
    made = await two_groups(tmp_path, Groups())
    await ingest(made.context, made.channel, [ConversationMoved("e1", OLD, NEW, 1)])
    await ingest(made.context, made.channel, [ConversationMoved("e2", OLD, NEW, 1)])
    events = await made.context.store.events(made.account, stream="ticket", stream_id="tkt_2", after=0, limit=50)
    assert [event.kind for event in events].count("conversation_replaced") == 1
    await made.application.close()
