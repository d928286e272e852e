"""Probe a channel: prove credentials and identity without a message, and let the answer hold or free it."""

from heliograph.domain.events import IdentityPinned
from heliograph.domain.outcomes import CheckResult, Inconclusive, Invalid, Valid
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes, Loose
from heliograph.services.channels import Connected
from heliograph.services.context import Context, retrying
from heliograph.services.holds import probed


async def probe(context: Context, account: str, channel: str) -> CheckResult | None:
    """Check the channel now and write down what that means. None where there is no such channel."""
    connected = await context.channels.get(account, channel)
    if connected is None:
        return None
    result = await check(context, connected)
    context.breaker.probed(channel, passed=isinstance(result, Valid), now=context.clock.now())
    await context.failpoint("probe:before_commit")

    async def write() -> None:
        now = context.clock.now()
        changes = Changes(account, now, credential=connected.version)
        await probed(context.store, changes, connected, result, now=now, trusted=context.trusted())
        if isinstance(result, Valid) and not connected.credential.identity:
            credential = connected.credential
            # The row of a shared credential has no version of its own.
            fingerprint = "" if credential.shared else credential.fingerprint
            changes.puts.append(rows.PinIdentity(account, credential.id, fingerprint, result.identity))
            changes.loose.append(Loose("credential", credential.id, IdentityPinned(result.identity)))
        if changes.folds or changes.probes or changes.puts:
            await context.store.commit(changes)

    await retrying(write)
    return result


async def check(context: Context, connected: Connected) -> CheckResult:
    """One probe, compared with the pinned identity."""
    result: CheckResult
    try:
        result = await connected.provider.check()
    except Exception as bug:
        context.observe("provider_bug", {"provider": connected.spec.name, "error": type(bug).__name__})
        result = Inconclusive(Reason.OTHER, "provider_bug")
    pinned = connected.credential.identity
    if isinstance(result, Valid) and pinned and result.identity != pinned:
        result = Invalid(Reason.WRONG_IDENTITY, "pinned")
    outcome = type(result).__name__.lower()
    context.observe("probe_concluded", {"provider": connected.spec.name, "channel": connected.channel.id, "outcome": outcome})
    return result


async def due(context: Context) -> list[tuple[str, str]]:
    """Channels, as (account, channel), whose hold is due for a probe, or that look suspicious."""
    wanted = set(context.suspects)
    context.suspects.clear()
    context.probe_wanted.clear()
    held = await context.store.due_probes(context.clock.now())
    for health in held:
        if health.kind == "channel":
            wanted.add((health.account, health.subject))
        else:
            credential, _, fingerprint = health.subject.partition("@")
            wanted.update(await _users(context, health.account, credential, fingerprint))
    return sorted(wanted)


async def _users(context: Context, account: str, credential: str, fingerprint: str) -> list[tuple[str, str]]:
    """One channel is enough to probe a credential version; one that nobody here holds has none."""
    if not account:
        shared = context.channels.shared.get(credential)
        if shared is None or shared.fingerprint != fingerprint:
            return []
        return [(c.account, c.id) for c in await context.store.shared_users(credential) if c.enabled][:1]
    row = await context.store.credential(account, credential)
    if row is None or row.fingerprint != fingerprint:
        return []
    return [(account, c.id) for c in await context.store.channels(account) if c.credential == credential][:1]
