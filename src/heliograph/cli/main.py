"""The command `heliograph`."""

import sys

from cyclopts import App, CycloptsError, Group, Parameter
from rich.markup import escape

from heliograph.bootstrap.keys import BadKey
from heliograph.bootstrap.settings import SettingsError
from heliograph.cli import channel, keys, people, release, texts, token, zendesk
from heliograph.cli.check import check
from heliograph.cli.deploy import deploy
from heliograph.cli.options import PROBLEM, USAGE, Fault, err
from heliograph.cli.resend import resend
from heliograph.cli.status import status

RUN = Group("Run", sort_key=1)
LOOK = Group("Look", sort_key=2)
ACT = Group("Act", sort_key=3)
SET_UP = Group("Set up", sort_key=4)

app = App(
    name="heliograph",
    help="""Connects a ticket desk to social messaging, and never loses an agent's reply.

Try it: [bold]heliograph up[/] starts a demonstration and prints one address.

Exit codes: 0 done · 1 a problem, which is told · 2 the command was not understood; some commands have more of their own.""",
    help_format="rich",
    # A default that is worth reading stands in the help's own words.
    default_parameter=Parameter(show_default=False),
    result_action="return_value",
)
# By name: a command that only looks must not wait for the web server's imports.
app.command("heliograph.cli.up:up", help=texts.UP, group=RUN)
app.command("heliograph.cli.roles:serve", help=texts.SERVE, group=RUN)
app.command("heliograph.cli.roles:work", help=texts.WORK, group=RUN)
app.command(check, group=LOOK)
app.command("heliograph.cli.drill:drill", help=texts.DRILL, group=LOOK)
app.command(status, group=LOOK)
app.command(deploy, group=ACT)
app.command(resend, group=ACT)
release.app.group = ACT
app.command(release.app)
for part in (token.app, people.account, people.agent, channel.app, zendesk.app, keys.app):
    part.group = SET_UP
    app.command(part)


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
