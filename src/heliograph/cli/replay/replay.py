"""The button's other end: one replay at a time, and how it stands."""

import asyncio
from collections.abc import Mapping
from typing import Any

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.demo import Demo
from heliograph.cli.replay import figures
from heliograph.cli.replay.story import Story, Stuck
from heliograph.cli.replay.town import Town
from heliograph.domain.retry import SECOND
from heliograph.worker.gatekeeper import Gatekeeper

#: Acts by name, in order, as they are headed.
ACTS = {
    "well": "All is well",
    "refused": "Deploy: refused",
    "forced": "Forced: fenced",
    "alone": "Forced, alone: held",
    "back": "Settings back: delivered",
}


class Replay:
    """Of one demonstration. `keeper`: the gatekeeper of the release that runs."""

    def __init__(self, application: Application, demo: Demo, keeper: Gatekeeper) -> None:
        self._application, self._demo, self._keeper = application, demo, keeper
        self._clock = application.context.clock
        self._town: Town | None = None
        self._story: Story | None = None
        self._task: asyncio.Task[None] | None = None
        self._state, self._fault = "idle", ""
        self._act = ""
        self._said: dict[str, str] = {}
        self._began = self._ended = 0

    def start(self) -> bool:
        """False where one is under way."""
        if self._task is not None and not self._task.done():
            return False
        self._town = self._town or Town(self._application, self._demo)
        self._story = Story(self._application, self._demo, self._keeper, self._town, self._tell)
        self._state, self._fault, self._act, self._said = "running", "", "", {}
        self._began, self._ended = self._clock.now(), 0
        self._task = asyncio.create_task(self._play(self._story), name="replay")
        return True

    async def _play(self, story: Story) -> None:
        try:
            await story.play()
        except Stuck as stuck:
            self._state, self._fault = "failed", str(stuck)
        except Exception as bug:
            self._state, self._fault = "failed", type(bug).__name__
            self._application.context.observe("replay_bug", {"error": type(bug).__name__})
        else:
            self._state = "done"
        finally:
            self._ended = self._clock.now()

    def _tell(self, act: str, words: str) -> None:
        self._act, self._said[act] = act, words

    async def stop(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._town is not None:
            await self._town.plain.close()

    async def shown(self) -> Mapping[str, Any]:
        """How it stands: acts with what can be said of each, both connectors' counts, and in the end the card."""
        town, story = self._town, self._story
        if town is None or story is None:
            return {"state": self._state, "acts": self._acts()}
        final = self._state == "done"
        ours, theirs = town.counts(town.ours, final=final), town.counts(town.theirs, final=final)
        errors = len(town.plain.errors)
        return {
            "state": self._state, "fault": self._fault, "acts": self._acts(),
            "seconds": round(((self._ended or self._clock.now()) - self._began) / SECOND, 1),
            "ours": ours.to_json(), "theirs": theirs.to_json() | {"errors": errors}, "asked": town.ours.asked,
            "figures": figures.shown(story.figures),
            "card": [row._asdict() for row in figures.card(story.figures, ours, theirs, errors, town.ours.asked)] if final else [],
            "source": figures.SOURCE, "print": figures.PRINT,
        }  # fmt: skip

    def _acts(self) -> list[dict[str, str]]:
        names = list(ACTS)
        now = names.index(self._act) if self._act else -1
        over = self._state == "done"

        def standing(place: int) -> str:
            return "done" if place < now or over else "now" if place == now and self._state == "running" else "todo"

        return [
            {"name": name, "title": ACTS[name], "stands": standing(place), "said": self._said.get(name, "")}
            for place, name in enumerate(names)
        ]
