"""Secrets go in and never come out: not to another address either."""

from pathlib import Path

import pytest

from heliograph.bootstrap.application import Config, build
from heliograph.services.configure import change_channel, create_account, create_channel
from heliograph.services.context import Invalid


async def test_another_address_asks_for_the_secrets_again(tmp_path: Path) -> None:
    application = await build(Config(tmp_path, b"k" * 32, http_process=False))
    context = application.context
    account = await create_account(context, "One")
    config = {"token": "1:secret", "base_url": "https://api.telegram.org"}
    channel = await create_channel(context, account, application.specs["telegram"], name="x", config=config, actor="a")
    evil = {"base_url": "https://evil.example"}
    with pytest.raises(Invalid, match="Bot token"):
        await change_channel(context, account, channel, config=evil, actor="a")
    await change_channel(context, account, channel, config={"base_url": "https://api.telegram.org"}, actor="a", name="y")
    await change_channel(context, account, channel, config={**evil, "token": "1:secret"}, actor="a")
    row = await context.store.channel(account, channel)
    assert row is not None and row.name == "y" and "evil" in row.config
    await application.close()
