"""The bar: 1,000 replies over 100 conversations, keys revoked midway and restored, and nobody presses anything."""

import asyncio
import time

import pytest

from heliograph.domain.health import LAST_INTERVAL
from heliograph.domain.retry import SECOND
from tests.e2e import ledger
from tests.e2e.processes import PATIENCE, Desk
from tests.storage.engines import inside

CONVERSATIONS, EACH = 100, 10
GRACE = 100_000
#: Seconds until a hold tries again at the latest.
LONGEST_WAIT = LAST_INTERVAL / SECOND


async def refused(desk: Desk) -> bool:
    """Whether the sandbox has answered anything with 401. Whoever asks first may be the only one: a hold keeps the others from it."""
    return (await desk.remote.ask("GET", f"requests?operation=send&key={desk.key_id}&after_first=401"))["first"] is not None


async def calls_refused_later(desk: Desk) -> list[int]:
    """When sends after the first 401 were refused, in microseconds from the first of them, as the sandbox saw them arrive."""
    found = await desk.remote.ask("GET", f"requests?operation=send&key={desk.key_id}&after_first=401")
    arrived = [each["at"] for each in found["requests"] if each["outcome"] == "401"]
    return [at - arrived[0] for at in arrived]


@pytest.mark.timeout(4 * PATIENCE)
@pytest.mark.parametrize("conversations", [CONVERSATIONS, 1])
@pytest.mark.parametrize("desk", ["sqlite", "postgres"], indirect=True)
async def test_nothing_is_lost_doubled_or_overtaken(desk: Desk, conversations: int) -> None:
    begun = time.monotonic()
    total = conversations * EACH
    await desk.start()
    await desk.contacts(conversations)
    remote = desk.remote

    revoked = asyncio.Event()

    async def agent(conversation: str) -> None:
        for n in range(EACH):
            if n == EACH // 2:
                await revoked.wait()
            await desk.reply(conversation, f"Reply {n} to {conversation}", order=n)

    async def trouble() -> None:
        await remote.until(accepted=total // 4)
        await remote.ask("POST", "keys/revoke", {"key_id": desk.key_id})
        revoked.set()

    await asyncio.gather(trouble(), *(agent(conversation) for conversation in desk.tickets))
    while not await refused(desk):
        await asyncio.sleep(0.05)
    # Long enough for whoever would start something on the revoked key to do so.
    await asyncio.sleep(1)
    held = await remote.counts()
    assert held["written"] == total and held["waiting"] >= total // 2
    await remote.ask("POST", "keys/restore", {"key_id": desk.key_id})
    await remote.until(accepted=total, seconds=LONGEST_WAIT + PATIENCE)
    verdict = await remote.ask("POST", "final")
    at_sandbox = await calls_refused_later(desk)
    assert desk.child is not None and await desk.child.stop() == 0

    assert {name: verdict[name] for name in ("delivered", "lost", "doubled", "overtaken", "unexpected", "given_up", "waiting")} == {
        "delivered": total, "lost": 0, "doubled": 0, "overtaken": 0, "unexpected": 0, "given_up": 0, "waiting": 0,
    }  # fmt: skip
    async with ledger.opened(desk) as store:
        seen = await ledger.revoked(store, grace=GRACE)
        print(f"held {held['waiting']}; of the ledger: {seen}; of the sandbox: {at_sandbox}; {time.monotonic() - begun:.1f} s in all")
        assert seen.late == []
        assert await ledger.one(store, "SELECT count(*) FROM delivery WHERE spent <> 0") == 0
        pressed = await inside(
            store, "SELECT kind, count(*) FROM event WHERE kind IN ('resent', 'marked_sent', 'reply_cancelled') GROUP BY kind"
        )
        assert pressed == []
        assert set(await ledger.states(store)) <= {"accepted", "delivered", "read"}
