"""Words that must not leak are planted everywhere, everything goes wrong once, and nothing that is kept for machines shows them."""

import asyncio

from tests.e2e import ledger
from tests.e2e.processes import GREETING, MASTER_KEY, WEBHOOK_SECRET, Desk, command
from tests.storage.engines import inside

BODY, NAME = "canary-body-outbound", "canary-handle"


async def test_no_content_and_no_secret_is_logged_measured_or_kept_as_an_event(desk: Desk) -> None:
    await desk.start(HELIOGRAPH_LOG_LEVEL="debug", HELIOGRAPH_LOG_FORMAT="json")
    remote = desk.remote
    await desk.contacts(3, name=NAME)
    for mode in ("answer_lost", "error_not_taken", "garbage"):
        await remote.ask("POST", "faults", {"service": "sunshine", "mode": mode, "operation": "send", "count": 1})
    conversations = list(desk.tickets)
    for n in range(3):
        await asyncio.gather(*(desk.reply(each, f"{BODY} {n}", order=n) for each in conversations))
    await remote.ask("POST", "keys/revoke", {"key_id": desk.key_id})
    await asyncio.gather(*(desk.reply(each, f"{BODY} held", order=9) for each in conversations))
    await remote.ask("POST", "keys/restore", {"key_id": desk.key_id})
    await desk.settled(12)
    await bad_requests(desk)
    async with desk.http.get(f"{desk.url}/metrics") as answer:
        measured = await answer.text()
    code, checked, told = await command("check", "--data", str(desk.data))
    assert code == 0, checked + told
    shown = checked + told + "".join((await command("status", "--json", "--data", str(desk.data)))[1:])
    assert desk.child is not None and await desk.child.stop() == 0

    written = desk.child.text()
    assert '"event": "request"' in written and '"event": "attempt_concluded"' in written, "nothing was logged at all"
    assert 'heliograph_attempts_total{outcome="accepted"' in measured
    async with ledger.opened(desk) as store:
        columns = "kind || ' ' || actor || ' ' || stream_id || ' ' || subject || ' ' || data"
        events = "\n".join(row[0] for row in await inside(store, f"SELECT {columns} FROM event"))
        assert await ledger.one(store, "SELECT count(*) FROM body WHERE data LIKE $1", f"%{BODY}%") > 0, "nothing was planted"
    secrets = (desk.key_secret, WEBHOOK_SECRET, desk.token, MASTER_KEY)
    for place, text in (("log", written), ("metrics", measured), ("command line", shown), ("events", events)):
        for word in (BODY, NAME, GREETING, "canary", *secrets, *conversations):
            assert word not in text, f"{word[:6]}… is in the {place}"


async def bad_requests(desk: Desk) -> None:
    """Requests that fail in as many ways as possible, each with a canary in it."""
    headers = {"authorization": "Bearer canary-token-of-nobody"}
    async with desk.http.get(f"{desk.url}/api/v1/tickets?cursor=canary-query", headers=headers) as answer:
        assert answer.status == 401
    headers = {"authorization": f"Bearer {desk.token}"}
    for path, body in (("tickets/canary-id/comments", b'{"contents": "canary-shape"}'), ("tickets/canary-id/comments", b"canary \xff {")):
        async with desk.http.post(f"{desk.url}/api/v1/{path}", data=body, headers=headers | {"content-type": "application/json"}) as answer:
            assert 400 <= answer.status < 500
    async with desk.http.post(f"{desk.url}/hooks/sunshine/{desk.channel}", json={"canary": "forged"}) as answer:
        assert answer.status in (401, 503)
