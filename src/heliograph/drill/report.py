"""What a drill prints and writes: per scenario what was held and missed, and our figures beside those of 2020."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

#: The facts of 6 August 2020, as the vendor published them.
THEN = (
    ("Wrong environment variables in a deploy", "took every call", "refused, naming {variable}"),
    ("Time until it was known", "“almost immediately”, by people", "{seconds_to_verdict} s, before any customer's message"),
    ("Replies lost", "all of nine minutes (19:02 to 19:11 UTC)", "{lost}"),
    ("Resent automatically", "not possible", "{replies} of {replies}, in order"),
    ("Agents told", "an error in the ticket's Events tab", "{seconds_to_told} s, in the product"),
)


def show(out: Console, result: dict[str, Any]) -> None:
    """One scenario, as soon as it is over."""
    mark = "[green]✓[/]" if result["held"] else "[bold red]✗[/]"
    out.print(f"{mark} [bold]({result['scenario']})[/] {result['title']} [dim]on {result['store']}, {result['seconds']:.0f} s[/]")
    told = {name: value for name, value in result.items() if name not in HIDDEN}
    out.print("    " + " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items()), style="dim")
    for missed in result["missed"]:
        out.print(f"    [red]missed:[/] {missed}")


HIDDEN = frozenset({"scenario", "title", "store", "held", "missed", "seconds", "timeline"})


def compare(out: Console, results: Sequence[dict[str, Any]]) -> None:
    """Their nine minutes beside our figures, each from the scenarios that were just run."""
    figures: dict[str, Any] = {}
    for letter in "DBA":
        for result in results:
            if result["scenario"].startswith(letter):
                figures |= {name: value for name, value in result.items() if name not in HIDDEN}
    out.print("[bold]Nine minutes, then and now[/]")
    table = Table("", "6 August 2020", "Heliograph, in this drill", box=None, pad_edge=False)
    for what, then, now in THEN:
        try:
            table.add_row(what, then, now.format(**figures))
        except KeyError:
            table.add_row(what, then, "not drilled")
    out.print(table)


def write(folder: Path, results: Sequence[dict[str, Any]]) -> Path:
    """Every figure, for scripts: build/drill.json."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "drill.json"
    file.write_text(json.dumps({"held": all(result["held"] for result in results), "scenarios": list(results)}, indent=2) + "\n", "utf-8")
    return file
