"""`heliograph resend`: a person decides to send replies again."""

import sys
from typing import Annotated

from cyclopts import Parameter

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.operations import MOST, RESENDABLE, Resend
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, PROBLEM, USAGE, Fault, Place, err, print_json, say
from heliograph.cli.writing import carry_out


def resend(
    *deliveries: str,
    channel: Annotated[str, Parameter(help="Instead of ids: all of this channel that are in --state.")] = "",
    state: Annotated[str, Parameter(help="failed, asking or cancelled. Default: failed")] = "failed",
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    place: Place = HERE,
) -> int:
    """Send replies again that failed, ask or were cancelled. What waits or is on hold goes by itself: it needs no resend.

    A reply that asks may have arrived already; sending it again may double it. That is your decision, and it is recorded as one.

    It goes through the process that runs, if one does.

    For example:

      heliograph resend dlv_… dlv_…
      heliograph resend --channel chn_… --state failed

    Exit codes: 0 all of them are queued again · 1 some were refused, which is told · 2 nothing was named, or nobody could be asked.
    """
    if bool(deliveries) == bool(channel):
        raise Fault("Name deliveries, or a channel with --channel.", code=USAGE)
    if state not in RESENDABLE:
        raise Fault(f"--state is one of {', '.join(RESENDABLE)}: anything else goes by itself or has arrived.", code=USAGE)
    wanted = list(deliveries) or looking(place, lambda application: _of_channel(application, channel, state))
    if not wanted:
        say("There are none.")
        return OK
    if not yes and not _agreed(len(wanted)):
        say("Nothing was changed.")
        return USAGE
    done = carry_out(place, Resend(wanted))
    if json:
        print_json(done)
    else:
        say(f"Queued again: {len(done['resent'])} of {len(wanted)}.")
        for id, why in done["refused"].items():
            err.print(f"{id}: {why}", soft_wrap=True)
    return PROBLEM if done["refused"] else OK


def _agreed(number: int) -> bool:
    if not sys.stdin.isatty():
        err.print("Nobody is there to be asked. Say --yes if you mean it.")
        return False
    return input(f"Send {number} {'reply' if number == 1 else 'replies'} again? [y/N] ").strip().lower() in ("y", "yes")


async def _of_channel(application: Application, channel: str, state: str) -> list[str]:
    store = application.context.store
    row = await store.channel_by_id(channel)
    if row is None:
        raise Fault("There is no such channel. See: heliograph channel list")
    found = await store.deliveries(row.account, state=state, channel=channel, after="", limit=MOST)
    return [delivery.id for delivery in found]
