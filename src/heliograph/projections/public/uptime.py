"""Uptime of a provider: the share of time in which no incident of the installation kept replies from going out to it.

An incident counts whole, whatever its severity, from its onset until it was mitigated; what overlaps counts once. Trouble of one
account alone is no incident of the installation and never counts. Time before the installation existed does not count either way.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heliograph.domain.retry import SECOND
from heliograph.projections.public.board import Board, Case

DAY = 24 * 3600 * SECOND
#: As many days are shown, the current one included.
DAYS = 90


class Day(NamedTuple):
    """One UTC day. `known`: microseconds of it that lie between the installation's start and now; `down`: of those, impaired."""

    start: int
    known: int
    down: int


class Uptime(NamedTuple):
    """Of one provider, oldest day first."""

    provider: str
    title: str
    days: tuple[Day, ...]

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where nothing is known yet."""
        known = sum(day.known for day in self.days)
        return 1 - sum(day.down for day in self.days) / known if known else None


def uptimes(board: Board, *, days: int = DAYS) -> list[Uptime]:
    """Of each provider in use."""
    today = board.at // DAY * DAY
    starts = [today - DAY * back for back in reversed(range(days))]
    made = []
    for name, title in board.providers.items():
        spans = united(_span(case, board.at) for case in board.cases if name in case.providers)
        made.append(Uptime(name, title, tuple(_day(start, spans, since=board.since, until=board.at) for start in starts)))
    return made


def united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of time without overlaps, in order."""
    merged: list[tuple[int, int]] = []
    for since, until in sorted(spans):
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until))
        elif until > since:
            merged.append((since, until))
    return merged


def _span(case: Case, now: int) -> tuple[int, int]:
    incident = case.incident
    return incident.onset_at, incident.mitigated_at or incident.resolved_at or now


def _day(start: int, spans: Sequence[tuple[int, int]], *, since: int, until: int) -> Day:
    low, high = max(start, since), min(start + DAY, until)
    down = sum(max(0, min(high, end) - max(low, begin)) for begin, end in spans)
    return Day(start, max(0, high - low), down)


def exact_percent(share: float) -> str:
    """As a percentage, never rounded up to a perfect one: 99.99 is not 100."""
    if share >= 1:
        return "100"
    return f"{int(share * 100_000) / 1000:.3f}".rstrip("0").rstrip(".")
