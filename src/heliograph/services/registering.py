"""Points a provider's webhook at a channel that was just connected, where the provider lets us do it by a call."""

from typing import cast

from heliograph.domain.outcomes import CheckResult, Valid
from heliograph.ports.provider import ProviderSpec, RegistersWebhook
from heliograph.services import configure
from heliograph.services.context import Context, Missing
from heliograph.services.sealed import Sealed
from heliograph.services.verified import FIELD, each_secret


def _wanted(spec: ProviderSpec, given: list[str]) -> bool:
    """Whether the secrets that were given, or that none was, leave the webhook to us."""
    if "poll" in spec.capabilities:
        return bool(given)
    return not given or any(field.name == FIELD and field.required for field in spec.fields)


async def register(context: Context, account: str, channel: str, *, actor: str) -> CheckResult | None:
    """Do it, and keep the secret that comes of it. None where there is nothing to do: the provider has no such call, nobody outside
    reaches us, it can be polled and no secret says that it is to push, or it would make up another secret than the one that was given.
    Raises Missing.
    """
    connected = await context.channels.get(account, channel)
    if connected is None:
        raise Missing("channel")
    can, address = connected.spec.capabilities, context.channels.addresses.webhook(connected.spec.name, channel)
    if "register_webhook" not in can or not address.startswith("https://") or isinstance(connected.provider, Sealed):
        return None
    given = each_secret(context.channels.secrets(connected.credential))
    if not _wanted(connected.spec, given):
        return None
    result = await cast("RegistersWebhook", connected.provider).register_webhook(address, given[0] if given else "")
    if isinstance(result, Valid) and result.secret and not connected.credential.shared:
        await configure.change_channel(context, account, channel, config={FIELD: result.secret}, actor=actor)
        context.channels.forget(account, channel)
    return result
