"""`heliograph keys`: the master key."""

from cyclopts import App

from heliograph.bootstrap.keys import new_master_key
from heliograph.cli.options import OK, say

app = App(
    name="keys", help="Make a master key, which seals the accounts' secrets in the store.", help_format="rich", result_action="return_value"
)


@app.command
def new() -> int:
    """Print a new master key, and keep it nowhere.

    Put it into HELIOGRAPH_MASTER_KEY, or leave that away: the first `heliograph up --data …` makes a key file by itself.

    For example: heliograph keys new > /run/secrets/heliograph && chmod 600 /run/secrets/heliograph

    Exit codes: 0.
    """
    say(new_master_key())
    return OK
