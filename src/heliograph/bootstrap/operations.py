"""What an operator may do from the command line, wherever the writer of the store is: here, or in the process that runs."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from heliograph.bootstrap import rekeying, releasing
from heliograph.bootstrap.application import Application
from heliograph.domain.decide import Refusal
from heliograph.domain.delivery import State
from heliograph.domain.outcomes import Valid
from heliograph.ports.provider import ProviderSpec
from heliograph.services import configure, operators, registering, staleness, tokens
from heliograph.services.context import Invalid, Missing
from heliograph.services.decisions import decide_on

ACTOR = "operator"
#: Deliveries that one `resend --channel` takes in at most.
MOST = 10_000


class NotDone(Exception):
    """The operation was refused. The message is for the person who asked, and holds no content."""


class Resend(msgspec.Struct, forbid_unknown_fields=True):
    """Send again what failed, asks or was cancelled."""

    deliveries: list[str]


class CreateAccount(msgspec.Struct, forbid_unknown_fields=True):
    """A new tenant with its first admin."""

    name: str
    admin: str
    locale: str = "en"


class CreateAgent(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody who answers tickets."""

    account: str
    name: str
    role: str = "agent"


class LimitWaiting(msgspec.Struct, forbid_unknown_fields=True):
    """For how long an account's replies may wait without being asked about."""

    account: str
    seconds: int


class AddChannel(msgspec.Struct, forbid_unknown_fields=True):
    """A connection of an account to a provider."""

    account: str
    provider: str
    name: str
    config: dict[str, str]
    #: Name of a credential of the installation, instead of secrets of its own.
    shared: str = ""

    def __repr__(self) -> str:
        return "AddChannel(…)"


class IssueToken(msgspec.Struct, forbid_unknown_fields=True):
    """An API token in the name of an agent."""

    account: str
    agent: str
    name: str
    scopes: str


class RevokeToken(msgspec.Struct, forbid_unknown_fields=True):
    """Make a token void."""

    account: str
    token: str


class IssueOperatorToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token of the installation, for somebody who runs it."""

    name: str


class RevokeOperatorToken(msgspec.Struct, forbid_unknown_fields=True):
    """Make an operator's token void."""

    token: str


Answer = dict[str, Any]


async def _resend(application: Application, wanted: Resend) -> Answer:
    store = application.context.store
    accounts = [account.id for account in await store.accounts()]
    done, refused = [], {}
    for id in wanted.deliveries[:MOST]:
        owner = next([account for account in accounts if await store.delivery(account, id) is not None].__iter__(), None)
        if owner is None:
            refused[id] = "There is no such delivery."
            continue
        try:
            await decide_on(application.context, owner, id, "resend", actor=ACTOR)
            done.append(id)
        except Refusal as no:
            refused[id] = str(no)
    return {"resent": done, "refused": refused}


async def _create_account(application: Application, wanted: CreateAccount) -> Answer:
    account = await configure.create_account(application.context, wanted.name, locale=wanted.locale)
    agent = await configure.create_agent(application.context, account, wanted.admin, role="admin")
    return {"account": account, "agent": agent}


async def _create_agent(application: Application, wanted: CreateAgent) -> Answer:
    if wanted.role not in ("agent", "admin"):
        raise NotDone("A role is agent or admin.")
    if await application.context.store.account(wanted.account) is None:
        raise Missing("account")
    return {"agent": await configure.create_agent(application.context, wanted.account, wanted.name, role=wanted.role)}


async def _limit_waiting(application: Application, wanted: LimitWaiting) -> Answer:
    if await application.context.store.account(wanted.account) is None:
        raise Missing("account")
    await staleness.set_limit(application.context, wanted.account, wanted.seconds)
    return {"account": wanted.account, "seconds": wanted.seconds}


async def _add_channel(application: Application, wanted: AddChannel) -> Answer:
    spec = application.specs.get(wanted.provider)
    if spec is None:
        raise NotDone(f"There is no such provider. There are: {', '.join(sorted(application.specs))}.")
    try:
        channel = await configure.create_channel(
            application.context, wanted.account, spec, name=wanted.name, config=wanted.config, actor=ACTOR, shared=wanted.shared
        )
    except Invalid as invalid:
        raise NotDone(f"{invalid} {_fields(spec)}") from invalid
    registered = await registering.register(application.context, wanted.account, channel, actor=ACTOR)
    application.context.suspect(wanted.account, channel)
    hook = f"/hooks/{wanted.provider}/{channel}" if "webhook" in spec.capabilities else ""
    return {"channel": channel, "webhook": hook, "registered": isinstance(registered, Valid)}


def _fields(spec: ProviderSpec) -> str:
    """What a channel of this kind is made from, as it is written on the command line."""
    written = [(f"--secret {field.name}" if field.secret else f"--set {field.name}=…", field.required) for field in spec.fields]
    needed = ", ".join(words for words, required in written if required)
    more = ", ".join(words for words, required in written if not required)
    return f"It needs {needed}; it can have {more}." if more else f"It needs {needed}."


async def _issue_token(application: Application, wanted: IssueToken) -> Answer:
    if not wanted.scopes or set(wanted.scopes.split()) - {"read", "write", "admin"}:
        raise NotDone("A scope is read, write or admin; each includes those before it.")
    secret = tokens.new_text(application.context.rng)
    token = await configure.issue_token(
        application.context, wanted.account, wanted.name, scopes=wanted.scopes, agent=wanted.agent, secret=secret, actor=ACTOR
    )
    return {"token": token, "text": secret}


async def _revoke_token(application: Application, wanted: RevokeToken) -> Answer:
    await tokens.revoke(application.context, wanted.account, wanted.token, actor=ACTOR)
    return {"token": wanted.token}


async def _issue_operator_token(application: Application, wanted: IssueOperatorToken) -> Answer:
    token, text = await operators.issue(application.context, wanted.name)
    return {"token": token, "text": text}


async def _revoke_operator_token(application: Application, wanted: RevokeOperatorToken) -> Answer:
    await operators.revoke(application.context, wanted.token)
    return {"token": wanted.token}


_Operation = Callable[[Application, Any], Awaitable[Answer]]
OPERATIONS: dict[type[msgspec.Struct], _Operation] = {
    Resend: _resend,
    CreateAccount: _create_account,
    CreateAgent: _create_agent,
    LimitWaiting: _limit_waiting,
    AddChannel: _add_channel,
    IssueToken: _issue_token,
    RevokeToken: _revoke_token,
    IssueOperatorToken: _issue_operator_token,
    RevokeOperatorToken: _revoke_operator_token,
    releasing.ForceRelease: releasing.force,
    releasing.RollBack: releasing.roll_back,
    rekeying.RotateKeys: rekeying.rotate,
}
BY_NAME: Mapping[str, type[msgspec.Struct]] = {kind.__name__: kind for kind in OPERATIONS}


#: What a command lists.
LISTED = ("account", "agent", "channel", "token", "release")


async def operate(application: Application, wanted: msgspec.Struct) -> Answer:
    """Carry it out here. Raises NotDone or Unavailable."""
    try:
        return await OPERATIONS[type(wanted)](application, wanted)
    except Missing as missing:
        found = f" See `heliograph {missing} list`." if str(missing) in LISTED else ""
        raise NotDone(f"There is no such {missing}.{found}") from missing
    except Invalid as invalid:
        raise NotDone(str(invalid)) from invalid


#: States that a resend is for.
RESENDABLE = (State.FAILED, State.ASKING, State.CANCELLED)
