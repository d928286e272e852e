"""How operators come in: a token in a cookie of its own, and the frame of every page of theirs."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery

from heliograph.bootstrap.application import Application
from heliograph.domain.decide import Refusal
from heliograph.domain.retry import SECOND
from heliograph.services import operators
from heliograph.services.context import Context, Invalid, Missing
from heliograph.web.auth import OPERATOR_COOKIE, found_operator, operator
from heliograph.web.policy import Need
from heliograph.web.problems import Refused
from heliograph.web.workspace.asking import form_of
from heliograph.web.workspace.render import HEADERS, environment, page

Asked = Request[Any, Any, Any]
OPERATOR: dict[str, Any] = {"need": Need.OPERATOR}
ANYBODY: dict[str, Any] = {"need": Need.OPERATOR, "anybody": True}
SIGN_IN, HOME = "/operator/sign-in", "/operator"
WRONG = "This token is not an operator’s. An operator’s is made by: heliograph token issue --operator"


def utc(at: int) -> str:
    """A moment in UTC for people who compare it with logs."""
    return datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""


def lasted(microseconds: int) -> str:
    """A length of time."""
    seconds = max(0, microseconds) / SECOND
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


TEMPLATES = environment("heliograph.web.operator", "heliograph.web.workspace")
TEMPLATES.filters |= {"utc": utc, "lasted": lasted}


def context_of(request: Asked) -> Context:
    """The ports of the running application."""
    application: Application = request.app.state.application
    return application.context


def operator_guard(request: Asked) -> tuple[str, str]:
    """Who the operator is that asks: as the ledger names them, and their name. Raises Refused."""
    known = operator(request)
    return known.actor, known.name


def show(request: Asked, name: str, data: dict[str, Any], *, code: int = 200) -> Response[str]:
    """A page of the operators'."""
    known = found_operator(request)
    frame = {"operator": known.name if known else "", "signed_in": bool(known) and OPERATOR_COOKIE in request.cookies, "wrong": ""}
    return page(name, frame | data, code=code, templates=TEMPLATES)


def to(address: str) -> Response[str]:
    """Go and look at what has become of it."""
    return Response("", status_code=303, headers={**HEADERS, "location": address})


@get(SIGN_IN, opt=ANYBODY)
async def sign_in_page(request: Asked, next: FromQuery[str] = HOME) -> Response[str]:
    """The form; somebody known goes on at once."""
    if found_operator(request) is not None:
        return to(_inside(next))
    return show(request, "operator_sign_in.html", {"next": _inside(next)})


@post(SIGN_IN, opt={"need": Need.OPEN})
async def sign_in(request: Asked) -> Response[str]:
    """Keep a token that is good."""
    form = await form_of(request)
    text, there = str(form.get("token", "")).strip(), _inside(str(form.get("next", "")))
    if await operators.authenticate(context_of(request), text) is None:
        return show(request, "operator_sign_in.html", {"next": there, "wrong": WRONG}, code=422)
    cookie = Cookie(
        OPERATOR_COOKIE, value=text, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https", max_age=12 * 3600
    )
    return Response("", status_code=303, headers={**HEADERS, "location": there}, cookies=[cookie])


@post("/operator/sign-out", opt=ANYBODY)
async def sign_out(request: Asked) -> Response[str]:
    """Forget the token in this browser."""
    gone = Cookie(OPERATOR_COOKIE, value="", path="/", httponly=True, samesite="strict", max_age=0)
    return Response("", status_code=303, headers={**HEADERS, "location": SIGN_IN}, cookies=[gone])


def _inside(address: str) -> str:
    """The address if it is one of these pages, so that no link leads through the sign-in to somewhere else."""
    fits = address.startswith("/operator") and address.isascii() and address.isprintable() and "\\" not in address and "//" not in address
    return address if fits else HOME


def refused(request: Asked, error: Refused) -> Response[str]:
    """Nobody known: sign in first. Everything else in plain words."""
    if error.status_code == 401 and request.method == "GET":
        return to(f"{SIGN_IN}?next={quote(request.url.path, safe='/')}")
    return plainly(request, error.status_code, error.detail)


def plainly(request: Asked, code: int, words: str) -> Response[str]:
    """A refusal in words."""
    return show(request, "operator_plain.html", {"words": words}, code=code)


def missing(request: Asked, error: Missing) -> Response[str]:
    """What an address names is not there."""
    return plainly(request, 404, f"There is no such {error.args[0] if error.args else 'thing'}.")


def invalid(request: Asked, error: Invalid | Refusal) -> Response[str]:
    """What was asked for cannot be done."""
    return plainly(request, 422 if isinstance(error, Invalid) else 409, str(error))


def unsaved(request: Asked, error: Exception) -> Response[str]:
    """The store does not answer."""
    context_of(request).observe("store_unavailable", {"route": "operator"})
    return plainly(request, 503, "Nothing was saved: the store cannot write now. Try again in a moment.")
