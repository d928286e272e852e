"""The command `heliograph`."""

import sys

from cyclopts import App, CycloptsError, Group
from rich.markup import escape

from heliograph.bootstrap.keys import BadKey
from heliograph.bootstrap.settings import SettingsError
from heliograph.cli.options import PROBLEM, USAGE, Fault, err

RUN = Group("Run", sort_key=1)
LOOK = Group("Look", sort_key=2)
ACT = Group("Act", sort_key=3)
SET_UP = Group("Set up", sort_key=4)

app = App(
    name="heliograph",
    help="""Connects a ticket desk to social messaging, and never loses an agent's reply.

Try it: [bold]heliograph up[/] starts a demonstration and prints one address.

Exit codes: 0 done · 1 a problem, which is told · 2 the command was not understood.""",
    help_format="rich",
    result_action="return_value",
)
# By name: a command that only looks must not wait for the web server's imports.
app.command("heliograph.cli.up:up", help="Run everything in one process; without a data folder a demonstration.", group=RUN)
app.command("heliograph.cli.roles:serve", help="Serve the desk, the API and webhooks only.", group=RUN)
app.command("heliograph.cli.roles:work", help="Deliver only.", group=RUN)
app.command("heliograph.cli.check:check", help="Check settings, store, master key and every channel.", group=LOOK)
app.command("heliograph.cli.status:status", help="Say what waits, what is on hold and why.", group=LOOK)
app.command("heliograph.cli.resend:resend", help="Decide to send replies again.", group=ACT)
app.command("heliograph.cli.token:app", name="token", help="Issue, list and revoke API tokens.", group=SET_UP)
app.command("heliograph.cli.people:account", name="account", help="Create an account.", group=SET_UP)
app.command("heliograph.cli.people:agent", name="agent", help="Create an agent.", group=SET_UP)
app.command("heliograph.cli.channel:app", name="channel", help="Connect an account to a messaging service.", group=SET_UP)
app.command("heliograph.cli.keys:app", name="keys", help="Make a master key.", group=SET_UP)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        code = app(arguments, exit_on_error=False, print_error=True)
    except CycloptsError:
        return USAGE
    except SettingsError as wrong:
        return _tell(*wrong.problems, code=PROBLEM)
    except BadKey as bad:
        return _tell(str(bad), code=PROBLEM)
    except Fault as fault:
        return _tell(*fault.lines, code=fault.code)
    except BrokenPipeError:
        return PROBLEM
    return code if isinstance(code, int) else 0


def _tell(*lines: str, code: int) -> int:
    for line in lines:
        err.print(f"[bold red]✗[/] {escape(line)}", soft_wrap=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
