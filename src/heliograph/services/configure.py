"""Create and change accounts, agents, channels and API tokens; every change is an event, every secret is sealed."""

import hashlib
import re
from collections.abc import Collection, Mapping

import msgspec

from heliograph.domain import events as ev
from heliograph.domain.decide import Standing
from heliograph.domain.health import Condition
from heliograph.ports import rows
from heliograph.ports.provider import Field, ProviderSpec
from heliograph.ports.store import Changes, Fold, Loose
from heliograph.services.channels import place, seconds
from heliograph.services.context import Context, Invalid, Missing

#: What every reader of an address takes for the same host.
ADDRESS = re.compile(r"^https?://(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?:[/?#][^\s\\]*)?\Z")


async def create_account(context: Context, name: str, *, locale: str = "en", id: str = "") -> str:
    """A new tenant; returns its id."""
    if not name.strip():
        raise Invalid("An account needs a name.")
    account = id or context.new_id("acc")
    changes = Changes(account, context.clock.now(), "operator")
    changes.puts.append(rows.Account(account, name, locale, Standing.ASK, changes.at))
    await context.store.commit(changes)
    return account


async def create_agent(context: Context, account: str, name: str, *, role: str = "agent", id: str = "") -> str:
    """A new agent or admin; returns the id."""
    agent = id or context.new_id("agt")
    changes = Changes(account, context.clock.now(), "operator")
    changes.puts.append(rows.Agent(account, agent, name, role, changes.at))
    await context.store.commit(changes)
    return agent


def check_config(spec: ProviderSpec, config: Mapping[str, str], *, given: Collection[str] = ()) -> tuple[dict[str, str], dict[str, str]]:
    """Split a channel's configuration into (plain, secret). `given`: fields that a shared credential brings.

    Raises Invalid, naming the field, never a value.
    """
    fields = {field.name: field for field in spec.fields if field.name not in given}
    brought = sorted(set(config) & set(given))
    if brought:
        raise Invalid(f"{', '.join(brought)}: comes from the shared credential; leave it away.")
    unknown = sorted(set(config) - set(fields))
    if unknown:
        raise Invalid(f"{spec.title} has no field {', '.join(unknown)}. Its fields are {', '.join(fields)}.")
    plain: dict[str, str] = {}
    secret: dict[str, str] = {}
    for name, field in fields.items():
        value = config.get(name, field.default)
        if value != value.strip() or any(c in value for c in "\r\n\x00"):
            raise Invalid(f"{field.label} has blanks or line breaks at its ends or inside; paste it again.")
        if field.required and not value:
            raise Invalid(f"{field.label} is missing.")
        if value and name.endswith("_seconds") and seconds(value) is None:
            raise Invalid(f"{field.label}: a number from 0 to 86400.")
        if value and name.endswith("_url") and not ADDRESS.match(value):
            raise Invalid(f"{field.label}: an address that begins with https:// or http:// and names a host.")
        if value:
            (secret if field.secret else plain)[name] = value
    return plain, secret


def _stay_at_home(
    spec: ProviderSpec, plain: Mapping[str, str], secret: Mapping[str, str], config: Mapping[str, str], given: Collection[str]
) -> None:
    """Who changes an address must know the secrets that will be sent there: otherwise they could be read at an address of one's own."""
    moved = [each for each in spec.fields if each.name.endswith("_url") and _address(each, plain) != _address(each, {**plain, **config})]
    if not moved:
        return
    if any(field.secret and field.name in given for field in spec.fields):
        raise Invalid(f"{moved[0].label}: the shared credential's secrets go nowhere else. Only an operator connects such a channel anew.")
    absent = [field.label for field in spec.fields if field.secret and field.name in secret and not config.get(field.name)]
    if absent:
        raise Invalid(f"Another address gets none of the kept secrets: enter {', '.join(absent)} with it.")


def _address(field: Field, values: Mapping[str, str]) -> str:
    return values.get(field.name) or field.default


async def create_channel(
    context: Context, account: str, spec: ProviderSpec, *, name: str, config: Mapping[str, str], actor: str, id: str = "", shared: str = ""
) -> str:
    """A new channel with a credential of its own, or with the installation's credential `shared`; returns its id.

    Raises Missing or Invalid.
    """
    if await context.store.account(account) is None:
        raise Missing("account")
    plain, secret = check_config(spec, config, given=_brought(context, spec, shared))
    channel = id or context.new_id("chn")
    credential = context.new_id("crd")
    changes = Changes(account, context.clock.now(), actor)
    changes.puts += [
        rows.Credential(account, credential, spec.name, "", "", "", changes.at, shared)
        if shared
        else _sealed(context, account, credential, spec.name, secret, changes.at),
        rows.Channel(
            account, channel, spec.name, name, msgspec.json.encode(plain).decode(), credential, 1, 0, changes.at, changes.at
        ),
        rows.Cursor(account, channel, "", changes.at),
    ]  # fmt: skip
    changes.loose.append(_configured(channel, spec.name, config))
    await context.store.commit(changes)
    context.channels_changed.set()
    return channel


async def change_channel(
    context: Context, account: str, channel_id: str, *, config: Mapping[str, str], actor: str, name: str = "", enabled: bool | None = None
) -> None:
    """Change some fields of a channel; the others stay. New secrets are a new credential version, untouched by the old one's hold.

    Raises Missing or Invalid.
    """
    connected = await context.channels.get(account, channel_id)
    if connected is None:
        raise Missing("channel")
    channel, credential = connected.channel, connected.credential
    given = _brought(context, connected.spec, credential.shared)
    old_secret = {} if credential.shared else context.channels.secrets(credential)
    old_plain: dict[str, str] = msgspec.json.decode(channel.config)
    _stay_at_home(connected.spec, old_plain, old_secret, config, given)
    merged = {**old_plain, **old_secret, **config}
    plain, secret = check_config(connected.spec, merged, given=given)
    changes = Changes(account, context.clock.now(), actor)
    if secret != old_secret and not credential.shared:
        changes.puts.append(_sealed(context, account, credential.id, channel.provider, secret, changes.at))
        old = await context.store.health(account, "credential", connected.version)
        if old is not None and old.condition is not Condition.WELL:
            # Nothing uses the old version any more, so nobody would ever probe it well again.
            changes.folds.append(Fold(old, [ev.HoldEnded(0)]))
    on = channel.enabled if enabled is None else int(enabled)
    changes.puts.append(
        channel._replace(name=name or channel.name, config=msgspec.json.encode(plain).decode(), enabled=on, updated_at=changes.at)
    )
    changes.loose.append(_configured(channel_id, channel.provider, config))
    await context.store.commit(changes)
    context.channels.forget(account, channel_id)
    context.suspect(account, channel_id)
    context.channels_changed.set()


def _brought(context: Context, spec: ProviderSpec, shared: str) -> Collection[str]:
    """The fields that a shared credential brings. Raises Invalid where the environment has none of that name for this provider."""
    if not shared:
        return ()
    credential = context.channels.shared.get(shared)
    if credential is None or credential.provider != spec.name:
        there = sorted(each.name for each in context.channels.shared.values() if each.provider == spec.name)
        raise Invalid(f"There is no shared credential of that name for {spec.title}. There are: {', '.join(there) or 'none'}.")
    return credential.fields


def _sealed(context: Context, account: str, id: str, provider: str, secret: Mapping[str, str], now: int) -> rows.Credential:
    vault = context.channels.vault
    return rows.Credential(account, id, provider, vault.seal(secret, place=place(account, id)), vault.fingerprint(secret), "", now)


def _configured(channel: str, provider: str, config: Mapping[str, str]) -> Loose:
    return Loose("channel", channel, ev.ChannelConfigured(provider, tuple(sorted(config))), channel)


def digest(token: str) -> str:
    """How a token is kept: it has 160 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(token.encode()).hexdigest()


async def issue_token(
    context: Context, account: str, name: str, *, scopes: str, agent: str, secret: str, actor: str, expires_at: int = 0
) -> str:
    """Keep a new API token whose text is `secret`; returns its id. The text itself is never stored. `expires_at` 0 is never."""
    if await context.store.agent(account, agent) is None:
        raise Missing("agent")
    token = context.new_id("tok")
    changes = Changes(account, context.clock.now(), actor)
    changes.puts.append(rows.Token(account, token, digest(secret), name, scopes, changes.at, expires_at, 0, agent))
    changes.loose.append(Loose("account", account, ev.TokenIssued(token)))
    await context.store.commit(changes)
    return token
