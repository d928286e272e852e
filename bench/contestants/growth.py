"""Whether a reply costs more as the ledger grows: two stores, one with a long history, in turns, in one process."""

from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.contestants.history import write_history
from bench.contestants.installation import install, running
from bench.contestants.turns import seconds_per_reply
from bench.job import Job, Result, main


async def run(job: Job) -> Result:
    """`options`: "small" and "large", numbers of events in the two ledgers ("quick_large" in a quick run); "turns"."""
    turns = int(job.options["turns"])
    sizes = {"small": int(job.options["small"]), "large": int(job.options["quick_large" if job.quick else "large"])}
    jobs = {name: replace(job, scratch=str(Path(job.scratch) / name)) for name in sizes}
    figures: dict[str, float] = {}
    async with running(jobs["small"]) as small, running(jobs["large"]) as large:
        installations = {}
        for name, bench in (("small", small), ("large", large)):
            addresses = [f"{name}{number:05d}" for number in range(job.conversations)]
            installations[name] = await install(bench, job, addresses)
            figures[f"ledger_growth.{name}_events"] = write_history(
                Path(jobs[name].scratch) / "heliograph.db", installations[name].account, installations[name].channel, sizes[name]
            )
        costs = await seconds_per_reply(installations, turns=turns, per_turn=job.replies // (2 * turns))
    for name, measured in costs.items():
        figures[f"ledger_growth.us_per_reply_{name}"] = median(measured) * 1e6
    figures["ledger_growth.cost_ratio"] = median(costs["large"]) / median(costs["small"])
    return Result(figures=figures)


if __name__ == "__main__":
    main(run)
