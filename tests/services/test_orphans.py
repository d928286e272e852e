"""A receipt that came before its message finds it, however many came for messages that are not ours."""

from pathlib import Path

import msgspec

from heliograph.domain.delivery import State
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.ports import rows
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import Receipt
from heliograph.ports.store import Changes
from heliograph.services import receipts
from tests.services.test_troubles import Desk, Line, desk

TAKEN = HttpResponse(201, {}, b'{"messages":[{"id":"ours"}]}')


async def strangers(made: Desk, number: int, kept: str = "") -> None:
    """Receipts of an account that comes before any other, older than all."""
    changes = Changes("acc_0", 1)
    changes.puts.append(rows.Account("acc_0", "Zero", "en", "ask", 1))
    changes.puts += [rows.Credential("acc_0", "crd_0", "sunshine", "", "", "", 1)]
    changes.puts += [rows.Channel("acc_0", "chn_0", "sunshine", "x", "{}", "crd_0", 1, 0, 1, 1)]
    now = made.context.clock.now()
    for index in range(number):
        receipt = Receipt(f"e{index:05}", ReceiptLevel.DELIVERED, 1, provider_id=f"m{index}")
        text = kept or msgspec.json.encode(receipt).decode()
        changes.puts.append(rows.Orphan("acc_0", "chn_0", receipt.event_id, receipt.provider_id, text, now - 1_000_000))
    await made.context.store.commit(changes)


async def early(made: Desk) -> str:
    """A reply that was accepted after its receipt had come."""
    receipt = Receipt("early", ReceiptLevel.DELIVERED, 1, provider_id="ours")
    changes = Changes(made.account, made.context.clock.now())
    text = msgspec.json.encode(receipt).decode()
    changes.puts.append(rows.Orphan(made.account, made.channel.id, "early", "ours", text, changes.at))
    await made.context.store.commit(changes)
    id = await made.say()
    await made.deliver()
    return id


async def test_receipts_that_are_nobodys_do_not_hide_one_that_is_ours(tmp_path: Path) -> None:
    made = await desk(tmp_path, "sunshine", Line(lambda method, url: TAKEN))
    await strangers(made, 2 * receipts.SHARE + 1)
    id = await early(made)
    mark = receipts.BEGINNING
    for _ in range(3):
        mark = await receipts.adopt_orphans(made.context, mark)
    delivered = await made.context.store.delivery(made.account, id)
    assert delivered is not None and delivered.state is State.DELIVERED
    assert mark == receipts.BEGINNING
    await made.application.close()


async def test_one_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    made = await desk(tmp_path, "sunshine", Line(lambda method, url: TAKEN))
    await strangers(made, 1, kept="{")
    id = await early(made)
    await receipts.adopt_orphans(made.context)
    delivered = await made.context.store.delivery(made.account, id)
    assert delivered is not None and delivered.state is State.DELIVERED
    await made.application.close()
