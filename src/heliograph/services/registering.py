"""Points a provider's webhook at a channel that was just connected, where the provider lets us do it by a call."""

from typing import cast

from heliograph.domain.outcomes import CheckResult, Valid
from heliograph.ports.provider import RegistersWebhook
from heliograph.services import configure
from heliograph.services.context import Context, Missing
from heliograph.services.sealed import Sealed
from heliograph.services.verified import FIELD, each_secret


async def register(context: Context, account: str, channel: str, *, actor: str) -> CheckResult | None:
    """Do it, and keep the secret that comes of it. None where there is nothing to do: the provider has no such call or is polled,
    nobody outside reaches us, or a secret was given and the provider would make up another one. Raises Missing.
    """
    connected = await context.channels.get(account, channel)
    if connected is None:
        raise Missing("channel")
    can, address = connected.spec.capabilities, context.channels.addresses.webhook(connected.spec.name, channel)
    if "register_webhook" not in can or "poll" in can or not address.startswith("https://") or isinstance(connected.provider, Sealed):
        return None
    given = each_secret(context.channels.secrets(connected.credential))
    if given and not any(field.name == FIELD and field.required for field in connected.spec.fields):
        return None
    result = await cast("RegistersWebhook", connected.provider).register_webhook(address, given[0] if given else "")
    if isinstance(result, Valid) and result.secret and not connected.credential.shared:
        await configure.change_channel(context, account, channel, config={FIELD: result.secret}, actor=actor)
        context.channels.forget(account, channel)
    return result
