"""`make fuzz`: sends nearly right webhook bodies of every provider into a real installation, and counts what became of them."""

import argparse
import collections
import multiprocessing
import sys
import time

import msgspec

from tests.fuzz.running import run


def main() -> int:
    """Print one line a figure; 1 where anything was lost, raised or answered 5xx."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--bodies", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="one provider")
    asked = parser.parse_args()
    began = time.monotonic()
    share = asked.bodies // asked.processes
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        outcomes = pool.starmap(run, [(asked.seed * 1000 + number, share, asked.only) for number in range(asked.processes)])
    codes: collections.Counter[int] = collections.Counter()
    for outcome in outcomes:
        codes.update(outcome.codes)
    raised = [line for outcome in outcomes for line in outcome.raised]
    expected, kept = sum(outcome.expected for outcome in outcomes), sum(outcome.kept for outcome in outcomes)
    seconds = time.monotonic() - began
    seen = {
        "bodies": sum(codes.values()),
        "answers": {str(code): number for code, number in sorted(codes.items())},
        "raised or 5xx": len(raised),
        "messages expected": expected,
        "messages kept": kept,
        "items ignored": sum(outcome.ignored for outcome in outcomes),
        "seconds": round(seconds),
        "bodies a second": round(sum(codes.values()) / seconds),
    }
    print(msgspec.json.format(msgspec.json.encode(seen)).decode())
    for line in raised:
        print(line, file=sys.stderr)
    return 1 if raised or expected != kept else 0


if __name__ == "__main__":
    sys.exit(main())
