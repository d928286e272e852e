"""`heliograph keys`: the master key."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.keyring import name_of
from heliograph.bootstrap.keys import new_master_key
from heliograph.bootstrap.rekeying import RotateKeys
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, PROBLEM, Place, keys_of, out, print_json, say, settings_of
from heliograph.cli.writing import carry_out
from heliograph.services.rotation import Current, Sealing, current, survey

app = App(name="keys", help="Make, look at and exchange the master key, which seals the accounts' secrets in the store.")
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


@app.command
def new() -> int:
    """Print a new master key, and keep it nowhere.

    Put it into HELIOGRAPH_MASTER_KEY, or leave that away: the first `heliograph up --data …` makes a key file by itself.

    For example: heliograph keys new > /run/secrets/heliograph && chmod 600 /run/secrets/heliograph

    Exit codes: 0.
    """
    say(new_master_key())
    return OK


@app.command(name="status")
def key_status(*, json: Json = False, place: Place = HERE) -> int:
    """Which master key seals how many secrets of which kind, and which of them do not open.

    A key is shown by a name of eight characters that gives nothing of it away. It changes nothing and prints no secret.

    For example: heliograph keys status --json | jq '.sealed[] | select(.unopened > 0)'

    Exit codes: 0 every secret opens · 1 some do not, or the store cannot be read.
    """

    async def asked(application: Application) -> tuple[str, list[str], list[Sealing], Current | None]:
        vault = application.context.channels.vault
        return vault.key_id, sorted(vault.key_ids), await survey(application.context), await current(application.context)

    seals, held, found, turning = looking(place, asked)
    broken = sum(one.broken for one in found)
    needed = sorted({one.key for one in found} & set(held) - {seals})
    if json:
        print_json({
            "ok": not broken, "seals_with": seals, "held": held, "still_needed": needed,
            "rotation": None if turning is None else {"key": turning.key, "ended": bool(turning.ended_at)},
            "sealed": [
                {"kind": one.kind, "account": one.holder, "key": one.key, "number": one.number, "unopened": one.broken} for one in found
            ],
        })  # fmt: skip
        return PROBLEM if broken else OK
    table = Table("kind", "account", "key", "secrets", "do not open", box=None, pad_edge=False)
    for (kind, key), (number, unopened, accounts) in _by_kind(found).items():
        table.add_row(kind, f"{accounts}", key if key in held else f"{key} [bold red](not held)[/]", f"{number}", f"{unopened or ''}")
    out.print(table if found else "Nothing is sealed yet.")
    out.print(f"Sealed is with {seals}. {'Still needed: ' + ', '.join(needed) + '.' if needed else 'No other key is needed.'}")
    if turning is not None and not turning.ended_at:
        out.print(f"An exchange for {turning.key} began and did not end: heliograph keys rotate", soft_wrap=True)
    for one in found:
        if one.broken:
            out.print(f"[bold red]✗[/] {one.broken} of account {one.holder or '(installation)'} ({one.kind}, key {one.key}) do not open")
    return PROBLEM if broken else OK


def _by_kind(found: list[Sealing]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Kind and key -> secrets, those that do not open, accounts."""
    sums: dict[tuple[str, str], tuple[int, int, int]] = {}
    for one in found:
        number, broken, accounts = sums.get((one.kind, one.key), (0, 0, 0))
        sums[one.kind, one.key] = (number + one.number, broken + one.broken, accounts + 1)
    return sums


@app.command
def rotate(*, json: Json = False, place: Place = HERE) -> int:
    """Seal every secret anew with the present master key, so that the former one can be thrown away.

    First every process must run with the new key in HELIOGRAPH_MASTER_KEY and the former one in HELIOGRAPH_MASTER_KEY_OLD (or, in a key
    file, the new key on a line above the former one). Then this, beside them or without them; it can be interrupted and repeated. When
    `heliograph keys status` says that no other key is needed, take the former one away.

    Holds, releases and whatever else is known by a fingerprint stay as they are.

    For example:

      HELIOGRAPH_MASTER_KEY=… HELIOGRAPH_MASTER_KEY_OLD=… heliograph keys rotate

    Exit codes: 0 all is sealed with the present key · 1 some secrets open with no key given, or it was not done.
    """
    first = keys_of(settings_of(place))[0]
    done = carry_out(place, RotateKeys(name_of(first)))
    if json:
        print_json(done)
    else:
        out.print(f"{done['resealed']} secrets were sealed anew with {done['key']}.")
        if done["unopened"]:
            out.print(f"[bold red]✗[/] {done['unopened']} open with no key that is held; see: heliograph keys status", soft_wrap=True)
    return PROBLEM if done["unopened"] else OK
