"""What all pages have in common: who asks, the running application, and where somebody unknown is sent."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.datastructures import FormMultiDict

from heliograph.bootstrap.application import Application
from heliograph.services.context import Missing
from heliograph.web.auth import Actor, current
from heliograph.web.problems import Refused
from heliograph.web.workspace.render import HEADERS, page

Asked = Request[Any, Any, Any]
SIGN_IN = "/desk/sign-in"
#: More than any form of ours has.
FIELDS = 100


def running(request: Asked) -> Application:
    """The application behind this request."""
    application: Application = request.app.state.application
    return application


async def frame(request: Asked, **data: Any) -> dict[str, Any]:
    """What every whole page shows around its content."""
    actor: Actor = current(request)
    application = running(request)
    agent = await application.context.store.agent(actor.account, actor.agent)
    account = await application.context.store.account(actor.account)
    return {
        "agent": agent.name if agent else "",
        "account": account.name if account else "",
        "admin": "admin" in actor.scopes,
        "writes": "write" in actor.scopes,
        "signed_in": bool(actor.token),
        **data,
    }


async def form_of(request: Asked) -> FormMultiDict:
    """The form that was sent. Raises Refused (413): reading millions of fields would keep everybody else waiting."""
    if request.content_type[0] != "multipart/form-data" and (await request.body()).count(b"&") > FIELDS:
        raise Refused(413, "The form has more fields than any form here.")
    return await request.form()


def by_script(request: Asked) -> bool:
    """Whether a piece of a page asks, and not a person by an address."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-history-restore-request") != "true"


def refused(request: Asked, error: Refused) -> Response[Any]:
    """Nobody known: sign in first. Everything else in plain words."""
    if error.status_code == 401:
        there = f"{SIGN_IN}?next={quote(request.url.path, safe='/')}" if request.method == "GET" and not by_script(request) else SIGN_IN
        if by_script(request):
            return Response("", status_code=401, headers={**HEADERS, "hx-redirect": there})
        return Response("", status_code=303, headers={**HEADERS, "location": there})
    return plainly(request, error.status_code, error.detail)


def missing(request: Asked, error: Missing) -> Response[Any]:
    """What an address names is not there, or is another account's."""
    return plainly(request, 404, f"There is no such {error.args[0] if error.args else 'thing'} here.")


def plainly(request: Asked, code: int, words: str) -> Response[Any]:
    """A refusal: one line of text for a script, a page for a person."""
    if by_script(request):
        return Response(words, status_code=code, media_type="text/plain", headers=HEADERS)
    return page("plain.html", {"code": code, "words": words}, code=code)
