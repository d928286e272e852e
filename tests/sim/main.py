"""`python -m tests.sim.main`: many seeds, days of simulated time each; ends with 1 if any invariant was violated."""

import argparse
import functools
import multiprocessing
import sys
import time

from tests.sim.swarm import Outcome, run


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.main", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (default %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first seed's number")
    parser.add_argument("--hours", type=float, default=72.0, help="simulated hours each (default %(default)s)")
    parser.add_argument("--seed", help="run this one alone and show its last events")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default %(default)s)")
    return parser.parse_args(argv)


def _report(outcome: Outcome, *, log: bool) -> None:
    verdict = "ok" if not outcome.violations else f"{len(outcome.violations)} VIOLATIONS"
    print(f"seed {outcome.seed}: {verdict} in {outcome.hours:.1f} h · {outcome.mix}")
    print("   ", " ".join(f"{name}={value}" for name, value in outcome.figures.items()), f"hash={outcome.digest[:16]}", flush=True)
    for violation in outcome.violations[:10]:
        print("    !", violation)
    if log or outcome.violations:
        print("\n".join(f"      {line}" for line in outcome.log))


def main(argv: list[str]) -> int:
    """Run what the arguments ask for."""
    asked = _arguments(argv)
    began = time.monotonic()
    if asked.seed is not None:
        outcome = run(asked.seed, asked.hours)
        _report(outcome, log=True)
        print(f"{outcome.hours / (time.monotonic() - began):.0f} simulated hours a second")
        return 1 if outcome.violations else 0
    seeds = [str(number) for number in range(asked.first, asked.first + asked.seeds)]
    bad: list[str] = []
    hours = 0.0
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for done, outcome in enumerate(pool.imap_unordered(functools.partial(run, hours=asked.hours), seeds), 1):
            hours += outcome.hours
            _report(outcome, log=False)
            if outcome.violations:
                bad.append(outcome.seed)
            spent = time.monotonic() - began
            print(f"  {done} of {len(seeds)} seeds, {hours:.0f} h simulated, {hours / spent:.1f} h/s, {len(bad)} bad", flush=True)
    if bad:
        print(f"violated by seeds {', '.join(bad)}; replay one with --seed N --hours {asked.hours:g}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
