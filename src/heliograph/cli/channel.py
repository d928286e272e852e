"""`heliograph channel`: an account's connections to messaging services."""

import getpass
import sys
from typing import Annotated

from cyclopts import App, Parameter

from heliograph.bootstrap.operations import AddChannel
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, Fault, Place, again, print_json, say
from heliograph.cli.writing import carry_out

app = App(
    name="channel",
    help="Connect an account to a messaging service, and list its channels.",
    help_format="rich",
    result_action="return_value",
)
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


@app.command
def add(
    provider: str,
    *,
    account: str,
    name: str = "",
    set: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    secret: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    shared: str = "",
    json: Json = False,
    place: Place = HERE,
) -> int:
    """Add a channel. It is probed at once; look at the result with `heliograph check`.

    Secrets are asked for, or read one a line from standard input in the order given, so that they are in no list of processes and
    no shell history.

    For example:

      heliograph channel add telegram --account acc_… --secret token
      heliograph channel add sunshine --account acc_… --set app_id=… --set key_id=… --secret key_secret --secret webhook_secret

    Exit codes: 0 added · 1 a problem, which is told.

    Parameters
    ----------
    provider
        The kind of service: telegram, whatsapp, slack … A wrong one is answered with all there are.
    account
        Id of the account.
    name
        What agents call it.
    set
        A field that is not secret, as field=value.
    secret
        A field that is secret: its value is asked for.
    shared
        Use a credential of the installation, by its name in HELIOGRAPH_CREDENTIAL__<NAME>__….
    """
    config = {}
    for item in set:
        field, found, value = item.partition("=")
        if not found:
            raise Fault("Write a field as --set field=value.")
        config[field] = value
    for field in secret:
        config[field] = getpass.getpass(f"{field}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    made = carry_out(place, AddChannel(account, provider, name or provider.title(), config, shared))
    if json:
        print_json(made)
    else:
        say(f"Channel {made['channel']}.")
        if made["registered"]:
            say("Its webhook is registered with the provider.")
        elif made["webhook"]:
            say(f"Its webhook, behind the address under which the internet reaches you: {made['webhook']}")
        say(f"Is it well? heliograph check{again(place)}")
    return OK


@app.command(name="list")
def list_channels(*, account: str = "", json: Json = False, place: Place = HERE) -> int:
    """List channels.

    For example: heliograph channel list --account acc_…

    Exit codes: 0 shown · 1 a problem, which is told.

    Parameters
    ----------
    account
        Only this account's.
    """
    found = looking(place, lambda application: application.context.store.all_channels(), account=account)
    shown = [c for c in found if account in ("", c.account)]
    if json:
        print_json({"channels": [
            {"account": c.account, "id": c.id, "provider": c.provider, "name": c.name, "enabled": bool(c.enabled)} for c in shown
        ]})  # fmt: skip
    else:
        for c in shown:
            say(f"{c.id}  {c.account}  {c.provider:10}  {'on ' if c.enabled else 'off'}  {c.name}")
    return OK
