"""The channels page: how each one stands, a new one by pasting its secrets, which never come back out."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath

from heliograph.domain.outcomes import Inconclusive, Invalid as NotValid, Valid
from heliograph.domain.reasons import REASONS
from heliograph.ports.provider import ProviderSpec
from heliograph.services import configure, probe, registering
from heliograph.services.context import Invalid, Missing
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.workspace.acts import done
from heliograph.web.workspace.asking import Asked, form_of, frame, running
from heliograph.web.workspace.render import HEADERS, fragment, page
from heliograph.web.workspace.standing import standings

READ, ADMIN, WRITE = {"need": Need.READ}, {"need": Need.ADMIN}, {"need": Need.WRITE}
NAME_LIMIT = 200
VALUE_LIMIT = 10_000


@get("/desk/channels", opt=READ)
async def channels(request: Asked) -> Response[str]:
    """All of them, and the forms for a new one."""
    specs = sorted(running(request).specs.values(), key=lambda spec: spec.name != "telegram")
    return page("channels.html", await frame(request, here="channels", specs=specs, **await _shown(request)))


@get("/desk/channels/list", opt=READ)
async def channels_piece(request: Asked) -> Response[str]:
    """The list."""
    return fragment(request, "channel_list.html", {**await _shown(request), "admin": "admin" in current(request).scopes})


async def _shown(request: Asked) -> dict[str, Any]:
    application = running(request)
    known = await standings(application.context, application.specs, current(request).account)
    config = {id: msgspec.json.decode(one.channel.config) for id, one in known.items()}
    addresses = application.context.channels.addresses
    hooks = {id: addresses.webhook(one.channel.provider, id) for id, one in known.items()}
    return {"standings": list(known.values()), "config": config, "hooks": hooks, "providers": application.specs}


@post("/desk/channels", opt=ADMIN)
async def create(request: Asked) -> Response[str]:
    """Set one up, and probe it at once: a wrong secret is seen here and not at the first reply."""
    actor, application = current(request), running(request)
    form = await form_of(request)
    spec = application.specs.get(str(form.get("provider", "")))
    if spec is None:
        raise Invalid("There is no such kind of channel.")
    name = str(form.get("name", "")).strip()[:NAME_LIMIT] or spec.title
    config = {field: value for field, value in _config(spec, form).items() if value}
    id = await configure.create_channel(application.context, actor.account, spec, name=name, config=config, actor=actor.actor)
    words = await _probed(request, id)
    return said(f"{name} is set up. {words}{await _registered(request, id)}")


async def _registered(request: Asked, channel: str) -> str:
    """What became of the provider's webhook, where it can be set by a call."""
    result = await registering.register(running(request).context, current(request).account, channel, actor=current(request).actor)
    match result:
        case None:
            return ""
        case Valid():
            return " Its webhook is registered."
        case _:
            return " Its webhook could not be registered: do it by hand, with the address on the channel’s card."


@post("/desk/channels/{channel:str}/check", opt=WRITE)
async def check(request: Asked, channel: FromPath[str]) -> Response[str]:
    """Probe it now, without a message."""
    return said(await _probed(request, channel))


@post("/desk/channels/{channel:str}/change", opt=ADMIN)
async def change(request: Asked, channel: FromPath[str]) -> Response[str]:
    """New secrets, another name, or other settings; a field that is left empty stays as it is."""
    actor, application = current(request), running(request)
    row = await application.context.store.channel(actor.account, channel)
    if row is None:
        raise Missing("channel")
    form = await form_of(request)
    config = {field: value for field, value in _config(application.specs[row.provider], form).items() if value}
    name = str(form.get("name", "")).strip()[:NAME_LIMIT]
    await configure.change_channel(application.context, actor.account, channel, config=config, actor=actor.actor, name=name)
    return said(f"Saved. {await _probed(request, channel)}")


@post("/desk/channels/{channel:str}/enabled", opt=ADMIN)
async def enabled(request: Asked, channel: FromPath[str]) -> Response[str]:
    """Switch sending on or off; what waits keeps its place."""
    actor, context = current(request), running(request).context
    on = (await form_of(request)).get("enabled") == "yes"
    await configure.change_channel(context, actor.account, channel, config={}, actor=actor.actor, enabled=on)
    return said("Replies go out again." if on else "Nothing is sent on this channel until it is switched on again; replies wait in order.")


def said(words: str) -> Response[str]:
    """Done, and what came of it."""
    headers = {**HEADERS, **dict(done("changed").headers)}
    return Response(words, media_type="text/plain", status_code=200, headers=headers)


def _config(spec: ProviderSpec, form: FormMultiDict) -> Mapping[str, str]:
    values = {field.name: form.get(field.name) for field in spec.fields}
    config = {name: value.strip() for name, value in values.items() if isinstance(value, str)}
    if any(len(value) > VALUE_LIMIT for value in config.values()):
        raise Invalid("A value is far too long; paste it again.")
    return config


async def _probed(request: Asked, channel: str) -> str:
    context, account = running(request).context, current(request).account
    context.channels.forget(account, channel)
    match await probe.probe(context, account, channel):
        case None:
            raise Missing("channel")
        case Valid(identity):
            return f"The provider accepts it, as {identity}." if identity else "The provider accepts it."
        case NotValid(reason, _):
            return f"{REASONS[reason].sentence} {REASONS[reason].remedy}"
        case Inconclusive(reason, _):
            return f"It could not be proved now: {REASONS[reason].sentence} It is tried again by itself."


CHANNELS = [channels, channels_piece, create, check, change, enabled]
