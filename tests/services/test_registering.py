"""A channel that was just connected gets its webhook by a call, and what the provider makes up is kept."""

from pathlib import Path

from heliograph.domain.outcomes import Inconclusive, Valid
from heliograph.sandbox.faults import Fault, Mode
from heliograph.services import configure, registering
from heliograph.services.addresses import Addresses
from tests.web.installation import House, house

PUBLIC = "https://desk.example"


async def connected(here: House, **more: str) -> str:
    context, demo = here.application.context, here.demo
    context.channels.addresses = Addresses(PUBLIC, context.channels.vault.prints)
    config = {"base_url": here.sandbox.sunshine_url, "app_id": demo.app_id, "key_id": demo.key_id, "key_secret": demo.key_secret}
    integration = here.sandbox.sandbox.sunshine.center.new_integration(
        here.sandbox.sandbox.sunshine.center.apps[demo.app_id], "custom", "Another"
    )
    config |= {"integration_id": integration.id, **more}
    return await configure.create_channel(
        context, "acc_one", here.application.specs["sunshine"], name="New", config=config, actor="operator"
    )


async def test_the_secret_that_the_provider_makes_up_is_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        channel = await connected(here)
        assert isinstance(await registering.register(here.application.context, "acc_one", channel, actor="operator"), Valid)
        app = here.sandbox.sandbox.sunshine.center.apps[here.demo.app_id]
        hooks = [hook for integration in app.integrations.values() for hook in integration.webhooks.values()]
        (made,) = [hook for hook in hooks if hook.target == f"{PUBLIC}/hooks/sunshine/{channel}"]
        found = await here.application.context.channels.get("acc_one", channel)
        assert found is not None
        assert here.application.context.channels.secrets(found.credential)["webhook_secret"] == made.secret


async def test_a_secret_that_was_given_is_not_replaced(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        channel = await connected(here, webhook_secret="given")
        assert await registering.register(here.application.context, "acc_one", channel, actor="operator") is None


async def test_where_nobody_reaches_us_nothing_is_registered(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        channel = await connected(here)
        for base in ("", "http://127.0.0.1:8420"):
            here.application.context.channels.addresses = Addresses(base, b"k")
            assert await registering.register(here.application.context, "acc_one", channel, actor="operator") is None


async def test_a_provider_that_is_out_of_order_leaves_it_to_a_person(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        channel = await connected(here)
        here.sandbox.sandbox.faults.set(Fault("sunshine", Mode.ERROR_NOT_TAKEN))
        assert isinstance(await registering.register(here.application.context, "acc_one", channel, actor="operator"), Inconclusive)


async def test_a_bot_is_polled_unless_a_secret_says_that_it_is_to_be_called(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        context, bot = here.application.context, here.sandbox.sandbox.telegram.center.bots[int(here.demo.bot_token.partition(":")[0])]
        context.channels.addresses = Addresses(PUBLIC, context.channels.vault.prints)
        config = {"base_url": here.sandbox.telegram_url, "token": here.demo.bot_token}
        for more, target in (({}, ""), ({"webhook_secret": "our-own"}, PUBLIC)):
            channel = await configure.create_channel(
                context, "acc_one", here.application.specs["telegram"], name="Bot", config={**config, **more}, actor="operator"
            )
            result = await registering.register(context, "acc_one", channel, actor="operator")
            assert isinstance(result, Valid) == bool(target)
            assert (bot.webhook.url if bot.webhook else "").startswith(target) and bool(bot.webhook) == bool(target)
        assert bot.webhook_secret == "our-own"
