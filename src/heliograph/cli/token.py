"""`heliograph token`: API tokens, with which people log in and programs come."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from heliograph.bootstrap.operations import IssueOperatorToken, IssueToken, RevokeOperatorToken, RevokeToken
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, USAGE, Fault, Place, print_json, say
from heliograph.cli.writing import carry_out
from heliograph.services import operators

app = App(name="token", help="Issue, list and revoke API tokens.", help_format="rich", result_action="return_value")
Operator = Annotated[bool, Parameter(name="--operator", negative="", help="For somebody who runs the installation.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


@app.command
def issue(
    *, account: str = "", agent: str = "", name: str = "", scopes: str = "write", operator: Operator = False, json: Json = False,
    place: Place = HERE,
) -> int:  # fmt: skip
    """Issue a token in the name of an agent, or of an operator. Its text is printed once and kept nowhere; the store has only its hash.

    For example: heliograph token issue --account acc_… --agent agt_… --scopes admin
    Or for somebody who runs the installation: heliograph token issue --operator --name Ada

    Exit codes: 0 issued · 1 a problem, which is told.

    Parameters
    ----------
    account
        Id of the account: the token reaches nothing else.
    agent
        Id of the agent whose name replies carry.
    name
        What it is for, so that it can be told from others; an operator's own name.
    scopes
        read, write or admin; each includes those before it. Default: write
    """
    if operator and (account or agent):
        raise Fault("An operator is of no account: leave --account and --agent away.", code=USAGE)
    if not operator and not (account and agent):
        raise Fault("Name the account and the agent: --account acc_… --agent agt_… (or --operator).", code=USAGE)
    wanted = IssueOperatorToken(name or "Operator") if operator else IssueToken(account, agent, name or "command line", scopes)
    made = carry_out(place, wanted)
    print_json(made) if json else say(str(made["text"]))
    return OK


@app.command(name="list")
def list_tokens(*, account: str = "", operator: Operator = False, json: Json = False, place: Place = HERE) -> int:
    """List an account's tokens, or the operators', without their texts.

    For example: heliograph token list --account acc_…

    Exit codes: 0 shown · 1 a problem, which is told.

    Parameters
    ----------
    account
        Id of the account.
    """
    if operator:
        return _list_operators(place, json=json)
    found = looking(place, lambda application: application.context.store.tokens(account), account=account)
    if json:
        print_json({"tokens": [
            {"id": t.id, "name": t.name, "agent": t.agent, "scopes": t.scopes, "created_at": t.created_at, "revoked_at": t.revoked_at}
            for t in found
        ]})  # fmt: skip
    else:
        for t in found:
            made = datetime.fromtimestamp(t.created_at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
            say(f"{t.id}  {made}  {t.scopes:6}  {'revoked' if t.revoked_at else 'valid  '}  {t.agent}  {t.name}")
    return OK


def _list_operators(place: Place, *, json: bool) -> int:
    known = looking(place, lambda application: operators.listed(application.context.store))
    if json:
        print_json({"tokens": [
            {"id": t.id, "name": t.name, "created_at": t.created_at, "revoked_at": t.revoked_at} for t in known
        ]})  # fmt: skip
    else:
        for t in known:
            made = datetime.fromtimestamp(t.created_at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
            say(f"{t.id}  {made}  {'revoked' if t.revoked_at else 'valid  '}  {t.name}")
    return OK


@app.command
def revoke(token: str, *, account: str = "", operator: Operator = False, place: Place = HERE) -> int:
    """Make a token void from now on.

    For example: heliograph token revoke tok_… --account acc_…

    Exit codes: 0 void · 1 a problem, which is told.

    Parameters
    ----------
    token
        Id of the token (see: heliograph token list).
    account
        Id of the account.
    """
    carry_out(place, RevokeOperatorToken(token) if operator else RevokeToken(account, token))
    say("It is void.")
    return OK
