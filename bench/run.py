"""`make bench`: the same job by every contestant in one run; a table, a plot and figures come out."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import figures, machine, report
from bench.frame import Frame
from bench.provider_control import ROOT, provider
from bench.registry import CONTESTANTS, Contestant
from bench.services import postgres, redis

FULL_ROUNDS = 3


def main() -> int:
    """Exit code 0 when every measured contestant kept what it promises, 1 when one did not, 2 for bad arguments."""
    arguments = _arguments()
    chosen = [one for one in CONTESTANTS if not arguments.only or one.name in arguments.only]
    if arguments.quick:
        chosen = [one for one in chosen if one.quick_replies]
    build = ROOT / "build"
    (build / "bench").mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with _frame(arguments, chosen, build / "bench") as (frame, services):
        runs = frame.rounds(chosen, arguments.rounds or (1 if arguments.quick else FULL_ROUNDS))
    environment = machine.describe(runs, services)
    flat = figures.flatten(runs) | environment | {"quick": int(arguments.quick), "took_s": round(time.monotonic() - began, 1)}
    (build / "bench.json").write_text(json.dumps(flat, indent=2) + "\n")
    # A page of a part, or of a rough picture, would stand for the whole.
    documented = arguments.docs and not arguments.quick and not arguments.only
    if documented:
        report.write(ROOT / "docs", runs, flat)
    faults = [f"{run.contestant.name}, round {run.round + 1}: {', '.join(found)}" for run in runs if (found := run.faults())]
    for fault in faults:
        print(f"FAULT  {fault}", file=sys.stderr)
    print(f"figures: build/bench.json{'; table and plot: docs/performance.md' if documented else ''}; took {flat['took_s']} s")
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    quick = os.environ.get("QUICK", "") not in ("", "0")
    parser.add_argument("--quick", action="store_true", default=quick, help="one round, few replies, no page (or QUICK=1)")
    parser.add_argument("--rounds", type=int, default=0, help=f"rounds in rotation (default {FULL_ROUNDS}, quick 1)")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[one.name for one in CONTESTANTS], help="only these contestants")
    parser.add_argument("--no-docs", dest="docs", action="store_false", help="leave docs/performance.md alone")
    return parser.parse_args()


@contextmanager
def _frame(arguments: argparse.Namespace, chosen: list[Contestant], logs: Path) -> Iterator[tuple[Frame, dict[str, str]]]:
    """The services that the chosen contestants need, up for the length of the block."""
    needs = {need for one in chosen for need in one.needs}
    services: dict[str, str] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        server = stack.enter_context(postgres()) if "postgres" in needs else None
        if server is not None:
            services["postgresql"] = f"PostgreSQL {server.version}"
        address = ""
        if "redis" in needs:
            address, services["redis"] = stack.enter_context(redis())
            if not address:
                missing["redis"] = services.pop("redis")
        yield (
            Frame(
                provider=stack.enter_context(provider()),
                postgres=server,
                redis=address,
                missing=missing,
                logs=logs,
                quick=arguments.quick,
                say=lambda line: print(line, flush=True),
            ),
            services,
        )


if __name__ == "__main__":
    sys.exit(main())
