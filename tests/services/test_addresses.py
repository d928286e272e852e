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


async def test_no_other_field_is_an_address_of_one_s_own(tmp_path: Path) -> None:
    application = await build(Config(tmp_path, b"k" * 32, http_process=False))
    context = application.context
    account = await create_account(context, "One")
    config = {"token": "t", "webhook_secret": "s"}
    channel = await create_channel(context, account, application.specs["line"], name="x", config=config, actor="a")
    with pytest.raises(Invalid, match="access token"):
        await change_channel(context, account, channel, config={"data_url": "https://evil.example"}, actor="a")
    await application.close()


async def test_a_shared_credential_goes_nowhere_else(tmp_path: Path) -> None:
    shared = {"bot": {"provider": "telegram", "token": "1:secret"}}
    application = await build(Config(tmp_path, b"k" * 32, http_process=False, shared=shared))
    context = application.context
    account = await create_account(context, "One")
    spec = application.specs["telegram"]
    channel = await create_channel(context, account, spec, name="x", config={}, actor="operator", shared="bot")
    with pytest.raises(Invalid, match="shared credential"):
        await change_channel(context, account, channel, config={"base_url": "https://evil.example"}, actor="a")
    await change_channel(context, account, channel, config={"base_url": "https://api.telegram.org"}, actor="a", name="y")
    await application.close()


@pytest.mark.parametrize(
    "bad", ["HTTPS://slow.example", "http://[", "https://", "https://a b/", "ftp://a", "https://a\\@b/", "https://a:b@c/"]
)
async def test_an_address_is_read_alike_by_everybody(tmp_path: Path, bad: str) -> None:
    application = await build(Config(tmp_path, b"k" * 32, http_process=False))
    account = await create_account(application.context, "One")
    spec = application.specs["telegram"]
    with pytest.raises(Invalid, match="Address"):
        await create_channel(application.context, account, spec, name="x", config={"token": "1:s", "base_url": bad}, actor="a")
    for good in ("http://127.0.0.1:8081", "https://[::1]:80/x?y", "https://bücher.example/a/"):
        await create_channel(application.context, account, spec, name="x", config={"token": "1:s", "base_url": good}, actor="a")
    await application.close()
