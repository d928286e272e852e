"""The button on the demonstration's page: 2020 once more, counted live, and the card at its end."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, expect

from heliograph.bootstrap.demo import Demo
from heliograph.cli.assembly import Process
from heliograph.cli.replay.replay import Replay
from heliograph.domain.gate import Stage
from heliograph.services import releases
from tests.demonstration import demonstration

pytestmark = pytest.mark.asyncio(loop_scope="session")
#: Seconds that a replay may take; the waiting for it is in milliseconds.
LIMIT = 60


@dataclass
class Running:
    """A demonstration as `heliograph up` starts it."""

    url: str
    process: Process
    demo: Demo
    replay: Replay
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def open(self, width: int, height: int) -> Page:
        context = await self.browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        await page.goto(self.url)
        return page

    async def stands(self) -> Any:
        return await self.replay.shown()


@pytest_asyncio.fixture(loop_scope="session")
async def running(browser: Browser) -> AsyncIterator[Running]:
    async with demonstration() as made:
        running = Running(made.url, made.process, made.demo, made.replay, browser)
        yield running
        for context in browser.contexts:
            await context.close()
    assert running.complaints == []


async def row(page: Page, what: str) -> list[str]:
    """The cells of one line of the card: 2020, the plain connector, Heliograph."""
    return await page.locator(f'[data-row="{what}"] td').all_inner_texts()


@pytest.mark.timeout(300)
async def test_pressing_the_button_replays_2020_and_ends_with_a_card_of_counted_figures(running: Running) -> None:
    page = await running.open(1440, 900)
    desk = page.frame_locator("#desk iframe")
    began = asyncio.get_running_loop().time()
    await page.get_by_role("button", name="Replay 6 August 2020").click()
    await expect(page.locator("#replay")).to_be_disabled()
    assert (await page.request.post(f"{running.url}/demo/replay", headers={"origin": running.url})).status == 409
    await expect(page.locator("#said")).to_have_text(
        re.compile(r"said no in .* named HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET"), timeout=20_000
    )
    await desk.locator(".line", has_text="Ada Lund").click()
    await expect(desk.locator(".notice")).to_be_visible(timeout=30_000)
    # Also where the release that serves the page holds settings that work.
    await expect(desk.locator(".state.held").first).to_be_visible()
    assert (await Axe().run(page)).violations_count == 0
    await expect(page.locator("#card")).to_be_visible(timeout=LIMIT * 1000)
    assert asyncio.get_running_loop().time() - began <= LIMIT
    assert (await Axe().run(page)).violations_count == 0
    assert [(await row(page, what))[2] for what in ("Lost", "Doubled", "Overtaken")] == ["0", "0", "0"]
    assert int((await row(page, "Lost"))[1]) > 0
    assert "KEY_SECRET" in (await row(page, "The wrong settings"))[2]
    await page.get_by_role("button", name="Close").click()
    await expect(page.locator("#card")).to_be_hidden()
    await expect(desk.locator(".notice")).to_have_count(0)
    await the_figures_are_those_of_sandbox_and_ledger(running)
    await once_more_on_a_phone(running)


async def the_figures_are_those_of_sandbox_and_ledger(running: Running) -> None:
    """Counted here by other means than the replay's own."""
    shown = await running.stands()
    tally, town = running.demo.sandbox.sandbox.tally, running.replay._town
    assert town is not None
    ours, theirs, figures = shown["ours"], shown["theirs"], shown["figures"]
    texts = [one.text for place in town.theirs.conversations for one in tally.taken("sunshine", place)]
    assert theirs["delivered"] == len(set(texts)) and theirs["lost"] == theirs["errors"] == theirs["written"] - theirs["delivered"]
    assert ours["written"] == ours["delivered"] == theirs["written"] > 40
    labels = [label for place in town.ours.conversations for one in tally.taken("sunshine", place) for label in one.labels]
    assert all(labels.count(id) == 1 for id in town.saved)
    rows = await town.deliveries()
    assert len(rows) == ours["written"] and all(row.accepted_at for row in rows)
    assert figures["calls_refused"] == 0 and figures["calls_forced"] >= 1
    # Whatever is claimed at once may be under way when the first answer comes; after it, nothing.
    assert figures["calls_alone"] <= len(town.ours.conversations)
    assert figures["waited"] == figures["waited_delivered"] > 5
    assert figures["held"] < 2 and figures["told"] < 5 and figures["verdict"] < 10
    known = await releases.releases(running.process.application.context.store)
    assert [kept.row.stage for kept in known] == [Stage.ADMITTED, Stage.FENCED]
    assert known[1].row.variable == figures["variable"] and known[1].row.forced_at


async def once_more_on_a_phone(running: Running) -> None:
    """Another run in the same demonstration counts from the beginning, and has a release of its own."""
    page = await running.open(390, 844)
    await page.get_by_role("button", name="Replay 6 August 2020").click()
    await expect(page.locator("#desk iframe")).to_be_visible()
    await expect(page.locator("#card")).to_be_visible(timeout=LIMIT * 1000)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert (await row(page, "Lost"))[2] == "0"
    shown = await running.stands()
    assert shown["ours"]["written"] == shown["ours"]["delivered"] == shown["theirs"]["written"]
    assert len(await releases.releases(running.process.application.context.store)) == 3
    counts = running.demo.sandbox.sandbox.tally.counts()
    assert (counts.waiting, counts.lost, counts.doubled, counts.overtaken) == (0, 0, 0, 0)
