"""`heliograph token`: API tokens, with which people log in and programs come."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from heliograph.bootstrap.operations import IssueToken, RevokeToken
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, Place, print_json, say
from heliograph.cli.writing import carry_out

app = App(name="token", help="Issue, list and revoke API tokens.", help_format="rich", result_action="return_value")
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


@app.command
def issue(*, account: str, agent: str, name: str = "", scopes: str = "write", json: Json = False, place: Place = HERE) -> int:
    """Issue a token in the name of an agent. Its text is printed once and kept nowhere; the store has only its hash.

    For example: heliograph token issue --account acc_… --agent agt_… --scopes admin

    Exit codes: 0 issued · 1 a problem, which is told.

    Parameters
    ----------
    account
        Id of the account: the token reaches nothing else.
    agent
        Id of the agent whose name replies carry.
    name
        What it is for, so that it can be told from others.
    scopes
        read, write or admin; each includes those before it. Default: write
    """
    made = carry_out(place, IssueToken(account, agent, name or "command line", scopes))
    print_json(made) if json else say(str(made["text"]))
    return OK


@app.command(name="list")
def list_tokens(*, account: str, json: Json = False, place: Place = HERE) -> int:
    """List an account's tokens, without their texts.

    For example: heliograph token list --account acc_…

    Exit codes: 0 shown · 1 a problem, which is told.

    Parameters
    ----------
    account
        Id of the account.
    """
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


@app.command
def revoke(token: str, *, account: str, place: Place = HERE) -> int:
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
    carry_out(place, RevokeToken(account, token))
    say("It is void.")
    return OK
