"""Turns templates into answers: every value escaped, every page under a policy that runs no script but ours."""

import hashlib
import re
import secrets
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from litestar import Request, Response

from heliograph.projections.wording.values import number as written
from heliograph.web.workspace.assets import address
from heliograph.web.workspace.language import count, say, script_words, spoken

LINK = re.compile(r"(https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]}])")
#: `frame` is what the page may show in frames; a page itself may only be framed by this address.
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-src {frame}; frame-ancestors 'self'"
)
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}
MARK = "__digest__"


def pieces(text: str) -> list[tuple[str, str]]:
    """Text in pieces, each with the web address that it is, or ""."""
    return [(piece, piece if number % 2 else "") for number, piece in enumerate(LINK.split(text)) if piece]


def size(number: int | None) -> str:
    """Bytes for people."""
    if number is None:
        return ""
    amount = float(number)
    for unit in ("B", "kB", "MB"):
        if amount < 1000 or unit == "MB":
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return ""


def icons() -> dict[str, str]:
    """Outlines by name, drawn in a square of 20."""
    lines = resources.files("heliograph.web.workspace").joinpath("templates", "icons.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def environment(*packages: str) -> Environment:
    """Templates of these packages; a name that is missing is an error, not a blank."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates") for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["pieces"] = pieces
    made.filters["size"] = size
    made.globals["asset"] = address
    made.globals["icons"] = icons()
    return made


TEMPLATES = environment("heliograph.web.workspace")


def page(name: str, data: dict[str, Any], *, frame: str = "'none'", code: int = 200, templates: Environment = TEMPLATES) -> Response[str]:
    """A whole page."""
    nonce = secrets.token_urlsafe(16)
    html = templates.get_template(name).render(data, nonce=nonce)
    headers = {**HEADERS, "content-security-policy": POLICY.format(nonce=nonce, frame=frame)}
    return Response(html, status_code=code, media_type="text/html", headers=headers)


def fragment(request: Request[Any, Any, Any], name: str, data: dict[str, Any]) -> Response[str]:
    """A piece of a page; 204 if the asking page shows the very same already."""
    html = draw(name, data)
    digest = DIGEST.search(html)
    if digest is not None and request.headers.get("x-shown") == digest.group(1):
        return Response("", status_code=204, headers=HEADERS)
    return Response(html, media_type="text/html", headers={**HEADERS, "vary": "HX-Request"})


DIGEST = re.compile(r'data-digest="([0-9a-f]+)"')


def draw(name: str, data: dict[str, Any]) -> str:
    """A piece of a page, with a digest of itself where its template says __digest__."""
    html = TEMPLATES.get_template(name).render(data)
    return html.replace(MARK, hashlib.blake2b(html.encode(), digest_size=8).hexdigest(), 1)


TEMPLATES.globals["draw"] = draw
TEMPLATES.globals |= {
    "t": say,
    "count": count,
    "spoken": spoken,
    "script_words": script_words,
    "number": lambda value: written(spoken(), value),
}
