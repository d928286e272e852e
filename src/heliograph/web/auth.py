"""Who asks, and whether they may: tokens, scopes, and the same-origin rule wherever a browser sends credentials by itself."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from heliograph.services import operators, tokens
from heliograph.services.context import Context
from heliograph.web.policy import SCOPES, Need, need_of
from heliograph.web.problems import Refused

Connection = ASGIConnection[Any, Any, Any, Any]

COOKIE = "heliograph_token"
OPERATOR_COOKIE = "heliograph_operator"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
IDENT = re.compile(r"^[A-Za-z0-9_-]{1,64}\Z")
NOWHERE = "There is no such thing here. Check the address and the id."
#: Of a route of ours this is a mistake, which the tests find; the framework adds routes of its own, too.
NO_POLICY = "There is no such thing here, or no policy names it. Check the address."
FOREIGN = "A page of another site asked for this change. Programs send Authorization: Bearer instead of a cookie."
NOBODY = "Send an API token: Authorization: Bearer hgt_…"
VOID = "This API token is unknown, expired or revoked. Send a good one: Authorization: Bearer hgt_… (`heliograph token issue` makes one)."
NO_OPERATOR = (
    "This is for operators. Send an operator's token: Authorization: Bearer hgt_… (`heliograph token issue --operator` makes one)."
)
CHALLENGE = {"www-authenticate": 'Bearer realm="heliograph"'}


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks: one agent of one account, with what the token allows ("read", "write", "admin")."""

    account: str
    agent: str
    scopes: frozenset[str]
    #: As the ledger names them: "agent:<id>" in the workspace, "token:<id>" over the API.
    actor: str
    #: Id of the token; "" in a demonstration without login.
    token: str = ""

    def may(self, need: Need) -> bool:
        """Whether the scopes cover it."""
        return need in (Need.OPEN, Need.ANYBODY) or (need is not Need.OPERATOR and need.value in self.scopes)


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """A demonstration without login: everybody is this agent, with all scopes.

    `hosts` are the names under which it may be asked, so that no foreign page reaches it by pointing a name of its own here; empty
    allows all.
    """

    account: str
    agent: str
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who runs the installation; `id` is their token's, "demo" in a demonstration without login."""

    id: str
    name: str

    @property
    def actor(self) -> str:
        """As the ledger names them."""
        return f"operator:{self.id}"


def operator(request: Connection) -> Operator:
    """The operator who asks. Raises Refused (401) where nobody is known."""
    known = request.scope["state"].get("operator")
    if not isinstance(known, Operator):
        raise Refused(401, NO_OPERATOR, headers=CHALLENGE)
    return known


def found_operator(request: Connection) -> Operator | None:
    """The operator who asks, or None: for a login page."""
    known = request.scope["state"].get("operator")
    return known if isinstance(known, Operator) else None


def current(request: Connection) -> Actor:
    """Who asks. Raises Refused (401) where nobody is known."""
    actor = request.scope["state"].get("actor")
    if not isinstance(actor, Actor):
        raise Refused(401, VOID if request.headers.get("authorization") else NOBODY, headers=CHALLENGE)
    return actor


def found(request: Connection) -> Actor | None:
    """Who asks, or None: for pages that show a login instead of an error."""
    actor = request.scope["state"].get("actor")
    return actor if isinstance(actor, Actor) else None


async def authorize(connection: Connection, handler: BaseRouteHandler) -> None:
    """The guard of every route: an id that cannot be one does not exist; what no policy lists is refused. Raises Refused.

    A route whose path holds no ids says so: `opt={"no_ids": True}`.
    """
    need = need_of(str(connection.scope.get("method", "")), str(connection.scope.get("path_template", "")), handler.opt)
    if need is None:
        raise Refused(404, NO_POLICY)
    for value in connection.path_params.values():
        if isinstance(value, str) and not IDENT.match(value) and not handler.opt.get("no_ids"):
            raise Refused(404, NOWHERE)
    if "need" in handler.opt and _foreign(connection) and connection.scope.get("method") not in SAFE:
        # A page of ours that needs nobody yet: signing a visitor in as somebody else is an attack, too.
        raise Refused(403, FOREIGN)
    if need is Need.OPEN:
        return
    if need is Need.OPERATOR:
        connection.scope["state"]["operator"] = await _identify_operator(connection)
        if not handler.opt.get("anybody"):
            operator(connection)
        return
    actor = await _identify(connection)
    connection.scope["state"]["actor"] = actor
    if need is Need.ANYBODY:
        return
    if not current(connection).may(need):
        detail = f"This needs a token with the scope “{need.value}”."
        raise Refused(403, detail, headers={"www-authenticate": f'{CHALLENGE["www-authenticate"]}, error="insufficient_scope"'})


async def _identify(connection: Connection) -> Actor | None:
    header = connection.headers.get("authorization", "")
    context: Context = connection.app.state.application.context
    if header:
        scheme, _, text = header.partition(" ")
        return await _by_token(context, text.strip(), "token") if scheme.lower() == "bearer" else None
    cookie = connection.cookies.get(COOKIE, "")
    open_access: OpenAccess | None = connection.app.state.open_access
    if not cookie and open_access is None:
        return None
    # From here on a browser speaks by itself, on whosever page it is.
    _same_origin(connection)
    by_cookie = await _by_token(context, cookie, "agent") if cookie else None
    if by_cookie is not None or open_access is None:
        return by_cookie
    _known_host(connection, open_access)
    return Actor(open_access.account, open_access.agent, frozenset(SCOPES), f"agent:{open_access.agent}")


async def _identify_operator(connection: Connection) -> Operator | None:
    header, cookie = connection.headers.get("authorization", ""), connection.cookies.get(OPERATOR_COOKIE, "")
    context: Context = connection.app.state.application.context
    open_access: OpenAccess | None = connection.app.state.open_access
    if header:
        scheme, _, text = header.partition(" ")
        token = await operators.authenticate(context, text.strip()) if scheme.lower() == "bearer" else None
        return Operator(token.id, token.name) if token is not None else None
    if not cookie and open_access is None:
        return None
    _same_origin(connection)
    token = await operators.authenticate(context, cookie) if cookie else None
    if token is not None or open_access is None:
        return Operator(token.id, token.name) if token is not None else None
    _known_host(connection, open_access)
    return Operator("demo", "Operator")


async def _by_token(context: Context, text: str, kind: str) -> Actor | None:
    token = await tokens.authenticate(context, text)
    if token is None:
        return None
    return Actor(
        token.account, token.agent, widen(token.scopes), f"agent:{token.agent}" if kind == "agent" else f"token:{token.id}", token.id
    )


def widen(scopes: str) -> frozenset[str]:
    """A token's scopes with those that they include: admin may write, who writes may read. Unknown words allow nothing."""
    highest = max((SCOPES.index(word) for word in scopes.split() if word in SCOPES), default=-1)
    return frozenset(SCOPES[: highest + 1])


def _same_origin(connection: Connection) -> None:
    """Raises Refused for a change that another site's page asks for, or that does not say whose page asks."""
    if connection.scope.get("method") in SAFE:
        return
    told = "sec-fetch-site" in connection.headers or "origin" in connection.headers
    if not told or _foreign(connection):
        raise Refused(403, FOREIGN)


def _foreign(connection: Connection) -> bool:
    """Whether a browser says that another site's page asks."""
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower()


def _known_host(connection: Connection, open_access: OpenAccess) -> None:
    host = connection.headers.get("host", "").lower()
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    if open_access.hosts and name not in open_access.hosts:
        raise Refused(403, f"Without login this answers only at {' and '.join(open_access.hosts)}.")
