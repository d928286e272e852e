"""A wrong master key is a fault of the installation, not of a reply: what is written waits, and goes out under the right key."""

import asyncio
from pathlib import Path

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain.content import Text
from heliograph.domain.delivery import State
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.services.configure import create_account, create_agent, create_channel
from heliograph.services.reply import reply
from heliograph.worker.worker import Worker

RIGHT, WRONG = b"r" * 32, b"w" * 32


async def opened(folder: Path, key: bytes) -> tuple[Application, Worker]:
    application = await build(Config(folder, key, allow_networks=("127.0.0.0/8",), http_process=False))
    worker = Worker(application.context, application.holds, name="w", concurrency=4, lease=60.0)
    application.context.store.on_touched = worker.delivery.wake
    return application, worker


async def founded(application: Application, sandbox: RunningSandbox) -> tuple[str, str, str]:
    """An account with an agent and a ticket in the demo conversation."""
    demo = sandbox.sandbox.seed_demo()
    context = application.context
    account = await create_account(context, "Lighthouse")
    agent = await create_agent(context, account, "Sam")
    config = {"base_url": sandbox.sunshine_url, "app_id": demo.app_id, "key_id": demo.key_id, "key_secret": demo.key_secret}
    channel = await create_channel(context, account, application.specs["sunshine"], name="Chat", config=config, actor="operator")
    changes = Changes(account, context.clock.now())
    changes.puts += [
        rows.Contact(account, "con_1", "Ada", 1),
        rows.Conversation(account, "cnv_1", channel, demo.conversation_id, "con_1", "tkt_1", "", 1, 0, 1),
        rows.Ticket(account, "tkt_1", 0, "cnv_1", channel, "con_1", "open", 1, 1),
    ]
    await context.store.commit(changes)
    return account, agent, demo.conversation_id


async def test_a_wrong_master_key_costs_no_reply_and_no_attempt_after_the_first(tmp_path: Path) -> None:
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(1))
    application, worker = await opened(tmp_path, RIGHT)
    account, agent, _ = await founded(application, sandbox)
    await application.close()

    application, worker = await opened(tmp_path, WRONG)
    context = application.context
    for number in range(3):
        await reply(context, account, "tkt_1", agent=agent, actor="agent:x", contents=[Text(f"answer {number}")], public=True)
    worker.start()
    async with asyncio.timeout(10):
        while not any(row.condition == "held" for row in await context.store.healths(account)):
            await asyncio.sleep(0.01)
    # Long enough for the probe to be made again, and for a loop that spins to show.
    await asyncio.sleep(1.2)
    waiting = await context.store.open_deliveries(account, "cnv_1")
    assert [row.state for row in waiting] == [State.QUEUED] * 3
    assert sum(row.attempt for row in waiting) <= 1
    assert {row.spent for row in waiting} == {0}
    await worker.stop()
    await application.close()

    application, worker = await opened(tmp_path, RIGHT)
    worker.start()
    async with asyncio.timeout(40):
        while (await application.context.store.counts(account)).get("accepted", 0) < 3:
            await asyncio.sleep(0.05)
    await worker.stop()
    await application.close()
    await sandbox.stop()
