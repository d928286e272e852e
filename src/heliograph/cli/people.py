"""`heliograph account` and `heliograph agent`: who works with this installation."""

from typing import Annotated

from cyclopts import App, Parameter

from heliograph.bootstrap.operations import CreateAccount, CreateAgent
from heliograph.cli.options import HERE, OK, Place, print_json, say
from heliograph.cli.writing import carry_out

account = App(
    name="account",
    help="Create an account: an organisation that everything else belongs to.",
    help_format="rich",
    result_action="return_value",
)
agent = App(name="agent", help="Create an agent, who answers tickets.", help_format="rich", result_action="return_value")
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
        Language of its agents.
    """
    made = carry_out(place, CreateAccount(name, admin, locale), create=True)
    if json:
        print_json(made)
    else:
        say(
            f"Account {made['account']}, admin {made['agent']}.",
            f"Log in with a token: heliograph token issue --account {made['account']} --agent {made['agent']} --scopes admin",
        )
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
        agent or admin.
    """
    made = carry_out(place, CreateAgent(account, name, role))
    print_json(made) if json else say(f"Agent {made['agent']}.")
    return OK
