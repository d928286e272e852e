"""The operators' pages in a real browser: at phone and desktop width, light and dark, by keyboard, and without a complaint."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from heliograph.domain.incident import Incident, Phase
from tests.incidents.serving import Served, served
from tests.incidents.test_operators import asking, shaken
from tests.incidents.town import town

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDTHS = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
#: A folder for pictures of what the tests see, for people who look at them.
PICTURES = os.environ.get("HELIOGRAPH_PICTURES", "")


async def enter(browser: Browser, there: Served, path: str, *, width: str, scheme: str, said: list[str]) -> Page:
    """Sign in and go there."""
    context = await browser.new_context(viewport=WIDTHS[width], color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(f"{there.url}{path}")
    await expect(page.get_by_role("heading", name="Operators sign in")).to_be_visible()
    await page.get_by_label("Operator’s token").fill(there.token)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**{path}")
    return page


async def picture(page: Page, name: str) -> None:
    """Keep what is seen, where somebody wants to look at it."""
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", list(WIDTHS))
async def test_an_operator_reads_and_decides(tmp_path: Path, browser: Browser, width: str, scheme: str) -> None:
    said: list[str] = []
    async with town(tmp_path) as made, served(made) as there:
        incident: Incident = await shaken(made)
        await made.run(9)
        page = await enter(browser, there, f"/operator/incidents/{incident.id}", width=width, scheme=scheme, said=said)
        await page.get_by_role("button", name="I have it in hand").click()
        await expect(page.get_by_text("You have it in hand.")).to_be_visible()
        await page.get_by_label("Note, for operators only").fill("The provider’s console says that the key was rotated.")
        await page.get_by_role("button", name="Save the note").click()
        await expect(page.get_by_text("the key was rotated")).to_be_visible()
        await picture(page, f"{width}-{scheme}-waiting")
        await asking(made)
        await expect(page.locator("#live dl")).to_contain_text("6", timeout=10_000)
        await page.reload()
        await picture(page, f"{width}-{scheme}-asking")
        await page.get_by_role("button", name="Send again").click()
        await expect(page.get_by_text("It is decided.")).to_be_visible()
        assert not await page.get_by_role("button", name="Send again").count()
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        made.homes[0].key.revoked = False
        await made.run(40)
        await expect(page.locator("#live")).to_contain_text("monitoring", timeout=10_000)
        await picture(page, f"{width}-{scheme}-monitoring")
        await made.run(80)
        [incident] = await made.incidents()
        assert incident.phase is Phase.RESOLVED
        await page.goto(f"{there.url}/operator/incidents")
        await expect(page.get_by_text("All is well.")).to_be_visible()
        await picture(page, f"{width}-{scheme}-list")
    assert not said
