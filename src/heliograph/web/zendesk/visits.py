"""The page that Zendesk shows its admin in a frame: say who you are, choose a channel, and back to Zendesk with what it shall keep.

In a frame of another site browsers keep our cookies away. So everything that the next step needs goes along in the form, sealed.
"""

import secrets
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import FormMultiDict

from heliograph.bootstrap.application import Application
from heliograph.domain.retry import SECOND
from heliograph.ports.desk import Malformed, Visit
from heliograph.ports.runtime import SealBroken
from heliograph.services import desk_links, tokens
from heliograph.services.context import Context, Missing
from heliograph.web.auth import found, widen
from heliograph.web.policy import Need
from heliograph.web.workspace.asking import form_of
from heliograph.web.workspace.language import mark, speak
from heliograph.web.workspace.render import HEADERS, TEMPLATES as WORKSPACE, environment

Asked = Request[Any, Any, Any]
PLACE = "desk visit"
#: For how long an admin may take, microseconds.
LIFE = 3_600 * SECOND
LIMIT = 262_144
#: Characters of an account's name there.
NAME = 255
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'self' {origin}; frame-ancestors {origin}"
)
TEMPLATES = environment("heliograph.web.zendesk", "heliograph.web.workspace")
TEMPLATES.globals |= WORKSPACE.globals


class Setup(msgspec.Struct, frozen=True):
    """What goes along, sealed: the visit, until when it is good, and who the admin is once that is known."""

    visit: Visit
    until: int
    account: str = ""
    agent: str = ""
    actor: str = ""

    def __repr__(self) -> str:
        return "Setup(…)"


@post("/zendesk/admin", include_in_schema=False, request_max_body_size=LIMIT, status_code=200)
async def visit(request: Asked) -> Response[str]:
    """Zendesk sends its admin here."""
    application: Application = request.app.state.application
    try:
        came = application.desk.visit(await request.body())
    except Malformed as wrong:
        return Response(str(wrong), media_type="text/plain", status_code=400, headers=HEADERS)
    setup = Setup(came, application.context.clock.now() + LIFE)
    return _show(application.context, "visit.html", setup, wrong="")


@post("/zendesk/admin/connect", opt={"need": Need.ANYBODY}, include_in_schema=False, request_max_body_size=LIMIT, status_code=200)
async def connect(request: Asked) -> Response[str]:
    """Who it is; then which channel; then the way back."""
    application: Application = request.app.state.application
    context = application.context
    form = await form_of(request)
    setup = _opened(context, str(form.get("setup", "")))
    if setup is None:
        words = "This page has expired. Close it in Zendesk and begin again."
        return Response(words, media_type="text/plain", status_code=400, headers=HEADERS)
    if not setup.account:
        setup = await _known(request, context, setup, str(form.get("token", "")).strip())
        if not setup.account:
            return _show(context, "visit.html", setup, wrong=mark("This needs the token of an admin. Tokens begin with hgt_."), code=422)
        return await _choose(context, setup)
    return await _connected(application, setup, form)


async def _known(request: Asked, context: Context, setup: Setup, text: str) -> Setup:
    """The setup with the admin in it, by the token that was entered or by a browser that is signed in; as it was where there is none."""
    token = await tokens.authenticate(context, text) if text else None
    if token is not None:
        scopes, account, agent, actor = widen(token.scopes), token.account, token.agent, f"agent:{token.agent}"
    else:
        known = found(request)
        if known is None or text:
            return setup
        scopes, account, agent, actor = known.scopes, known.account, known.agent, known.actor
    return msgspec.structs.replace(setup, account=account, agent=agent, actor=actor) if "admin" in scopes else setup


async def _choose(context: Context, setup: Setup) -> Response[str]:
    channels = await context.store.channels(setup.account)
    links = {linked.channel: linked.link for linked in await desk_links.of_account(context.store, setup.account)}
    chosen = setup.visit.link if any(channel.id == setup.visit.link for channel in channels) else ""
    return _show(context, "choose.html", setup, channels=channels, links=links, chosen=chosen, longest=NAME)


async def _connected(application: Application, setup: Setup, form: FormMultiDict) -> Response[str]:
    context, came = application.context, setup.visit
    channel = next((each for each in await context.store.channels(setup.account) if each.id == form.get("channel")), None)
    if channel is None:
        return await _choose(context, setup)
    try:
        secret = await desk_links.connect(
            context, setup.account, channel.id, came, desk=application.desk.name, name=application.desk.title, actor=setup.actor
        )
    except Missing:
        return await _choose(context, setup)
    kept = application.desk.kept(channel.id, secret)
    name = str(form.get("name", "")).strip()[:NAME] or came.name or channel.name
    return _show(context, "back.html", setup, back=came.back, name=name, kept=kept)


def _sealed(context: Context, setup: Setup) -> str:
    return context.channels.vault.seal({"setup": msgspec.json.encode(setup).decode()}, place=PLACE)


def _opened(context: Context, text: str) -> Setup | None:
    try:
        setup = msgspec.json.decode(context.channels.vault.open(text, place=PLACE)["setup"], type=Setup)
    except SealBroken:
        return None
    return setup if context.clock.now() < setup.until else None


def _show(context: Context, template: str, setup: Setup, *, code: int = 200, **data: Any) -> Response[str]:
    """A page of the frame, in the language of Zendesk's admin."""
    speak(setup.visit.locale)
    nonce = secrets.token_urlsafe(16)
    parts = urlsplit(setup.visit.back)
    policy = POLICY.format(nonce=nonce, origin=f"{parts.scheme}://{parts.netloc}")
    html = TEMPLATES.get_template(template).render(
        {"nonce": nonce, "setup": _sealed(context, setup), "zendesk": setup.visit.subdomain, **data}
    )
    headers = {**HEADERS, "content-security-policy": policy, "referrer-policy": "strict-origin"}
    # The page is made to stand in a page of another site.
    del headers["cross-origin-opener-policy"]
    return Response(html, status_code=code, media_type="text/html", headers=headers)


ROUTES = [visit, connect]
