"""The desk's pages about Zendesk: what to enter there, how each link stands, the token of the app, and the way to a comment."""

from typing import Any

from litestar import Response, Router, get, post
from litestar.params import FromPath

from heliograph.services import desk_links
from heliograph.services.context import Missing
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.problems import Refused
from heliograph.web.workspace import asking
from heliograph.web.workspace.asking import Asked, frame, running
from heliograph.web.workspace.language import listen
from heliograph.web.workspace.render import TEMPLATES as WORKSPACE, environment, page
from heliograph.web.zendesk.service import manifest_address

ADMIN: dict[str, Any] = {"need": Need.ADMIN}
TEMPLATES = environment("heliograph.web.zendesk", "heliograph.web.workspace")
TEMPLATES.globals |= WORKSPACE.globals


@get("/desk/zendesk", opt=ADMIN)
async def zendesk(request: Asked) -> Response[str]:
    """How it stands."""
    return await _shown(request, token="", of="")


@post("/desk/zendesk/{channel:str}/token", opt=ADMIN, status_code=200)
async def token(request: Asked, channel: FromPath[str]) -> Response[str]:
    """A new token for the app, shown this once; the one before is void."""
    actor = current(request)
    text = await desk_links.new_app_token(running(request).context, actor.account, channel, actor=actor.actor)
    return await _shown(request, token=text, of=channel)


@get("/desk/zendesk/comments/{comment:str}", opt={"need": Need.READ})
async def comment_there(request: Asked, comment: FromPath[str]) -> Response[str]:
    """To a comment that Zendesk has named, where it is the reader's account's. Raises Missing."""
    found = await running(request).context.store.comment(current(request).account, comment)
    if found is None:
        raise Missing("comment")
    there = f"/desk/tickets/{found.ticket}#{found.id}"
    return Response("", status_code=302, headers={"location": there, "cache-control": "no-store"})


async def _shown(request: Asked, *, token: str, of: str) -> Response[str]:
    context, account = running(request).context, current(request).account
    channels = {channel.id: channel.name for channel in await context.store.channels(account)}
    links = [linked for linked in await desk_links.of_account(context.store, account) if linked.link.desk == running(request).desk.name]
    manifest = manifest_address(request)
    public = bool(running(request).outside.ways.url)
    data = {"links": links, "channels": channels, "manifest": manifest, "public": public, "token": token, "of": of}
    return page("zendesk.html", await frame(request, here="channels", **data), templates=TEMPLATES)


zendesk_pages = Router(
    path="/", route_handlers=[zendesk, token, comment_there], exception_handlers={Refused: asking.refused, Missing: asking.missing},
    before_request=listen, include_in_schema=False,
)  # fmt: skip
