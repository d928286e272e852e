"""`heliograph account` and `heliograph agent`: who works with this installation."""

from typing import Annotated

from cyclopts import App, Parameter

from heliograph.bootstrap.operations import CreateAccount, CreateAgent, LimitWaiting
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, Place, again, print_json, say
from heliograph.cli.writing import carry_out

account = App(
    name="account",
    help="Create and list accounts: organisations that everything else belongs to.",
    help_format="rich",
    result_action="return_value",
)
agent = App(name="agent", help="Create and list agents, who answer tickets.", help_format="rich", result_action="return_value")
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


@account.command(name="create")
def create_account(name: str, *, admin: str, locale: str = "en", json: Json = False, place: Place = HERE) -> int:
    """Create an account and its first admin.

    For example: heliograph account create "Lighthouse Outfitters" --admin "Sam Pharos" --data ./desk

    Exit codes: 0 created · 1 a problem, which is told.

    Parameters
    ----------
    name
        What the organisation is called.
    admin
        Name of its first admin.
    locale
        Language of its agents. Default: en
    """
    made = carry_out(place, CreateAccount(name, admin, locale), create=True)
    if json:
        print_json(made)
    else:
        whose = f"--account {made['account']} --agent {made['agent']}"
        say(
            f"Account {made['account']}, admin {made['agent']}.",
            f"Sign in with a token: heliograph token issue {whose} --scopes admin{again(place)}",
        )
    return OK


@account.command(name="list")
def list_accounts(*, json: Json = False, place: Place = HERE) -> int:
    """List accounts.

    For example: heliograph account list --data ./desk

    Exit codes: 0 shown · 1 a problem, which is told.
    """
    found = looking(place, lambda application: application.context.store.accounts())
    if json:
        print_json({"accounts": [{"id": a.id, "name": a.name} for a in found]})
    else:
        say(*(f"{a.id}  {a.name}" for a in found) if found else ("There are none.",))
    return OK


@account.command(name="ask-after")
def ask_after(account_id: str, hours: float, *, json: Json = False, place: Place = HERE) -> int:
    """Say for how long an account's replies may wait before its agents are asked whether they still go.

    For example: heliograph account ask-after acc_… 12

    Exit codes: 0 done · 1 a problem, which is told.

    Parameters
    ----------
    account_id
        Id of the account.
    hours
        From a minute (0.02) to 30 days (720). 4 unless it was changed.
    """
    done = carry_out(place, LimitWaiting(account_id, round(hours * 3600)))
    if json:
        print_json(done)
    else:
        say(f"Replies of {account_id} that waited longer than {hours:g} hours are asked about.")
    return OK


@agent.command(name="create")
def create_agent(name: str, *, account: str, role: str = "agent", json: Json = False, place: Place = HERE) -> int:
    """Create an agent or an admin of an account.

    For example: heliograph agent create "Grace Fresnel" --account acc_…

    Exit codes: 0 created · 1 a problem, which is told.

    Parameters
    ----------
    name
        What customers and colleagues call them.
    account
        Id of the account.
    role
        agent or admin. Default: agent
    """
    made = carry_out(place, CreateAgent(account, name, role))
    if json:
        print_json(made)
    else:
        say(
            f"Agent {made['agent']}.",
            f"Sign in with a token: heliograph token issue --account {account} --agent {made['agent']}{again(place)}",
        )
    return OK


@agent.command(name="list")
def list_agents(*, account: str, json: Json = False, place: Place = HERE) -> int:
    """List an account's agents and admins.

    For example: heliograph agent list --account acc_…

    Exit codes: 0 shown · 1 a problem, which is told.

    Parameters
    ----------
    account
        Id of the account.
    """
    found = looking(place, lambda application: application.context.store.agents(account), account=account)
    if json:
        print_json({"agents": [{"id": a.id, "role": a.role, "name": a.name} for a in found]})
    else:
        say(*(f"{a.id}  {a.role:5}  {a.name}" for a in found) if found else ("There are none.",))
    return OK
