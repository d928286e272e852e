"""In a real process: a revoked key is an alarm within a second of its first refusal, and over once it works again."""

import asyncio
import json
import time

import pytest

from tests.e2e import ledger
from tests.e2e.processes import PATIENCE, Desk
from tests.storage.engines import inside

SECOND = 1_000_000
CONVERSATIONS = 6


@pytest.mark.parametrize("desk", ["sqlite", "postgres"], indirect=True)
async def test_a_revoked_key_is_noticed_and_its_return_too(desk: Desk) -> None:
    await desk.start()
    await desk.contacts(CONVERSATIONS)
    remote = desk.remote
    await asyncio.gather(*(desk.reply(conversation, "before", order=0) for conversation in desk.tickets))
    await remote.until(accepted=CONVERSATIONS)
    await remote.ask("POST", "keys/revoke", {"key_id": desk.key_id})
    await asyncio.gather(*(desk.reply(conversation, "after", order=1) for conversation in desk.tickets))
    deadline = time.monotonic() + PATIENCE
    # The first refused send may be the only one.
    while (await remote.ask("GET", "requests?after_first=401"))["first"] is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    await asyncio.sleep(1.5)
    await remote.ask("POST", "keys/restore", {"key_id": desk.key_id})
    await remote.until(accepted=2 * CONVERSATIONS)
    await desk.settled(2 * CONVERSATIONS)
    await asyncio.sleep(1)
    assert desk.child is not None and await desk.child.stop() == 0

    async with ledger.opened(desk) as store:
        refused = await ledger.one(
            store, "SELECT min(recorded_at) FROM event WHERE kind = 'attempt_deferred' AND reason = 'bad_credentials'"
        )
        told = await inside(store, "SELECT kind, recorded_at, account, stream, data FROM event WHERE kind LIKE 'alarm_%' ORDER BY seq")
        alarms = [(kind, at, account, stream, json.loads(data)) for kind, at, account, stream, data in told]
        holds = [alarm for alarm in alarms if alarm[4]["detector"] == "hold" and alarm[4]["subject"].startswith("credential:")]
        [raised, cleared] = holds
        print(f"the alarm came {(raised[1] - refused) / 1000:.0f} ms after the first refusal was recorded; in all {len(alarms)}")
        assert (raised[0], cleared[0]) == ("alarm_raised", "alarm_cleared")
        assert raised[1] - refused < SECOND
        assert raised[2] == raised[4]["account"] == desk.account and raised[3] == "credential"
        assert all(alarm[4]["account"] == desk.account for alarm in alarms), "an account's own key is that account's trouble"
        state = json.loads(await ledger.one(store, "SELECT data FROM document WHERE kind = 'detector'"))
        assert state["alarms"] == {} and state["holds"] == {}
