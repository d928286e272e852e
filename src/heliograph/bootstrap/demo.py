"""The demonstration: a sandbox in this process, and a small shop that is connected to it."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heliograph.bootstrap.application import Application, Config
from heliograph.bootstrap.identity import code
from heliograph.bootstrap.keys import new_master_key, parse_master_key
from heliograph.bootstrap.outside import Ways
from heliograph.bootstrap.shared import PREFIX
from heliograph.bootstrap.system import SystemRng
from heliograph.bootstrap.witness import Witness
from heliograph.domain.ids import id_value, make_id
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.world import Demo as Seeded, Sandbox
from heliograph.services.configure import create_account, create_agent, create_channel

SHOP = "Lighthouse Outfitters"
#: The shared credential of the demonstration.
SHARED = "sunshine"
#: Where the sandbox and its channels are; providers may otherwise not be on this machine.
LOOPBACK = ("127.0.0.0/8",)
#: Seconds until absence is proof. A sandbox takes nothing late unless told to, so the demonstration need not wait a minute.
SETTLE = "5"


@dataclass(frozen=True, slots=True)
class Plan:
    """A sandbox that does not listen yet, and the keys that it has for the shop: settings are there before anything runs."""

    sandbox: Sandbox
    seeded: Seeded
    #: Id of the channel that will be connected to it.
    channel: str
    #: Where this process will be reached.
    url: str

    @property
    def credential(self) -> Mapping[str, str]:
        """The shared credential's fields."""
        seeded = self.seeded
        return {"key_id": seeded.account_key_id, "key_secret": seeded.account_key_secret, "webhook_secret": seeded.webhook_secret}


@dataclass(slots=True)
class Demo:
    """What runs beside Heliograph, and ids of what it is connected to."""

    sandbox: RunningSandbox
    plan: Plan
    account: str
    agent: str
    colleague: str
    sunshine: str
    telegram: str
    _witness: Witness = field(repr=False)

    async def stop(self) -> None:
        """End the sandbox; everything in it is gone."""
        await self._witness.stop()
        await self.sandbox.stop()


def plan_demo(url: str) -> Plan:
    """`url` is where this process will serve webhooks."""
    sandbox = new_sandbox()
    channel = make_id("chn", id_value(sandbox.now(), SystemRng().bits()))
    return Plan(sandbox, sandbox.seed_demo(webhook_url=f"{url}/hooks/sunshine/{channel}"), channel, url)


def demo_config(plan: Plan, *, release: str) -> Config:
    """A fresh temporary folder and a key of its own. What happens in a demonstration is gone when it ends.

    The keys to the sandbox are shared ones, as an installation's own are: a version of them belongs to a release.
    """
    folder = Path(tempfile.mkdtemp(prefix="heliograph-demo-"))
    key = parse_master_key(new_master_key(), source="the demonstration's key")
    shared = {"provider": "sunshine", **plan.credential}
    variables = {f"{PREFIX}{SHARED.upper()}__{name.upper()}": value for name, value in shared.items()}
    return Config(
        data=folder, master_key=key, release=release, allow_networks=LOOPBACK, shared={SHARED: shared}, code=code(), variables=variables,
        ways=Ways(url=plan.url),
    )  # fmt: skip


def discard(config: Config) -> None:
    """Remove the demonstration's folder."""
    shutil.rmtree(config.data, ignore_errors=True)


async def start_demo(application: Application, plan: Plan) -> Demo:
    """Start the sandbox and connect the shop to it, through the shared credential where the process holds one."""
    context, seeded = application.context, plan.seeded
    running = await start(host="127.0.0.1", port=0, sandbox=plan.sandbox)
    account = await create_account(context, SHOP)
    agent = await create_agent(context, account, "Sam Pharos", role="admin")
    colleague = await create_agent(context, account, "Grace Fresnel")
    shared = SHARED if SHARED in context.channels.shared else ""
    sunshine = await create_channel(
        context, account, application.specs["sunshine"], name="WhatsApp via Sunshine", actor="operator", id=plan.channel, shared=shared,
        config={
            "base_url": running.sunshine_url, "app_id": seeded.app_id, "integration_id": seeded.integration_id,
            "switchboard_integration": "heliograph", "settle_seconds": SETTLE, **({} if shared else plan.credential),
        },
    )  # fmt: skip
    telegram = await create_channel(
        context, account, application.specs["telegram"], name="Telegram", actor="operator",
        config={"base_url": running.telegram_url, "token": seeded.bot_token},
    )  # fmt: skip
    others = {await _connect(application, running, plan, account, name): name for name in plan.sandbox.direct}
    witness = Witness(context, running.sandbox.tally, {sunshine: "sunshine", telegram: "telegram", **others})
    witness.start()
    return Demo(running, plan, account, agent, colleague, sunshine, telegram, witness)


async def _connect(application: Application, running: RunningSandbox, plan: Plan, account: str, name: str) -> str:
    """A channel of the shop at one of the sandbox's other services; returns its id."""
    context, spec = application.context, application.specs[name]
    channel = context.new_id("chn")
    hook = f"{plan.url}/hooks/{name}/{channel}"
    config = plan.sandbox.seed_direct(name, webhook_url=hook)
    if any(field.name == "settle_seconds" for field in spec.fields):
        config["settle_seconds"] = SETTLE
    return await create_channel(
        context, account, spec, name=spec.title, actor="operator", id=channel, config={**config, "base_url": running.urls[name]}
    )
