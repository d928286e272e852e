"""What a drill prints and writes: per scenario what was held and missed, and our figures beside those of 2020."""

import json
from collections.abc import Sequence
from pathlib import Path
from string import Formatter
from typing import Any

from rich.console import Console
from rich.table import Table

#: What it was about; the facts of 6 August 2020, as the vendor published them; ours, filled from the figures of one scenario.
THEN = (
    ("Wrong environment variables in a deploy", "took every call", "A", "{basis}: {variable}; {attempts_spent} attempts"),
    ("Time until it was known", "“almost immediately”, by people", "A", "{seconds_to_verdict} s"),
    ("Replies lost", "all of nine minutes (19:02 to 19:11 UTC)", "F", "{lost} of {replies}"),
    ("Resent automatically", "not possible", "F", "{affected} that waited; {doubled} doubled, {overtaken} overtaken"),
    ("Agents told", "an error in the ticket's Events tab", "F", "{seconds_to_told} s, in the product"),
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
    out.print("[bold]Nine minutes, then and now[/]")
    table = Table("", "6 August 2020", "Heliograph, in this drill", box=None, pad_edge=False)
    for what, then, letter, now in THEN:
        ours = [now.format(**result) for result in results if result["scenario"] == letter and _whole(now, result)]
        table.add_row(what, then, "\n".join(ours) or f"not drilled: {letter}")
    out.print(table)


def _whole(sentence: str, result: dict[str, Any]) -> bool:
    """Whether a scenario came so far that it has every figure of the sentence."""
    return all(name in result for _, name, _, _ in Formatter().parse(sentence) if name)


def write(folder: Path, results: Sequence[dict[str, Any]]) -> Path:
    """Every figure, for scripts: build/drill.json."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "drill.json"
    file.write_text(json.dumps({"held": all(result["held"] for result in results), "scenarios": list(results)}, indent=2) + "\n", "utf-8")
    return file
