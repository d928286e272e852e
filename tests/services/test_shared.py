"""Shared credentials: one of the installation's environment serves many accounts, and its trouble is everybody's at once."""

import asyncio
from pathlib import Path

import pytest

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain.content import Text
from heliograph.domain.health import Condition
from heliograph.domain.outcomes import Invalid, Valid
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.world import Demo
from heliograph.services import configure
from heliograph.services.context import Invalid as Unfit
from heliograph.services.probe import probe
from heliograph.services.reply import reply
from heliograph.worker.worker import Worker

KEY = b"k" * 32


async def opened(folder: Path, secret: str, demo: Demo, release: str = "r1") -> tuple[Application, Worker]:
    """A process whose environment holds this secret."""
    shared = {"sunshine": {"provider": "sunshine", "key_id": demo.key_id, "key_secret": secret or demo.key_secret}}
    application = await build(Config(folder, KEY, release=release, allow_networks=("127.0.0.0/8",), http_process=False, shared=shared))
    version = application.context.channels.shared["sunshine"].fingerprint
    await application.context.store.commit(Changes("", 1, puts=[rows.ReleaseCredential(release, "sunshine", version)]))
    worker = Worker(application.context, application.holds, name=f"w-{release}", concurrency=4, lease=60.0)
    application.context.store.on_touched = worker.delivery.wake
    return application, worker


async def founded(application: Application, sandbox: RunningSandbox, demo: Demo, accounts: int = 2) -> list[tuple[str, str, str]]:
    """Accounts, each with a channel on the shared credential and a ticket of its own: (account, agent, ticket)."""
    context = application.context
    found = []
    for number in range(accounts):
        account = await configure.create_account(context, f"Lighthouse {number}")
        agent = await configure.create_agent(context, account, "Sam")
        config = {"base_url": sandbox.sunshine_url, "app_id": demo.app_id}
        channel = await configure.create_channel(
            context, account, application.specs["sunshine"], name="Chat", config=config, actor="operator", shared="sunshine"
        )
        changes = Changes(account, context.clock.now())
        changes.puts += [
            rows.Contact(account, "con_1", "Ada", 1),
            rows.Conversation(account, f"cnv_{number}", channel, demo.conversation_id, "con_1", f"tkt_{number}", "", 1, 0, 1),
            rows.Ticket(account, f"tkt_{number}", 0, f"cnv_{number}", channel, "con_1", "open", 1, 1),
        ]
        await context.store.commit(changes)
        found.append((account, agent, f"tkt_{number}"))
    return found


async def say(application: Application, who: tuple[str, str, str], text: str) -> None:
    account, agent, ticket = who
    await reply(application.context, account, ticket, agent=agent, actor="agent:x", contents=[Text(text)], public=True)


async def test_one_account_s_reply_shows_the_bad_version_and_all_accounts_wait_then_go(tmp_path: Path) -> None:
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(1))
    demo = sandbox.sandbox.seed_demo()
    application, worker = await opened(tmp_path, "wrong", demo)
    accounts = await founded(application, sandbox, demo)
    worker.start()
    for who in accounts:
        await say(application, who, "hello")
    subject = f"sunshine@{application.context.channels.shared['sunshine'].fingerprint}"
    async with asyncio.timeout(10):
        while (held := await application.context.store.health("", "credential", subject)) is None or held.condition is not Condition.HELD:
            await asyncio.sleep(0.01)
    waiting = [len(await application.context.store.open_deliveries(account, f"cnv_{n}")) for n, (account, _, _) in enumerate(accounts)]
    assert waiting == [1, 1] and not sandbox.sandbox.tally.taken()
    await worker.stop()
    await application.close()

    application, worker = await opened(tmp_path, "", demo, release="r2")
    worker.start()
    async with asyncio.timeout(10):
        while len(sandbox.sandbox.tally.taken()) < 2:
            await asyncio.sleep(0.01)
    await worker.stop()
    await application.close()
    await sandbox.stop()


async def test_its_version_is_probed_by_whoever_holds_it(tmp_path: Path) -> None:
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(1))
    demo = sandbox.sandbox.seed_demo()
    application, _ = await opened(tmp_path, "", demo)
    [(account, _, _), _] = await founded(application, sandbox, demo)
    [channel] = await application.context.store.channels(account)
    assert isinstance(await probe(application.context, account, channel.id), Valid)
    credential = await application.context.store.credential(account, channel.credential)
    assert credential is not None and credential.identity and not credential.sealed
    await application.close()
    application, _ = await opened(tmp_path, "wrong", demo)
    assert isinstance(await probe(application.context, account, channel.id), Invalid)
    await application.close()
    await sandbox.stop()


async def test_a_channel_brings_no_field_that_the_shared_credential_brings_and_none_that_is_unknown(tmp_path: Path) -> None:
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(1))
    demo = sandbox.sandbox.seed_demo()
    application, _ = await opened(tmp_path, "", demo)
    account = await configure.create_account(application.context, "Lighthouse")
    spec = application.specs["sunshine"]
    with pytest.raises(Unfit, match="key_secret: comes from the shared credential"):
        await configure.create_channel(
            application.context, account, spec, name="Chat", config={"app_id": "a", "key_secret": "x"}, actor="operator", shared="sunshine"
        )
    with pytest.raises(Unfit, match="There are: sunshine"):
        await configure.create_channel(application.context, account, spec, name="Chat", config={"app_id": "a"}, actor="o", shared="other")
    await application.close()
    await sandbox.stop()


def test_what_is_secret_is_in_no_representation() -> None:
    assert "s3cret" not in repr(Config(Path(), KEY, shared={"sunshine": {"key_secret": "s3cret"}}))
