"""What one account sets wrongly, or a release no longer knows, is that channel's trouble and nobody else's."""

import asyncio
from pathlib import Path

import pytest

from heliograph.bootstrap.application import Application, Config, build
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services.configure import create_account, create_channel
from heliograph.services.context import Invalid
from heliograph.worker.worker import Worker

CONFIG = {"app_id": "a", "key_id": "k", "key_secret": "s", "base_url": "http://127.0.0.1:9"}


async def opened(folder: Path) -> Application:
    return await build(Config(folder, b"k" * 32, allow_networks=("127.0.0.0/8",), http_process=False))


async def rewrite(application: Application, account: str, channel: str, *, config: str = "", provider: str = "") -> None:
    """As an earlier or later release may have left it. A row's provider never changes, so that is a row of its own."""
    row = await application.context.store.channel(account, channel)
    assert row is not None
    changes = Changes(account, application.context.clock.now())
    changes.puts.append(row._replace(id=f"{channel}_x", provider=provider) if provider else row._replace(config=config))
    await application.context.store.commit(changes)


@pytest.mark.parametrize("value", ["soon", "nan", "inf", "-1", "1e9"])
async def test_a_time_that_is_none_is_refused_and_harmless_where_it_is_kept(tmp_path: Path, value: str) -> None:
    application = await opened(tmp_path)
    context = application.context
    account = await create_account(context, "One")
    spec = application.specs["sunshine"]
    with pytest.raises(Invalid, match="0 to 86400"):
        await create_channel(context, account, spec, name="x", config={**CONFIG, "settle_seconds": value}, actor="operator")
    channel = await create_channel(context, account, spec, name="x", config=CONFIG, actor="operator")
    row = await context.store.channel(account, channel)
    assert row is not None
    await rewrite(application, account, channel, config=row.config.replace("{", f'{{"settle_seconds":"{value}",', 1))
    connected = await context.channels.get(account, channel)
    assert connected is not None and connected.settle == int(spec.settle * 1_000_000)
    await application.close()


async def test_a_channel_that_cannot_be_opened_does_not_stop_the_others_from_being_listened_to(tmp_path: Path) -> None:
    application = await opened(tmp_path)
    context = application.context
    first, second = await create_account(context, "One", id="acc_1"), await create_account(context, "Two", id="acc_2")
    spec = application.specs["sunshine"]
    bad = await create_channel(context, first, spec, name="x", config=CONFIG, actor="operator")
    await rewrite(application, first, bad, provider="of_a_later_release")
    good = await create_channel(context, second, spec, name="y", config=CONFIG, actor="operator")
    begun = await context.store.cursor(second, good)
    assert isinstance(begun, rows.Cursor)
    worker = Worker(context, application.holds, name="w", concurrency=1, lease=60.0)
    worker.start()
    try:
        async with asyncio.timeout(10):
            while True:
                mark = await context.store.cursor(second, good)
                if mark is not None and mark.at > begun.at:
                    break
                await asyncio.sleep(0.01)
    finally:
        await worker.stop()
        await application.close()
