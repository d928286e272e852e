"""What a release can prove by itself: settings, store and master key, the shared credentials, and accounts' own that were well."""

import asyncio
from typing import NamedTuple

import msgspec

from heliograph.domain.gate import Outcome, Proof, Scope
from heliograph.domain.health import Condition
from heliograph.domain.outcomes import CheckResult, Invalid, Valid
from heliograph.ports import rows
from heliograph.ports.runtime import SealBroken
from heliograph.ports.store import Changes
from heliograph.services import rotation
from heliograph.services.channels import Connected, SharedCredential
from heliograph.services.context import Context
from heliograph.services.probe import check
from heliograph.services.verified import FIELD, VERIFIED, Verified, each_secret

#: Accounts' own credentials that are tried, per provider.
SAMPLE = 5
KIND, KEY_CHECK = "installation", "key"


class KeyCheck(msgspec.Struct):
    """What the right master key makes of the installation's id."""

    fingerprint: str


class Expected(NamedTuple):
    """What the process knows from outside of the store. `installation`: the id that this folder or its settings name, "" for none."""

    installation: str = ""


async def prove(context: Context, expected: Expected) -> list[Proof]:
    """Everything at once; no customer's message is spent. It writes nothing."""
    local = await prove_local(context, expected)
    if any(proof.outcome is Outcome.INVALID for proof in local):
        # A wrong key makes every other proof fail, and would name the wrong variable.
        return local
    found = await asyncio.gather(
        *(_shared(context, shared) for shared in context.channels.shared.values()),
        *(_webhook(context, shared) for shared in context.channels.shared.values()),
        *(_own(context, connected) for connected in await _sample(context)),
    )
    return local + [proof for proof in found if proof is not None]


async def prove_local(context: Context, expected: Expected) -> list[Proof]:
    """What needs nobody outside."""
    return [await _store(context, expected), await _master_key(context)]


async def note_key(context: Context) -> None:
    """Remember what the right master key makes of this installation, once; only an admitted release may say so."""
    if await context.store.document("", KIND, KEY_CHECK) is None:
        now = context.clock.now()
        data = msgspec.json.encode(KeyCheck(await _key_check(context))).decode()
        await context.store.commit(Changes("", now, puts=[rows.Document("", KIND, KEY_CHECK, 1, now, data)]))


def webhook_secrets(context: Context, shared: SharedCredential) -> list[str]:
    """Keyed fingerprints of the secrets with which a shared credential verifies calls: two while one replaces the other."""
    return [context.channels.vault.fingerprint({FIELD: each}) for each in each_secret(shared.fields)]


async def _store(context: Context, expected: Expected) -> Proof:
    there = (await context.store.installation()).id
    wrong = bool(expected.installation) and expected.installation != there
    return Proof(Scope.LOCAL, "store", Outcome.INVALID if wrong else Outcome.VALID, "wrong_store" if wrong else "")


async def _key_check(context: Context) -> str:
    return context.channels.vault.fingerprint({"installation": (await context.store.installation()).id})


async def _master_key(context: Context) -> Proof:
    """Against what was noted, and where nothing was, against the sealed secrets themselves."""
    noted = await context.store.document("", KIND, KEY_CHECK)
    if noted is not None:
        right = msgspec.json.decode(noted.data, type=KeyCheck).fingerprint == await _key_check(context)
    else:
        opened = [_opens(context, c) for account in await context.store.accounts() for c in await _credentials(context, account.id)]
        right = not opened or any(opened)
    right = right and not await rotation.missing(context)
    return Proof(Scope.LOCAL, "master_key", Outcome.VALID if right else Outcome.INVALID, "" if right else "sealed")


async def _credentials(context: Context, account: str) -> list[rows.Credential]:
    wanted = {channel.credential for channel in await context.store.channels(account)}
    found = [await context.store.credential(account, id) for id in sorted(wanted)]
    return [credential for credential in found if credential is not None and not credential.shared]


def _opens(context: Context, credential: rows.Credential) -> bool:
    try:
        context.channels.secrets(credential)
    except SealBroken:
        return False
    return True


async def _shared(context: Context, shared: SharedCredential) -> Proof | None:
    """Through one channel that uses it, which pins whose it is; a credential that nothing uses can do no harm."""
    for channel in await context.store.shared_users(shared.name):
        connected = await context.channels.get(channel.account, channel.id) if channel.enabled else None
        if connected is not None:
            return _proof(Scope.SHARED, shared.name, await check(context, connected))
    return None


async def _webhook(context: Context, shared: SharedCredential) -> Proof | None:
    """Whether the secret that calls carry is one of ours: a wrong one would look like forgery, and cost customers' messages."""
    last = await context.store.document("", VERIFIED, shared.name)
    secrets = webhook_secrets(context, shared)
    if last is None or not secrets:
        return None
    ours = msgspec.json.decode(last.data, type=Verified).fingerprint in secrets
    return Proof(Scope.SHARED, f"webhook:{shared.name}", Outcome.VALID if ours else Outcome.INVALID, "" if ours else "webhook_secret")


async def _sample(context: Context) -> list[Connected]:
    """Channels on own credentials that are well, the first few of each provider in the order of their ids."""
    by_provider: dict[str, list[Connected]] = {}
    for channel in await context.store.all_channels():
        chosen = by_provider.setdefault(channel.provider, [])
        if not channel.enabled or len(chosen) >= SAMPLE:
            continue
        connected = await context.channels.get(channel.account, channel.id)
        if connected is not None and not connected.credential.shared and await _was_well(context, connected):
            chosen.append(connected)
    return [connected for chosen in by_provider.values() for connected in chosen]


async def _was_well(context: Context, connected: Connected) -> bool:
    account = connected.channel.account
    for kind, subject in (("channel", connected.channel.id), ("credential", connected.version)):
        health = await context.store.health(account, kind, subject)
        if health is not None and health.condition is not Condition.WELL:
            return False
    return True


async def _own(context: Context, connected: Connected) -> Proof:
    return _proof(Scope.OWN, connected.channel.id, await check(context, connected))


def _proof(scope: Scope, subject: str, result: CheckResult) -> Proof:
    if isinstance(result, Valid):
        return Proof(scope, subject, Outcome.VALID)
    outcome = Outcome.INVALID if isinstance(result, Invalid) else Outcome.INCONCLUSIVE
    return Proof(scope, subject, outcome, result.reason, result.code)
