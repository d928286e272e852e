"""`heliograph release`: which releases there are, whether one may send, and what a person decides about them."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.releasing import ForceRelease, RollBack
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, OPEN, PROBLEM, USAGE, Fault, Place, again, out, print_json, say
from heliograph.cli.standing import Standing, changes_between, find, read_all
from heliograph.cli.writing import carry_out
from heliograph.domain.gate import SENDING, Stage

app = App(name="release", help="See which releases there are, wait for one to be admitted, go back, or break the glass.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
#: Seconds between two looks.
LOOK = 0.2


@app.command(name="list")
def list_releases(*, json: Json = False, place: Place = HERE) -> int:
    """Every release that was ever started here: its stage and why, the variable at fault, its code, times and processes.

    For example: heliograph release list --json | jq '.releases[-1]'

    Exit codes: 0 shown · 1 the store cannot be read.
    """
    found = looking(place, read_all)
    if json:
        print_json({"releases": [one.facts() for one in found]})
        return OK
    table = Table("release", "stage", "why", "variable", "code", "registered", "admitted", "ended", "processes", box=None, pad_edge=False)
    for one in found:
        facts = one.facts()
        why = " ".join(filter(None, (facts["basis"], facts["subject"], facts["reason"])))
        stage = f"{facts['stage']} [bold red](forced)[/]" if facts["forced"] else str(facts["stage"])
        table.add_row(
            facts["release"], stage, escape(why), escape(facts["variable"]), escape(facts["code"]), facts["registered_at"],
            facts["admitted_at"], facts["ended_at"], str(len(facts["processes"])),
        )  # fmt: skip
    out.print(table if found else "No release was started here yet.")
    for one in found:
        if one.kept.row.forced_at:
            out.print(f"{one.kept.row.id} was let through by a person: {escape(one.forced_because)}", soft_wrap=True)
    return OK


@app.command
def wait(
    *,
    release: Annotated[str, Parameter(help="Which one. Default: the one that this code with these settings is")] = "",
    latest: Annotated[bool, Parameter(negative="", help="The one that was started last, whichever it is.")] = False,
    timeout: Annotated[float, Parameter(help="Seconds to wait at most.")] = 60.0,
    json: Json = False,
    place: Place = HERE,
) -> int:
    """Wait until a release may send, or certainly may not: the gate for whatever starts processes.

    Run it with the settings that you deploy, and it waits for exactly that release, whoever starts it and when.

    For example:

      heliograph release wait --timeout 120 || kubectl rollout undo deployment/heliograph

    Exit codes: 0 admitted: it sends · 1 refused or fenced; the variable is named where one differs · 2 the command was not understood ·
    3 undecided when the time was over; whatever sent before still does.
    """
    if release and latest:
        raise Fault("Give --release or --latest, not both.", code=USAGE)

    async def watched(application: Application) -> Standing | None:
        wanted = release
        if not (release or latest):
            if application.identity is None:
                raise Fault("This code names no release. Say which with --release, or --latest.", code=USAGE)
            wanted = application.identity.id
        now = application.context.clock.now
        until = now() + int(timeout * 1_000_000)
        while True:
            found = await read_all(application)
            one = find(found, wanted) if wanted else max(found, key=lambda each: each.started_at, default=None)
            if (one is not None and one.decided(now())) or now() >= until:
                return one
            await application.context.clock.sleep(LOOK)

    return told(looking(place, watched), json=json, seconds=timeout)


def told(one: Standing | None, *, json: bool, seconds: float) -> int:
    """Say how a release stands; returns the exit code."""
    stage = one.kept.row.stage if one is not None else None
    code = OK if stage is Stage.ADMITTED else PROBLEM if stage in (Stage.REFUSED, Stage.FENCED) else OPEN
    if json:
        print_json({"outcome": {OK: "admitted", PROBLEM: str(stage), OPEN: "undecided"}[code], **(one.facts() if one is not None else {})})
    elif one is None:
        say(f"undecided: no process of this release was seen in {seconds:g} s.")
    else:
        say(one.sentence())
    return code


@app.command
def diff(first: str = "current", second: str = "latest", *, json: Json = False, place: Place = HERE) -> int:
    """Which variables and which code differ between two releases; by keyed fingerprint, never a value.

    A release is named by its id or the beginning of it, or is "current" (it sends) or "latest" (it was started last).

    For example: heliograph release diff current latest

    Exit codes: 0 shown · 1 there is no such release.
    """
    found = looking(place, read_all)
    a, b = _named(found, first, place), _named(found, second, place)
    changed = changes_between(a.kept, b.kept)
    if json:
        print_json({"from": a.kept.row.id, "to": b.kept.row.id, "code": [a.kept.row.code, b.kept.row.code], "variables": changed})
        return OK
    same = a.kept.row.code == b.kept.row.code
    say(f"{a.kept.row.id} → {b.kept.row.id}", f"code: {a.kept.row.code}" + (" in both" if same else f" → {b.kept.row.code}"))
    say(*(f"{one['variable']}: {one['change']} ({one['from'] or 'not set'} → {one['to'] or 'not set'})" for one in changed))
    if not changed:
        say("All variables are the same.")
    return OK


def _named(found: list[Standing], name: str, place: Place) -> Standing:
    if name == "current":
        wanted = [one for one in found if one.kept.row.stage in SENDING]
    elif name == "latest":
        wanted = sorted(found, key=lambda one: one.started_at)
    else:
        wanted = [one for one in found if one.kept.row.id.startswith(name)]
        if len(wanted) > 1:
            raise Fault(f"More than one release begins with {name}. See: heliograph release list{again(place)}")
    if not wanted:
        raise Fault(f"There is no release {name}. See: heliograph release list{again(place)}")
    return wanted[-1]


@app.command
def rollback(*, json: Json = False, place: Place = HERE) -> int:
    """Let the release that sent before send again, and stop the one that sends now.

    A process of the earlier release must run; otherwise it says which to start. Nothing that waits is lost: it goes out through the
    earlier release.

    Exit codes: 0 done · 1 nothing was changed, and why.
    """
    done = carry_out(place, RollBack())
    if json:
        print_json(done)
    else:
        say(f"{done['release']} sends again." + (f" {done['fenced']} is fenced." if done["fenced"] else ""))
    return OK


@app.command
def force(
    release: str,
    *,
    reason: Annotated[str, Parameter(help="Why; kept and shown.")],
    share: Annotated[int, Parameter(help="Of 100 conversations, how many (PostgreSQL only).")] = 100,
    json: Json = False,
    place: Place = HERE,
) -> int:
    """Break glass: let a release send although it did not prove itself.

    It is recorded with your reason, and shown. The release is fenced all the same as soon as its own attempts fail where another one
    succeeds. For one that a deploy refused on SQLite: heliograph deploy --force --reason …

    For example: heliograph release force rel_0123456789ab --reason "the probe is wrong, see ticket 12" --share 10

    Exit codes: 0 done · 1 nothing was changed, and why.
    """
    done = carry_out(place, ForceRelease(release=release, reason=reason, share=share))
    if json:
        print_json(done)
    else:
        say(f"{done['release']} may send" + (f" on {share} of 100 conversations." if share < 100 else "."))
    return OK
