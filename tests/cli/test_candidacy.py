"""A candidate has shown that it can send once the settings that are new have been used: an account's own key says nothing of them."""

from types import SimpleNamespace
from typing import Any

import pytest

from heliograph.cli.candidacy import WARMTH, in_practice
from heliograph.domain.health import Condition

SHARED, OWN = "sunshine@f1", "crd_1@f9"


class World:
    """A process that is sending, in virtual time; `story`: second -> credential versions accepted by then, and whether ours is on hold."""

    def __init__(self, story: dict[int, tuple[set[str], bool]], shared: bool = True) -> None:
        self.at, self.story = 0.0, story
        self.accepted: set[str] = set()
        self.held = False
        credentials = {"sunshine": SimpleNamespace(name="sunshine", fingerprint="f1")} if shared else {}
        keeper = SimpleNamespace(accepted=self.accepted, row=None)
        context = SimpleNamespace(clock=self, store=self, channels=SimpleNamespace(shared=credentials))
        self.process: Any = SimpleNamespace(gatekeeper=keeper, application=SimpleNamespace(context=context))

    def now(self) -> int:
        return int(self.at * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        for second, (accepted, held) in self.story.items():
            if self.at >= second:
                self.accepted |= accepted
                self.held = held

    async def healths(self, account: str) -> list[Any]:
        return [SimpleNamespace(subject=SHARED, condition=Condition.HELD if self.held else Condition.WELL)]

    async def shown_after(self) -> float:
        stop: Any = SimpleNamespace(wanted=False)
        how: Any = None
        await in_practice(self.process, how, stop)
        return self.at


@pytest.mark.parametrize(
    ("story", "shared", "least", "most"),
    [
        ({1: ({SHARED}, False)}, True, 1, 2),
        ({1: ({OWN}, False), 3: ({SHARED}, False)}, True, 3, 4),
        ({1: ({OWN}, False)}, True, WARMTH, WARMTH + 1),
        ({1: ({OWN}, True), 20: (set(), False)}, True, 20, 21),
        ({1: ({SHARED}, True), 5: (set(), False)}, True, 5, 6),
        ({1: ({OWN}, False)}, False, 1, 2),
        ({}, True, WARMTH, WARMTH + 1),
    ],
    ids=["the shared one", "an own one first", "an own one only", "held meanwhile", "well, then held", "none is shared", "nothing is sent"],
)
async def test_until_when_the_former_process_is_kept(
    story: dict[int, tuple[set[str], bool]], shared: bool, least: float, most: float
) -> None:
    assert least <= await World(story, shared).shown_after() <= most
