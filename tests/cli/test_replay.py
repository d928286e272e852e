"""The replay without a page: it leaves the demonstration as it was, also where it is broken off."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from heliograph.bootstrap.demo import SHARED, Demo
from heliograph.cli.assembly import Process
from heliograph.cli.replay import story
from heliograph.cli.replay.figures import seconds
from heliograph.cli.replay.replay import Replay
from heliograph.domain.gate import Stage
from heliograph.services import releases
from tests.demonstration import demonstration

pytestmark = pytest.mark.timeout(120)


@dataclass
class House:
    """A demonstration with short acts."""

    process: Process
    demo: Demo
    replay: Replay

    async def until(self, act: str) -> None:
        """An act has begun, or all are over."""
        async with asyncio.timeout(60):
            while True:
                shown = await self.replay.shown()
                if shown["state"] != "running" or any(one["name"] == act and one["stands"] == "now" for one in shown["acts"]):
                    return
                await asyncio.sleep(0.02)

    async def stages(self) -> list[Stage]:
        return [kept.row.stage for kept in await releases.releases(self.process.application.context.store)]


@pytest_asyncio.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    for name in ("WELL", "REFUSED", "FORCED", "BACK"):
        monkeypatch.setattr(story, name, 0.5)
    monkeypatch.setattr(story, "ALONE", 2.0)
    async with demonstration() as made:
        yield House(made.process, made.demo, made.replay)


async def test_one_at_a_time_and_in_the_end_nothing_is_lost(house: House) -> None:
    assert (await house.replay.shown())["state"] == "idle"
    assert house.replay.start() and not house.replay.start()
    await house.until("")
    shown = await house.replay.shown()
    assert shown["state"] == "done", shown["fault"]
    assert shown["ours"]["written"] == shown["ours"]["delivered"] > 0 and shown["ours"]["lost"] == 0
    assert shown["theirs"]["lost"] == shown["theirs"]["errors"] > 0
    assert all(one["stands"] == "done" for one in shown["acts"])
    assert await house.stages() == [Stage.ADMITTED, Stage.FENCED]


async def test_broken_off_while_nobody_holds_settings_that_work_it_puts_them_back(house: House) -> None:
    house.replay.start()
    await house.until("alone")
    await asyncio.sleep(0.6)
    assert Stage.ADMITTED not in (await house.stages())[:1]
    await house.replay.stop()
    async with asyncio.timeout(10):
        while (await house.stages())[0] is not Stage.ADMITTED:
            await asyncio.sleep(0.02)
        town = house.replay._town
        assert town is not None
        while not all(row.accepted_at for row in await town.deliveries()):
            await asyncio.sleep(0.02)
    counts = town.counts(town.ours)
    assert (counts.lost, counts.doubled, counts.overtaken) == (0, 0, 0)


async def test_it_begins_once_the_channel_is_well(house: House) -> None:
    key = house.demo.sandbox.sandbox.sunshine.center.keys[house.demo.plan.seeded.account_key_id]
    key.revoked = True
    context = house.process.application.context
    context.suspect(house.demo.account, house.demo.sunshine)
    keeper = house.process.gatekeeper
    assert keeper is not None
    version = f"{SHARED}@{keeper.identity.credentials[SHARED]}"
    async with asyncio.timeout(10):
        while (held := await context.store.health("", "credential", version)) is None or held.condition != "held":
            await asyncio.sleep(0.02)
    house.replay.start()
    await asyncio.sleep(0.3)
    key.revoked = False
    context.suspect(house.demo.account, house.demo.sunshine)
    await house.until("refused")
    assert (await house.replay.shown())["state"] == "running"


@pytest.mark.parametrize(("value", "words"), [(None, "–"), (0.0004, "under 0.01 s"), (0.18, "0.18 s"), (11.62, "11.6 s")])
def test_times_are_said_with_what_is_known_of_them(value: float | None, words: str) -> None:
    assert seconds(value) == words
