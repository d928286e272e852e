"""The public page in a real browser: three languages, light and dark, wide and narrow, without a login, and for everybody."""

import contextlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, ViewportSize, expect

from heliograph.services import postmortems, remarks, remedies, status_page
from heliograph.services.remedies import Wish
from tests.status.test_serving import Site, site

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES: dict[str, ViewportSize] = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
ZONE = "Europe/Madrid"
#: A while after the town's clock stands still.
NOW = datetime(2027, 1, 15, 8, 10, tzinfo=UTC)


@contextlib.asynccontextmanager
async def opened(browser: Browser, url: str, scheme: str, size: str, **options: object) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and what its console complains about."""
    context = await browser.new_context(viewport=SIZES[size], color_scheme=scheme, timezone_id=ZONE, **options)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.clock.set_fixed_time(NOW)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    try:
        yield page, complaints
    finally:
        await context.close()


async def offences(page: Page) -> list[str]:
    found = (await Axe().run(page)).response["violations"]
    return [f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}" for one in found for node in one["nodes"]]


async def furnished(made: Site, *, over: bool) -> str:
    """An incident with everything that a page can show; returns its id."""
    here = made.here
    await here.follows("ada@example.org")
    incident = (await here.trouble()).incident.id
    context = here.town.context
    await status_page.write_note(context, incident, "We are on the phone with the provider.\n\nNext news at 20:00.", locale="en", actor="o")
    await remarks.remark(context, incident, account="a", agent="b", name="Sam", text="Thanks for <b>telling</b> us.")
    if over:
        await here.recovery()
        text = "The key was **revoked**.\n\n- nobody renewed it\n- nobody was told"
        for section in ("summary", "cause", "well", "luck"):
            await postmortems.write_section(context, incident, section, text, locale="en", author="Olga", actor="o")
        wish = Wish(title="Renew keys early", owner="Platform", due_at=here.town.clock.at + 10**12)
        await remedies.set_remedy(context, incident, wish, actor="o")
        await postmortems.publish(context, incident, actor="o")
        await here.run(31)
    here.town.clock.at += 2_000_000
    return incident


async def shown(page: Page, name: str) -> None:
    """A picture for people to look at, where they ask for it."""
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("over", [False, True], ids=["trouble", "over"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_every_page_is_for_everybody(tmp_path: Path, browser: Browser, over: bool, scheme: str, size: str) -> None:
    async with site(tmp_path) as made:
        incident = await furnished(made, over=over)
        paths = ["/status", *(f"/status/{each}" for each in ("en", "es", "pt-br"))]
        paths += [f"{path}/incidents/{incident}" for path in paths]
        paths += ["/status/es/follow", "/status/en/history"]
        if over:
            paths += [f"/status/{each}/incidents/{incident}/postmortem" for each in ("en", "es", "pt-br")]
        async with opened(browser, made.url + paths[0], scheme, size) as (page, complaints):
            for path in paths:
                await page.goto(made.url + path)
                await expect(page.locator("h1").first).to_be_visible()
                assert await offences(page) == [], path
                assert await page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], path
                await shown(page, f"{'over' if over else 'trouble'}{path.replace('/', '_').replace(incident, 'i')}_{scheme}_{size}")
                assert complaints == [], path


async def test_times_stand_in_utc_and_in_the_reader_s_zone(tmp_path: Path, browser: Browser) -> None:
    async with site(tmp_path) as made:
        incident = await furnished(made, over=False)
        url = f"{made.url}/status/es/incidents/{incident}"
        async with opened(browser, url, "light", "desktop") as (page, _):
            await expect(page.locator("time").first).to_contain_text("UTC")
            await expect(page.locator("time + .own").first).to_contain_text("su hora")
            await expect(page.locator("#stale")).to_be_hidden()
            await page.clock.set_fixed_time(NOW + timedelta(hours=1))
            await page.reload()
            await expect(page.locator("#stale")).to_be_visible()
        async with opened(browser, url, "light", "desktop", java_script_enabled=False) as (page, _):
            await expect(page.locator("time").first).to_contain_text("UTC")
            assert await page.locator(".own").count() == 0


async def test_what_people_typed_runs_nowhere(tmp_path: Path, browser: Browser) -> None:
    async with site(tmp_path) as made:
        here = made.here
        incident = (await here.trouble()).incident.id
        attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
        await remarks.remark(here.town.context, incident, account="a", agent="b", name=attack[:60], text=attack)
        await status_page.write_note(here.town.context, incident, attack, locale="es", actor="o")
        here.town.clock.at += 2_000_000
        for path in (f"/status/en/incidents/{incident}", f"/status/incidents/{incident}", "/status/en"):
            async with opened(browser, made.url + path, "light", "desktop") as (page, complaints):
                await expect(page.get_by_text("<img src=x").first).to_be_visible()
                assert await page.title() != "owned" and await page.locator("img").count() == 0
                assert complaints == []


async def test_a_visitor_signs_in_comments_and_is_read(tmp_path: Path, browser: Browser) -> None:
    async with site(tmp_path) as made:
        incident = (await made.here.trouble()).incident.id
        made.here.town.clock.at += 2_000_000
        async with opened(browser, f"{made.url}/status/es/incidents/{incident}/discuss", "light", "phone") as (page, complaints):
            await page.get_by_label("API token").fill(made.token)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_label("Firmar como").fill("Sam")
            await page.locator("#text").fill("¿Hay novedades?")
            await page.get_by_role("button", name="Comentar").click()
            await expect(page).to_have_url(f"{made.url}/status/es/incidents/{incident}")
            made.here.town.clock.at += 2_000_000
            await page.goto(f"{made.url}/status/es/incidents/{incident}")
            await expect(page.locator(".remark")).to_contain_text("¿Hay novedades?")
            assert complaints == []


async def test_operators_write_in_a_browser(tmp_path: Path, browser: Browser) -> None:
    async with site(tmp_path) as made:
        incident = await furnished(made, over=True)
        url = f"{made.url}/operator/postmortems/{incident}"
        for size in SIZES:
            for scheme in ("light", "dark"):
                async with opened(browser, url, scheme, size, extra_http_headers={"x-operator": "yes"}) as (page, complaints):
                    assert await offences(page) == [], (size, scheme)
                    assert await page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], size
                    await shown(page, f"operator_{scheme}_{size}")
                    assert complaints == []
        async with opened(browser, url, "light", "desktop", extra_http_headers={"x-operator": "yes"}) as (page, _):
            await page.get_by_label("What we learned").fill("Keys end.")
            await page.get_by_label("What we learned").locator("xpath=ancestor::form").get_by_role("button", name="Save").click()
            await expect(page.get_by_label("What we learned")).to_have_value("Keys end.")
        made.here.town.clock.at += 2_000_000
        async with opened(browser, f"{made.url}/status/en/incidents/{incident}/postmortem", "light", "desktop") as (page, _):
            await expect(page.get_by_text("Keys end.")).to_be_visible()
