"""The picker of messages that the provider has approved beforehand: for when its reply window has closed."""

import hashlib
from typing import NamedTuple

from litestar import Response, get, post
from litestar.params import FromPath

from heliograph.domain.content import Rich
from heliograph.ports import rows
from heliograph.ports.provider import PollFailed, Template, Unsupported
from heliograph.ports.store import Duplicate
from heliograph.services import reply
from heliograph.services.channels import Connected
from heliograph.services.context import Invalid, Missing
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.problems import Refused
from heliograph.web.workspace.acts import KEY, again, done, key_name
from heliograph.web.workspace.asking import Asked, form_of, running
from heliograph.web.workspace.language import say
from heliograph.web.workspace.render import fragment

READ, WRITE = {"need": Need.READ}, {"need": Need.WRITE}
VALUE_LIMIT = 1_000


class Choice(NamedTuple):
    """One template as the picker shows it; `key` makes sending it twice the same as once."""

    template: Template
    key: str


@get("/desk/tickets/{ticket:str}/templates", opt=READ)
async def templates_piece(request: Asked, ticket: FromPath[str]) -> Response[str]:
    """All of the ticket's channel, or why they cannot be shown now."""
    context = running(request).context
    connected = await _connected(request, ticket)
    try:
        found = await context.templates.of(connected, now=context.clock.now())
    except PollFailed:
        return fragment(request, "approved.html", {"ticket": ticket, "choices": [], "failed": True})
    choices = [Choice(each, context.new_id("idk")) for each in found]
    return fragment(request, "approved.html", {"ticket": ticket, "choices": choices, "failed": False})


@post("/desk/tickets/{ticket:str}/template", opt=WRITE)
async def send_template(request: Asked, ticket: FromPath[str]) -> Response[str]:
    """Reply with one of them."""
    actor, context = current(request), running(request).context
    form = await form_of(request)
    key, name, language = (str(form.get(field, "")) for field in ("key", "name", "language"))
    values = [str(value).strip() for value in form.getall("value", [])]
    if not KEY.match(key):
        raise Invalid("The form is out of date. Reload the page.")
    if any(len(value) > VALUE_LIMIT for value in values):
        raise Invalid(f"A value is longer than {VALUE_LIMIT} characters.")
    digest = hashlib.sha256("\n".join([ticket, name, language, *values]).encode()).hexdigest()
    if (before := await context.store.answer(actor.account, key_name(key))) is not None:
        return again(before, digest)
    content = await _filled(request, ticket, name, language, values)
    try:
        await reply.reply(
            context, actor.account, ticket, agent=actor.agent, actor=actor.actor, contents=[content], public=True,
            answer=lambda written: rows.Answer(actor.account, key_name(key), digest, 204, written.comment, context.clock.now()),
        )  # fmt: skip
    except Duplicate:
        before = await context.store.answer(actor.account, key_name(key))
        if before is None:
            raise
        return again(before, digest)
    return done("changed")


async def _filled(request: Asked, ticket: str, name: str, language: str, values: list[str]) -> Rich:
    context = running(request).context
    try:
        return await context.templates.filled(await _connected(request, ticket), name, language, values, now=context.clock.now())
    except Unsupported as unfit:
        raise Invalid(f"{say('The template cannot be sent like this:')} {unfit}.") from unfit
    except PollFailed:
        raise Refused(502, say("The provider does not tell its templates now. Try again later.")) from None


async def _connected(request: Asked, ticket: str) -> Connected:
    context, account = running(request).context, current(request).account
    row = await context.store.ticket(account, ticket)
    connected = await context.channels.get(account, row.channel) if row is not None else None
    if connected is None:
        raise Missing("ticket")
    return connected


APPROVED = [templates_piece, send_template]
