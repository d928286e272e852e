"""`heliograph drill`: replays 6 August 2020 and its relatives with real processes against the sandbox."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from heliograph.cli.options import OK, PROBLEM, USAGE, Fault, out
from heliograph.drill import report
from heliograph.drill.drill import SCENARIOS, drill as run


def drill(
    *letters: Annotated[str, Parameter(help="Scenarios, such as A or D; all where none is named.")],
    server: Annotated[str, Parameter(help="A PostgreSQL address on which databases may be made: drills there too.")] = "",
    sqlite: Annotated[bool, Parameter(help="Drill on SQLite.")] = True,
    uncompressed: Annotated[bool, Parameter(negative="", help="Let scenario F last its nine minutes.")] = False,
    random: Annotated[int, Parameter(help="So many drills that are drawn by chance, instead of all scenarios.")] = 0,
    seed: Annotated[str, Parameter(help="What they are drawn from: the same seed makes the same drills.")] = "1",
    keep: Annotated[Path | None, Parameter(help="Folder in which all that the processes wrote stays.")] = None,
    build: Annotated[Path, Parameter(help="Folder of drill.json.")] = Path("build"),
) -> int:
    """See texts.DRILL."""
    unknown = sorted(set(letters) - {scenario.letter for scenario in SCENARIOS})
    if unknown:
        known = ", ".join(f"{scenario.letter} {scenario.title}" for scenario in SCENARIOS)
        raise Fault(f"There is no scenario {', '.join(unknown)}. There are: {known}.", code=USAGE)
    # Whoever stops it leaves no process and no database behind, as an interrupt does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    drilled = run(
        letters, server=server, uncompressed=uncompressed, sqlite=sqlite, tell=lambda result: report.show(out, result), keep=keep,
        drawn=random, seed=seed,
    )  # fmt: skip
    results = asyncio.run(drilled)
    if random:
        out.print(f"{sum(result['held'] for result in results)} of {len(results)} held every bar.")
    else:
        report.compare(out, results)
    out.print(f"Every figure: {report.write(build, results)}")
    return OK if results and all(result["held"] for result in results) else PROBLEM
