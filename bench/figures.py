"""From single runs to figures: rates, verdicts, medians, and ratios taken within one round."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.job import Result
from bench.provider_control import Report
from bench.registry import Contestant


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contestant, once. `result` and `report` are None when it could not run; `why_not` then says why.

    `broken`: it should have run and did not come to an end by itself; that is a fault, not an absence.
    """

    contestant: Contestant
    round: int
    replies: int
    result: Result | None = None
    report: Report | None = None
    why_not: str = ""
    broken: bool = False

    @property
    def measured(self) -> bool:
        return self.result is not None and not self.why_not

    @property
    def rate(self) -> float:
        """Replies a second, from before the first was accepted until the last result was recorded."""
        if self.result is None or self.result.finished_ns <= self.result.started_ns:
            return 0.0
        return self.replies / ((self.result.finished_ns - self.result.started_ns) / 1e9)

    @property
    def lost(self) -> int:
        return self.replies - self.report.distinct if self.report else 0

    def faults(self) -> list[str]:
        """What the provider, the judge, holds against this run; empty for a clean one."""
        if self.broken:
            return [self.why_not]
        if self.report is None or self.result is None or self.contestant.kind == "figures":
            return []
        counted = {
            "lost": self.lost,
            "doubled": self.report.doubled,
            "overtaken": self.report.overtaken if self.contestant.keeps_order else 0,
            "not readable": self.report.unreadable,
            "not recorded": self.replies - self.result.recorded,
            "recorded before they arrived": int(self.report.last_ns > self.result.finished_ns),
        }
        return [f"{count} {what}" for what, count in counted.items() if count]


def of(runs: Sequence[Run], name: str) -> list[Run]:
    """The measured runs of one contestant."""
    return [run for run in runs if run.contestant.name == name and run.measured]


def ratio(runs: Sequence[Run], name: str, other: str) -> float | None:
    """Median over the rounds of `name`'s rate over `other`'s in the same round: noise of the machine cancels out."""
    others = {run.round: run.rate for run in of(runs, other)}
    ratios = [run.rate / others[run.round] for run in of(runs, name) if others.get(run.round)]
    return median(ratios) if ratios else None


def best_peer(runs: Sequence[Run]) -> str | None:
    """Name of the fastest peer by median rate, Celery included although it keeps no order."""
    names = {run.contestant.name for run in runs if run.contestant.kind == "peer" and run.measured}
    return max(names, key=lambda name: median(run.rate for run in of(runs, name)), default=None)


def flatten(runs: Sequence[Run]) -> dict[str, float | int | str]:
    """The flat keys of `build/bench.json`."""
    flat: dict[str, float | int | str] = {}
    peer = best_peer(runs)
    if peer:
        flat["best_peer"] = peer
    for contestant in dict.fromkeys(run.contestant.name for run in runs):
        mine = of(runs, contestant)
        if not mine:
            continue
        results = [run.result for run in mine if run.result is not None]
        for key in sorted({key for result in results for key in result.figures}):
            flat[key] = round(median(result.figures[key] for result in results if key in result.figures), 4)
        if mine[0].contestant.kind == "figures":
            continue
        flat[f"{contestant}.replies_per_s"] = round(median(run.rate for run in mine), 1)
        flat[f"{contestant}.replies_per_s_lowest"] = round(min(run.rate for run in mine), 1)
        flat[f"{contestant}.replies_per_s_highest"] = round(max(run.rate for run in mine), 1)
        flat[f"{contestant}.memory_mb"] = round(max(result.memory_mb for result in results), 1)
        for what in ("lost", "doubled", "overtaken"):
            flat[f"{contestant}.{what}"] = sum(
                run.lost if what == "lost" else getattr(run.report, what) for run in mine if run.report is not None
            )
        for other, key in (("bare_client", "of_bare_client"), (peer, "of_best_peer")):
            if (
                other
                and other != contestant
                and mine[0].contestant.kind != "provider"
                and (value := ratio(runs, contestant, other)) is not None
            ):
                flat[f"{contestant}.{key}"] = round(value, 4)
    return flat
