"""The demonstration: a sandbox in this process, and a small shop that is connected to it."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from heliograph.bootstrap.application import Application, Config
from heliograph.bootstrap.keys import new_master_key, parse_master_key
from heliograph.bootstrap.witness import Witness
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.services.configure import create_account, create_agent, create_channel

SHOP = "Lighthouse Outfitters"
#: Where the sandbox and its channels are; providers may otherwise not be on this machine.
LOOPBACK = ("127.0.0.0/8",)
#: Seconds until absence is proof. A sandbox takes nothing late unless told to, so the demonstration need not wait a minute.
SETTLE = "5"


@dataclass(slots=True)
class Demo:
    """What runs beside Heliograph, and ids of what it is connected to."""

    sandbox: RunningSandbox
    account: str
    agent: str
    sunshine: str
    telegram: str
    _witness: Witness = field(repr=False)

    async def stop(self) -> None:
        """End the sandbox; everything in it is gone."""
        await self._witness.stop()
        await self.sandbox.stop()


def demo_config(*, release: str) -> Config:
    """A fresh temporary folder and a key of its own. What happens in a demonstration is gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-demo-"))
    key = parse_master_key(new_master_key(), source="the demonstration's key")
    return Config(data=folder, master_key=key, release=release, allow_networks=LOOPBACK)


def discard(config: Config) -> None:
    """Remove the demonstration's folder."""
    shutil.rmtree(config.data, ignore_errors=True)


async def start_demo(application: Application, *, url: str) -> Demo:
    """Start the sandbox and connect the shop to it. `url` is where this process serves webhooks."""
    context = application.context
    running = await start(host="127.0.0.1", port=0, sandbox=new_sandbox())
    account = await create_account(context, SHOP)
    agent = await create_agent(context, account, "Sam Pharos", role="admin")
    await create_agent(context, account, "Grace Fresnel")
    channel = context.new_id("chn")
    seeded = running.sandbox.seed_demo(webhook_url=f"{url}/hooks/sunshine/{channel}")
    sunshine = await create_channel(
        context, account, application.specs["sunshine"], name="WhatsApp via Sunshine", actor="operator", id=channel,
        config={
            "base_url": running.sunshine_url, "app_id": seeded.app_id, "key_id": seeded.key_id, "key_secret": seeded.key_secret,
            "webhook_secret": seeded.webhook_secret, "integration_id": seeded.integration_id,
            "switchboard_integration": "heliograph", "settle_seconds": SETTLE,
        },
    )  # fmt: skip
    telegram = await create_channel(
        context, account, application.specs["telegram"], name="Telegram", actor="operator",
        config={"base_url": running.telegram_url, "token": seeded.bot_token},
    )  # fmt: skip
    witness = Witness(context, running.sandbox.tally, {sunshine: "sunshine", telegram: "telegram"})
    witness.start()
    return Demo(running, account, agent, sunshine, telegram, witness)
