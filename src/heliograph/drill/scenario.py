"""One scenario: what it is called, what it measured, and which bars it missed."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from heliograph.bootstrap.application import Application
from heliograph.domain.gate import Stage
from heliograph.drill import seen
from heliograph.drill.place import Place
from heliograph.services.releases import Kept

Figure = float | int | str


@dataclass(slots=True)
class Run:
    """A scenario under way."""

    place: Place
    #: Seconds for which trouble lasts.
    outage: float
    figures: dict[str, Figure] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    #: (seconds since the scenario's first moment, what happened), for the printed timeline.
    timeline: list[tuple[float, str]] = field(default_factory=list)

    def expect(self, holds: object, what: str) -> None:
        """A bar, true or not; what is not held is told, and the drill fails."""
        if not holds:
            self.missed.append(what)

    def note(self, **figures: Figure) -> None:
        """Figures for the report."""
        self.figures |= {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}

    async def settle(self, *, seconds: float = 60.0) -> None:
        """Everything that was written must reach the service, once and in order."""
        counts = await self.place.drained(seconds=seconds)
        missing = len(self.place.replies) - (counts["accepted"] - counts["doubled"])
        self.note(replies=len(self.place.replies), lost=missing, doubled=counts["doubled"], overtaken=counts["overtaken"])
        self.expect(missing == 0, f"{missing} replies did not arrive")
        self.expect(not counts["doubled"], f"{counts['doubled']} replies arrived twice")
        self.expect(not counts["overtaken"], f"{counts['overtaken']} replies were overtaken")

    @contextlib.asynccontextmanager
    async def begun(self, *, accounts: int = 3, agents: int = 2, talks: int = 2, own: int = 0) -> AsyncIterator[tuple[Application, Kept]]:
        """The installation with its first release at work and all customers greeted; yields the ledger and that release."""
        place = self.place
        await place.found(accounts=accounts, agents=agents, talks=talks, own=own)
        await place.process(place.variables(), name="old")
        await place.greet()
        async with place.ledger() as application:
            old = await seen.release(application, seen.staged(Stage.ADMITTED), "the first release's admission")
            yield application, old


@dataclass(frozen=True, slots=True)
class Scenario:
    """`stores`: which of "sqlite" and "postgres" it can be drilled on."""

    letter: str
    title: str
    run: Callable[[Run], Awaitable[None]]
    stores: tuple[str, ...] = ("sqlite", "postgres")


def as_json(scenario: Scenario, store: str, run: Run) -> dict[str, Any]:
    """A scenario's part of build/drill.json."""
    return {
        "scenario": scenario.letter, "title": scenario.title, "store": store, "held": not run.missed, "missed": run.missed,
        **run.figures, "timeline": [{"seconds": round(at, 2), "what": what} for at, what in run.timeline],
    }  # fmt: skip
