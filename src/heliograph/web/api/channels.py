"""Channels: how each stands and what waits on it; set up, change, check. Secrets go in and never come out."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, patch, post
from litestar.params import JSONBody

from heliograph.domain.health import Condition, Health
from heliograph.domain.outcomes import Valid
from heliograph.ports import rows
from heliograph.ports.provider import ProviderSpec
from heliograph.services import configure, probe, registering
from heliograph.services.channels import version_of
from heliograph.services.context import Invalid, Missing
from heliograph.web.api import shapes
from heliograph.web.api.asking import Asked, PathId, context, running
from heliograph.web.auth import current
from heliograph.web.policy import API

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Config = dict[str, Annotated[str, msgspec.Meta(max_length=10_000)]]
WORST = (Condition.HELD, Condition.TRIAL)


class FieldShape(msgspec.Struct):
    """One setting of a provider's channels."""

    name: str
    label: str
    secret: bool
    required: bool
    hint: str
    default: str


class ProviderShape(msgspec.Struct):
    """A kind of messaging service."""

    name: str
    title: str
    docs: str
    fields: list[FieldShape]
    content: dict[str, str]
    capabilities: list[str]


class HealthShape(msgspec.Struct):
    """Whether messages flow. `held`: replies wait in order and go out by themselves; `trial`: one conversation is being tried."""

    condition: str
    since: datetime | None
    reason: shapes.Reason | None


class WaitingShape(msgspec.Struct):
    """Replies that are not there yet, by state, and since when the oldest waits."""

    queued: int
    sending: int
    unknown: int
    asking: int
    oldest_at: datetime | None


class ChannelShape(msgspec.Struct):
    """A configured connection. `config` has what is not secret; `secrets` only says which secrets there can be."""

    id: str
    provider: str
    name: str
    enabled: bool
    config: dict[str, str]
    secrets: list[str]
    webhook_path: str
    health: HealthShape
    waiting: WaitingShape
    created_at: datetime
    updated_at: datetime


class ChannelIn(msgspec.Struct, forbid_unknown_fields=True):
    """A channel to be set up; `config` by the names of the provider's fields."""

    provider: Annotated[str, msgspec.Meta(max_length=64)]
    name: Name
    config: Config


class ChannelChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to change; what is left away stays, secrets included."""

    name: Name | None = None
    config: Config = {}
    enabled: bool | None = None


class CheckShape(msgspec.Struct):
    """What a probe found: "valid", "invalid" or "inconclusive"."""

    result: str
    reason: shapes.Reason | None


@get(f"{API}/providers", tags=["channels"], summary="Kinds of channels and their settings")
async def list_providers(request: Asked) -> list[ProviderShape]:
    """All of them."""
    return [_provider(spec) for _, spec in sorted(running(request).specs.items())]


@get(f"{API}/channels", tags=["channels"], summary="All channels with their health and what waits")
async def list_channels(request: Asked) -> list[ChannelShape]:
    """An account has few channels, so this list has no pages."""
    return await _shapes(request, await context(request).store.channels(current(request).account))


@get(f"{API}/channels/{{channel:str}}", tags=["channels"], summary="One channel")
async def get_channel(request: Asked, channel: PathId) -> ChannelShape:
    """A channel by its id."""
    return await _shape(request, channel)


@post(f"{API}/channels", tags=["channels"], summary="Set up a channel")
async def create_channel(request: Asked, data: JSONBody[ChannelIn]) -> ChannelShape:
    """422 names the setting that does not fit. The channel is probed at once."""
    actor, ctx = current(request), context(request)
    spec = running(request).specs.get(data.provider)
    if spec is None:
        raise Invalid(f"There is no such provider. There are {', '.join(sorted(running(request).specs))}.")
    channel = await configure.create_channel(ctx, actor.account, spec, name=data.name, config=data.config, actor=actor.actor)
    await registering.register(ctx, actor.account, channel, actor=actor.actor)
    ctx.suspect(actor.account, channel)
    return await _shape(request, channel)


@patch(f"{API}/channels/{{channel:str}}", tags=["channels"], summary="Change a channel")
async def change_channel(request: Asked, channel: PathId, data: JSONBody[ChannelChange]) -> ChannelShape:
    """New secrets are a new version of the credential; replies that wait for good ones then go out by themselves."""
    return await _change(request, channel, data)


@post(f"{API}/channels/{{channel:str}}/enable", status_code=200, tags=["channels"], summary="Send on this channel")
async def enable(request: Asked, channel: PathId) -> ChannelShape:
    """What waited goes out in order."""
    return await _change(request, channel, ChannelChange(enabled=True))


@post(f"{API}/channels/{{channel:str}}/disable", status_code=200, tags=["channels"], summary="Stop sending on this channel; replies wait")
async def disable(request: Asked, channel: PathId) -> ChannelShape:
    """Messages still come in."""
    return await _change(request, channel, ChannelChange(enabled=False))


@post(f"{API}/channels/{{channel:str}}/check", status_code=200, tags=["channels"], summary="Probe it now, without a message")
async def check(request: Asked, channel: PathId) -> CheckShape:
    """What the probe means for replies that wait is carried out at once."""
    result = await probe.probe(context(request), current(request).account, channel)
    if result is None:
        raise Missing("channel")
    if isinstance(result, Valid):
        return CheckShape("valid", None)
    return CheckShape(type(result).__name__.lower(), shapes.reason(result.reason, result.code))


async def _change(request: Asked, channel: str, change: ChannelChange) -> ChannelShape:
    actor = current(request)
    await configure.change_channel(
        context(request), actor.account, channel, config=change.config, actor=actor.actor, name=change.name or "", enabled=change.enabled
    )
    return await _shape(request, channel)


async def _shape(request: Asked, id: str) -> ChannelShape:
    row = await context(request).store.channel(current(request).account, id)
    if row is None:
        raise Missing("channel")
    return (await _shapes(request, [row]))[0]


async def _shapes(request: Asked, channels: list[rows.Channel]) -> list[ChannelShape]:
    account, store = current(request).account, context(request).store
    healths = {(health.kind, health.subject): health for holder in ("", account) for health in await store.healths(holder)}
    waiting = await store.waiting_of(account)
    shown = []
    for channel in channels:
        credential = await context(request).channels.credential(account, channel.credential)
        version = version_of(credential) if credential is not None else ""
        both = [healths.get(("channel", channel.id)), healths.get(("credential", version))]
        spec = running(request).specs.get(channel.provider)
        shown.append(_channel(channel, spec, both, [row for row in waiting if row.channel == channel.id]))
    return shown


def _channel(row: rows.Channel, spec: ProviderSpec | None, healths: list[Health | None], waiting: list[rows.Waiting]) -> ChannelShape:
    config: Mapping[str, str] = msgspec.json.decode(row.config)
    numbers = Counter({one.state: one.number for one in waiting})
    oldest = min((one.oldest_at for one in waiting), default=0)
    secrets = [field.name for field in spec.fields if field.secret] if spec is not None else []
    return ChannelShape(
        row.id, row.provider, row.name, bool(row.enabled), dict(config), secrets,
        f"/hooks/{row.provider}/{row.id}", _health(healths),
        WaitingShape(numbers["queued"], numbers["sending"], numbers["unknown"], numbers["asking"], shapes.maybe(oldest)),
        shapes.when(row.created_at), shapes.when(row.updated_at),
    )  # fmt: skip


def _health(both: list[Health | None]) -> HealthShape:
    """The worse of channel and credential."""
    for condition in WORST:
        for health in both:
            if health is not None and health.condition is condition:
                return HealthShape(condition.value, shapes.maybe(health.held_since), shapes.reason(health.reason, health.code))
    return HealthShape(Condition.WELL.value, None, None)


def _provider(spec: ProviderSpec) -> ProviderShape:
    fields = [FieldShape(f.name, f.label, f.secret, f.required, f.hint, f.default) for f in spec.fields]
    content = {kind: support.value for kind, support in spec.content.items()}
    return ProviderShape(spec.name, spec.title, spec.docs, fields, content, sorted(spec.capabilities))


ROUTES = [list_providers, list_channels, get_channel, create_channel, change_channel, enable, disable, check]
