"""The watching loop: at once when something failed, steadily otherwise, and no step keeps the others from theirs."""

import asyncio
from typing import Any

import pytest

from heliograph.domain.delivery import queued
from heliograph.domain.event import Event
from heliograph.domain.events import AttemptAccepted, AttemptDeferred, HoldEnded, ReceiptReceived, ReceiptReturned, ReplyQueued
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.ports.store import Changes, Fold, Unavailable
from heliograph.services.attention import Attention
from heliograph.services.context import Context
from heliograph.worker import watching
from heliograph.worker.watching import Watching

ROW = queued(
    account="a", id="d", ticket="t", comment="c", channel="ch", lane="l", seq=1, event=ReplyQueued(1, 1), now=1
)  # fmt: skip


class Real:
    """The loop's own time."""

    def now(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def context(observed: list[str]) -> Context:
    nothing: Any = None

    def observe(name: str, fields: Any) -> None:
        observed.append(f"{name} {fields['error']}")

    return Context(nothing, Real(), nothing, nothing, nothing, nothing, observe, nothing, nothing)


def act(event: Event) -> Changes:
    return Changes("a", 1, folds=[Fold(ROW, [event])])


@pytest.mark.parametrize(
    ("event", "wakes"),
    [
        (AttemptAccepted(1, "p"), False),
        (ReceiptReceived(ReceiptLevel.READ, "p"), False),
        (AttemptDeferred(1, Reason.RATE_LIMITED, "429", 0, 0), False),
        (AttemptDeferred(1, Reason.PROVIDER_DOWN, "503", 0, 0), True),
        (ReceiptReturned(Reason.NOT_PERMITTED, "", "p"), True),
        (HoldEnded(3), True),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_what_wakes(event: Event, wakes: bool) -> None:
    attention = Attention()
    attention.noticed(act(event))
    assert attention.wanted.is_set() is wakes


async def test_a_failure_is_looked_at_at_once() -> None:
    attention, rounds = Attention(), asyncio.Queue[float]()
    loop = asyncio.get_running_loop()

    async def step() -> None:
        rounds.put_nowait(loop.time())

    watch = Watching(context([]), attention, [step])
    watch.start()
    try:
        first = await rounds.get()
        await asyncio.sleep(watching.SHORTEST * 1.5)
        attention.noticed(act(HoldEnded(1)))
        woken = await rounds.get()
        assert woken - first < watching.ROUND
        assert await asyncio.wait_for(rounds.get(), 5) > woken
    finally:
        await watch.stop()


async def test_a_step_that_fails_is_noted_and_the_others_are_taken() -> None:
    observed: list[str] = []
    taken: list[str] = []

    async def away() -> None:
        raise Unavailable("store")

    async def broken() -> None:
        raise ZeroDivisionError

    async def well() -> None:
        taken.append("well")

    watch = Watching(context(observed), Attention(), [away, broken, well])
    await watch.round()
    await watch.round()
    assert taken == ["well", "well"]
    assert observed == ["round_failed Unavailable", "round_bug ZeroDivisionError"] * 2
