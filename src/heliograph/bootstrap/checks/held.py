"""Checks of what the store holds: secrets and their keys, credentials, webhook secrets, and the release that sends."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import msgspec

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.checks.rules import Finding, found
from heliograph.domain.gate import Outcome, Stage
from heliograph.domain.health import Condition
from heliograph.domain.outcomes import CheckResult, Inconclusive, Invalid, Valid
from heliograph.domain.reasons import REASONS, Reason
from heliograph.ports import rows
from heliograph.services import quarantine, releases, rotation
from heliograph.services.channels import Connected
from heliograph.services.probe import check
from heliograph.services.proving import Expected, prove_local
from heliograph.services.sealed import Sealed
from heliograph.services.verified import FIELD, VERIFIED, Verified, each_secret, subject

#: Credentials that are tried at the same time.
AT_ONCE = 16


async def of_keys(application: Application, *, deploy: bool) -> AsyncIterator[Finding]:
    """Whether the master keys are the right ones and open everything; what does not open is told by channel."""
    context = application.context
    proofs = {proof.subject: proof.outcome for proof in await prove_local(context, Expected())}
    if proofs["master_key"] is Outcome.INVALID:
        missing = ", ".join(await rotation.missing(context))
        yield found("HG.E031", "master key", f"It must be able to open what {missing} has sealed." if missing else "")
    vault = context.channels.vault
    sealed = await rotation.survey(context)
    broken = sum(one.broken for one in sealed)
    closed = 0
    for channel in await context.store.all_channels():
        connected = await context.channels.get(channel.account, channel.id)
        if connected is not None and isinstance(connected.provider, Sealed) and not connected.credential.shared:
            closed += 1
            by = vault.sealed_by(connected.credential.sealed)
            why = "they are damaged, or were moved" if by in vault.key_ids else f"they were sealed with another master key, {by}"
            yield found("HG.E032", _name(channel), f"Its secrets do not open: {why}.")
    if broken > closed:
        yield found("HG.E032", "other secrets", f"{broken - closed} secrets that belong to no channel do not open.")
    former = sum(one.number for one in sealed if one.key in vault.key_ids and one.key != vault.key_id)
    if former:
        yield found("HG.W030", "master key", f"{former} of {sum(one.number for one in sealed)} secrets are sealed with a former key.")
    elif deploy and len(vault.key_ids) > 1:
        yield found("HG.W031", "HELIOGRAPH_MASTER_KEY_OLD")
    if not broken and proofs["master_key"] is not Outcome.INVALID:
        yield found("HG.I030", "master key", f"Well formed, and it opens all {sum(one.number for one in sealed)} sealed secrets.")


async def of_shared(application: Application, *, probes: bool) -> AsyncIterator[Finding]:
    """Each credential of the installation, tried through one channel that uses it, as the gate does."""
    context = application.context
    for shared in context.channels.shared.values():
        name = f"shared credential {shared.name}"
        for channel in await context.store.shared_users(shared.name):
            connected = await context.channels.get(channel.account, channel.id) if channel.enabled else None
            if connected is not None and not isinstance(connected.provider, Sealed):
                break
        else:
            yield found("HG.I041", name)
            continue
        if probes:
            yield _shared(name, connected, await check(context, connected))


def _shared(name: str, connected: Connected, result: CheckResult) -> Finding:
    match result:
        case Valid():
            return found("HG.I040", name, f"Valid; identity {'as pinned' if connected.credential.identity else 'not pinned yet'}.")
        case Invalid(reason, code):
            return found("HG.E041" if reason is Reason.WRONG_IDENTITY else "HG.E040", name, _told(reason, code))
        case Inconclusive(reason, code):
            return found("HG.O040", name, f"It could not be told: {_told(reason, code)}")


async def of_channels(application: Application, *, probes: bool) -> list[Finding]:
    """Every channel, some at the same time, in the order of their ids."""
    channels = await application.context.store.all_channels()
    if not channels:
        return [found("HG.I053", "channels", "There are none yet.")]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(channel: rows.Channel) -> Finding | None:
        async with room:
            return await _channel(application, channel, probes=probes)

    return [finding for finding in await asyncio.gather(*map(one, channels)) if finding is not None]


async def _channel(application: Application, channel: rows.Channel, *, probes: bool) -> Finding | None:
    context, name = application.context, _name(channel)
    connected = await context.channels.get(channel.account, channel.id)
    if connected is None:
        return found("HG.E052", name)
    if isinstance(connected.provider, Sealed):
        shared = connected.credential.shared
        return found("HG.E042", name, f"It uses the shared credential {shared}, which is not set here.") if shared else None
    if not channel.enabled:
        return found("HG.I051", name, "Its secrets open; it is switched off.")
    if not probes:
        return found("HG.I052", name, "Its secrets open; it was not asked.")
    result = await check(context, connected)
    match result:
        case Valid():
            return found("HG.I050", name, f"Valid; identity {'as pinned' if connected.credential.identity else 'not pinned yet'}.")
        case Inconclusive(reason, code):
            return found("HG.O050", name, f"It could not be told: {_told(reason, code)}")
        case Invalid(reason, code):
            id = "HG.E051" if reason is Reason.WRONG_IDENTITY else "HG.E050" if await _was_well(application, connected) else "HG.W050"
            return found(id, name, _told(reason, code))


async def _was_well(application: Application, connected: Connected) -> bool:
    store, channel = application.context.store, connected.channel
    healths = [
        await store.health(channel.account, "channel", channel.id),
        await store.health(connected.holder, "credential", connected.version),
    ]
    return all(health is None or health.condition is Condition.WELL for health in healths)


async def of_webhooks(application: Application) -> AsyncIterator[Finding]:
    """Our secrets against those that calls were last verified with, and what is kept because none fitted."""
    context = application.context
    looked: set[tuple[str, str]] = set()
    wrong = 0
    for channel in await context.store.all_channels():
        connected = await context.channels.get(channel.account, channel.id)
        if connected is None or isinstance(connected.provider, Sealed) or subject(connected) in looked:
            continue
        about = subject(connected)
        looked.add(about)
        last = await context.store.document(about[0], VERIFIED, about[1])
        if last is None:
            continue
        vault = context.channels.vault
        ours = [vault.fingerprint({FIELD: secret}) for secret in each_secret(context.channels.secrets(connected.credential))]
        if msgspec.json.decode(last.data, type=Verified).fingerprint not in ours:
            wrong += 1
            shared = connected.credential.shared
            yield found("HG.E060", f"shared credential {shared}") if shared else found("HG.W060", _name(channel))
    if looked and not wrong:
        yield found("HG.I060", "webhooks")
    kept = sum(each.number for each in await context.store.documents_measured(quarantine.KIND))
    if kept:
        yield found("HG.W061", "webhooks", f"{kept} webhook calls are kept that could not be verified.")


async def of_release(application: Application) -> AsyncIterator[Finding]:
    """How the release that these settings make stands to the one that sends."""
    identity, store = application.identity, application.context.store
    if identity is None:
        return
    known = await releases.releases(store)
    sending = [kept for kept in known if kept.row.stage is Stage.ADMITTED]
    mine = next((kept for kept in known if kept.row.id == identity.id), None)
    if mine is not None and mine.row.stage in (Stage.REFUSED, Stage.FENCED):
        why = " · ".join(filter(None, (mine.row.basis, mine.row.subject, mine.row.reason, mine.row.variable)))
        yield found("HG.E070", identity.id, f"It was {mine.row.stage}: {why}.")
    if not sending:
        yield found("HG.I072", "release")
        return
    admitted = max(sending, key=lambda kept: kept.row.admitted_at)
    if admitted.row.forced_at:
        yield found("HG.W070", admitted.row.id)
    differing = _differing(identity.settings.items(), admitted.settings.items())
    code = "" if admitted.row.code == identity.code else f" The code differs: {admitted.row.code} sends, this is {identity.code}."
    if differing:
        yield found("HG.I071", admitted.row.id, f"These variables differ from the release that sends: {', '.join(differing)}.{code}")
    else:
        yield found("HG.I070", admitted.row.id, f"No variable differs from the release that sends.{code}")


def _differing(mine: Iterable[tuple[str, str]], theirs: Iterable[tuple[str, str]]) -> list[str]:
    return sorted({name for name, _ in set(mine) ^ set(theirs)})


def _told(reason: Reason, code: str) -> str:
    if code == "address":
        return f"Its address is off the public internet, and HELIOGRAPH_ALLOW_NETWORKS does not name it. ({reason}, {code})"
    return f"{REASONS[reason].sentence} {REASONS[reason].remedy} ({reason}, {code})"


def _name(channel: rows.Channel) -> str:
    return f"channel {channel.id} ({channel.provider})"
