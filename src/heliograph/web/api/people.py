"""Who works here and who is asking: agents, `me`, and the tokens with which programs come."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from litestar import delete, get, post
from litestar.params import JSONBody

from heliograph.ports import rows
from heliograph.services import configure, tokens
from heliograph.services.context import Missing
from heliograph.web.api import shapes
from heliograph.web.api.asking import Asked, PathId, context
from heliograph.web.auth import IDENT, current
from heliograph.web.policy import API, SCOPES
from heliograph.web.problems import Refused


class AgentShape(msgspec.Struct):
    """Somebody who answers tickets."""

    id: str
    name: str
    role: str


class Me(msgspec.Struct):
    """Who is asking."""

    account: str
    account_name: str
    locale: str
    agent: AgentShape
    scopes: list[str]


class TokenShape(msgspec.Struct):
    """An API token, without its text."""

    id: str
    name: str
    agent: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewToken(TokenShape):
    """A token that was just made. `token` is shown this once; it is not kept."""

    token: str


class TokenIn(msgspec.Struct, forbid_unknown_fields=True):
    """A token to be made. It acts as `agent`, by default the one who asks. Each scope includes those before it."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    scope: Literal["read", "write", "admin"] = "read"
    agent: str | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


@get(f"{API}/me", tags=["people"], summary="Who is asking")
async def me(request: Asked) -> Me:
    """The agent behind the token, and what the token allows."""
    actor, store = current(request), context(request).store
    account, agent = await store.account(actor.account), await store.agent(actor.account, actor.agent)
    if account is None or agent is None:
        raise Missing("agent")
    return Me(account.id, account.name, account.locale, _agent(agent), [scope for scope in SCOPES if scope in actor.scopes])


@get(f"{API}/agents", tags=["people"], summary="All agents")
async def list_agents(request: Asked) -> list[AgentShape]:
    """An account's agents."""
    return [_agent(row) for row in await context(request).store.agents(current(request).account)]


@get(f"{API}/tokens", tags=["people"], summary="All API tokens, without their texts")
async def list_tokens(request: Asked) -> list[TokenShape]:
    """Revoked and expired ones included."""
    return [TokenShape(*_token(row)) for row in await context(request).store.tokens(current(request).account)]


@post(f"{API}/tokens", tags=["people"], summary="Make an API token")
async def create_token(request: Asked, data: JSONBody[TokenIn]) -> NewToken:
    """Its text is in this answer and nowhere else."""
    actor, ctx = current(request), context(request)
    expires_at = (data.expires_at - shapes.EPOCH) // timedelta(microseconds=1) if data.expires_at is not None else 0
    if data.expires_at is not None and expires_at <= ctx.clock.now():
        raise Refused(422, "Change the fields that are named in errors.", errors=[("expires_at", "is in the past")])
    if data.agent is not None and (not IDENT.match(data.agent) or await ctx.store.agent(actor.account, data.agent) is None):
        raise Refused(422, "Change the fields that are named in errors.", errors=[("agent", "no such agent in this account")])
    text = tokens.new_text(ctx.rng)
    id = await configure.issue_token(
        ctx,
        actor.account,
        data.name,
        scopes=data.scope,
        agent=data.agent or actor.agent,
        secret=text,
        actor=actor.actor,
        expires_at=expires_at,
    )
    row = next(row for row in await ctx.store.tokens(actor.account) if row.id == id)
    return NewToken(*_token(row), text)


@delete(f"{API}/tokens/{{token:str}}", tags=["people"], summary="Revoke an API token", status_code=204)
async def revoke_token(request: Asked, token: PathId) -> None:
    """It is void at once; revoking it again changes nothing."""
    actor = current(request)
    await tokens.revoke(context(request), actor.account, token, actor=actor.actor)


def _agent(row: rows.Agent) -> AgentShape:
    return AgentShape(row.id, row.name, row.role)


def _token(row: rows.Token) -> tuple[str, str, str, list[str], datetime, datetime | None, datetime | None]:
    ends = (shapes.maybe(row.expires_at), shapes.maybe(row.revoked_at))
    return (row.id, row.name, row.agent, row.scopes.split(), shapes.when(row.created_at), *ends)


ROUTES = [me, list_agents, list_tokens, create_token, revoke_token]
