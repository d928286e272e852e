"""Sign in with an API token, which the browser then keeps where no script can read it."""

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery

from heliograph.services import tokens
from heliograph.web.auth import COOKIE, found
from heliograph.web.policy import Need
from heliograph.web.workspace.asking import SIGN_IN, Asked, form_of, running
from heliograph.web.workspace.render import HEADERS, page

WRONG = "This token is not known here. Tokens begin with hgt_; an expired or revoked one does not open the desk."


@get(SIGN_IN, opt={"need": Need.ANYBODY})
async def sign_in_page(request: Asked, next: FromQuery[str] = "/desk") -> Response[str]:
    """The form; somebody known goes on at once."""
    if found(request) is not None:
        return Response("", status_code=303, headers={**HEADERS, "location": _inside(next)})
    return page("sign_in.html", {"wrong": "", "next": _inside(next)})


@post(SIGN_IN, opt={"need": Need.OPEN})
async def sign_in(request: Asked) -> Response[str]:
    """Keep a token that is good."""
    form = await form_of(request)
    text, there = str(form.get("token", "")).strip(), _inside(str(form.get("next", "")))
    if await tokens.authenticate(running(request).context, text) is None:
        return page("sign_in.html", {"wrong": WRONG, "next": there}, code=422)
    secure = request.url.scheme == "https"
    cookie = Cookie(COOKIE, value=text, path="/", httponly=True, samesite="lax", secure=secure, max_age=30 * 24 * 3600)
    return Response("", status_code=303, headers={**HEADERS, "location": there}, cookies=[cookie])


@post("/desk/sign-out", opt={"need": Need.ANYBODY})
async def sign_out(request: Asked) -> Response[str]:
    """Forget the token in this browser; it stays good elsewhere until it is revoked."""
    gone = Cookie(COOKIE, value="", path="/", httponly=True, samesite="lax", max_age=0)
    return Response("", status_code=303, headers={**HEADERS, "location": SIGN_IN}, cookies=[gone])


def _inside(address: str) -> str:
    """The address if it is one of the desk's or the status page's, so that no link leads through the sign-in to somewhere else."""
    fits = (
        address.startswith(("/desk", "/status/"))
        and address.isascii()
        and address.isprintable()
        and "\\" not in address
        and "//" not in address
    )
    return address if fits else "/desk"


SIGNING = [sign_in_page, sign_in, sign_out]
