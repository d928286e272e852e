"""What a provider accepts and hands back, and what it refuses for one contact: who waits, and for how long."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from heliograph.domain.content import Text
from heliograph.domain.delivery import Delivery, Question, State
from heliograph.domain.health import Condition
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import BUDGET, SECOND
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import Receipt
from heliograph.services.deliver import Delivering
from heliograph.services.ingest import ingest
from heliograph.services.reply import reply
from heliograph.services.traffic import Traffic
from tests.services.test_troubles import Desk, Line, desk


class Meta(Line):
    """The Cloud API: takes each message, or refuses those to `refused` with `code`."""

    def __init__(self, *, refused: Collection[str] = (), code: int = 0) -> None:
        super().__init__(lambda method, url: HttpResponse(500, {}, b""))
        self.refused, self.code = refused, code
        self.took: list[str] = []

    async def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> HttpResponse:
        to = json.loads(body or b"{}")["to"]
        if to in self.refused:
            return HttpResponse(400, {}, json.dumps({"error": {"code": self.code, "message": "x"}}).encode())
        self.took.append(to)
        return HttpResponse(200, {}, json.dumps({"messages": [{"id": f"wamid.{len(self.took)}"}]}).encode())


class Shop:
    """A WhatsApp channel with the conversations of three contacts, and one worker."""

    def __init__(self, made: Desk) -> None:
        self.made = made
        self.receipts = 0
        self._worker = Delivering(
            made.context, made.application.holds, worker="w", lease=60 * SECOND, goes_on=lambda: False, traffic=Traffic(4)
        )

    @property
    def store(self) -> Any:
        return self.made.context.store

    async def say(self, ticket: str) -> str:
        made = self.made
        saved = await reply(made.context, made.account, ticket, agent=made.agent, actor="a", contents=[Text("hi")], public=True)
        return saved.deliveries[0]

    async def deliver(self, *, ahead: int = 0) -> int:
        """Send what may go `ahead` seconds from now; how many that were."""
        now = self.made.context.clock.now() + ahead * SECOND
        mark = self.made.application.holds.mark()
        found = await self.store.claim(worker="w", now=now, lease_until=now + 60 * SECOND, limit=9)
        for claimed in found:
            await self._worker.deliver(claimed, mark=mark)
        return len(found)

    async def row(self, id: str) -> Delivery:
        row = await self.store.delivery(self.made.account, id)
        assert row is not None
        return row

    async def tell(self, id: str, level: ReceiptLevel, reason: Reason | None = None, *, code: str = "", lane: bool = False) -> None:
        self.receipts += 1
        row = await self.row(id)
        receipt = Receipt(f"r{self.receipts}", level, 1, row.provider_id, row.key, reason=reason, code=code, lane=lane)
        await ingest(self.made.context, self.made.channel, [receipt])

    async def throttled(self) -> bool:
        channel = await self.store.channel(self.made.account, self.made.channel.id)
        return bool(channel.throttled_until)

    async def held(self) -> bool:
        health = await self.store.health(self.made.account, "channel", self.made.channel.id)
        return health is not None and health.condition is Condition.HELD


async def shop(folder: Path, line: Line) -> Shop:
    made = await desk(folder, "whatsapp", line)
    await made.conversation("cnv_2", "there", "tkt_2")
    await made.conversation("cnv_3", "elsewhere", "tkt_3")
    return Shop(made)


# --- too fast for one contact ---------------------------------------------------------------------------


async def test_too_fast_for_one_contact_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    # Two of them in the same moment, which without the provider's word would speak of the channel.
    line = Meta(refused={"here", "there"}, code=131056)
    here = await shop(tmp_path, line)
    for ticket in ("tkt_1", "tkt_2"):
        await here.say(ticket)
    assert await here.deliver() == 2
    assert line.took == [] and not await here.throttled()
    await here.say("tkt_3")
    assert await here.deliver() == 1
    line.refused = set()
    assert await here.deliver(ahead=600) == 2
    assert sorted(line.took) == ["elsewhere", "here", "there"]
    await here.made.application.close()


async def test_too_fast_for_the_channel_has_all_of_it_wait(tmp_path: Path) -> None:
    line = Meta(refused={"here", "there"}, code=130429)
    here = await shop(tmp_path, line)
    for ticket in ("tkt_1", "tkt_2"):
        await here.say(ticket)
    await here.deliver()
    assert await here.throttled()
    await here.say("tkt_3")
    assert await here.deliver() == 0
    assert await here.deliver(ahead=600) == 3
    await here.made.application.close()


async def test_a_receipt_that_speaks_of_one_contact_has_that_lane_wait_and_no_other(tmp_path: Path) -> None:
    here = await shop(tmp_path, Meta())
    id = await here.say("tkt_1")
    await here.deliver()
    at = here.made.context.clock.now()
    await here.tell(id, ReceiptLevel.FAILED, Reason.RATE_LIMITED, code="131056", lane=True)
    row = await here.row(id)
    assert (row.state, row.spent) == (State.QUEUED, 0) and row.ready_at >= at + SECOND // 2
    assert not await here.throttled() and not await here.held()
    await here.say("tkt_2")
    assert await here.deliver() == 1
    assert await here.deliver(ahead=600) == 1
    await here.made.application.close()


async def test_a_receipt_that_speaks_of_the_channel_throttles_it(tmp_path: Path) -> None:
    here = await shop(tmp_path, Meta())
    id = await here.say("tkt_1")
    await here.deliver()
    await here.tell(id, ReceiptLevel.FAILED, Reason.RATE_LIMITED, code="130429")
    assert await here.throttled()
    await here.made.application.close()


# --- accepted and handed back, again and again ----------------------------------------------------------


async def test_one_message_that_comes_back_again_and_again_while_others_arrive_asks(tmp_path: Path) -> None:
    line = Meta()
    here = await shop(tmp_path, line)
    bad = await here.say("tkt_1")
    await here.deliver()
    rounds = 0
    while (await here.row(bad)).state is State.ACCEPTED:
        rounds += 1
        good = await here.say("tkt_2")
        assert await here.deliver(ahead=rounds * 60) == 1
        await here.tell(good, ReceiptLevel.DELIVERED)
        await here.tell(bad, ReceiptLevel.FAILED, Reason.PROVIDER_DOWN, code="131000")
        assert not await here.held()
        if (await here.row(bad)).state is State.QUEUED:
            assert await here.deliver(ahead=rounds * 60 + 30) == 1
    row = await here.row(bad)
    assert (row.state, row.question, rounds) == (State.ASKING, Question.EXHAUSTED, BUDGET)
    assert line.took.count("here") == BUDGET
    await here.made.application.close()


async def test_a_channel_that_hands_back_everything_is_held_and_spends_nothing(tmp_path: Path) -> None:
    here = await shop(tmp_path, Meta())
    one, other = await here.say("tkt_1"), await here.say("tkt_2")
    await here.deliver()
    for id in (one, other):
        await here.tell(id, ReceiptLevel.FAILED, Reason.PROVIDER_DOWN, code="131000")
    assert await here.held()
    assert [((row := await here.row(id)).state, row.spent) for id in (one, other)] == [(State.QUEUED, 0)] * 2
    assert await here.deliver(ahead=600) == 0
    await here.made.application.close()


async def test_what_arrived_before_says_nothing_about_what_is_handed_back_now(tmp_path: Path) -> None:
    here = await shop(tmp_path, Meta())
    good = await here.say("tkt_2")
    await here.deliver()
    bad = await here.say("tkt_1")
    await here.deliver()
    await here.tell(good, ReceiptLevel.DELIVERED)
    await here.tell(bad, ReceiptLevel.FAILED, Reason.PROVIDER_DOWN, code="131000")
    assert await here.held() and (await here.row(bad)).spent == 0
    await here.made.application.close()
