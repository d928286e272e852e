"""In a browser: an agent reads tickets as they change, answers, and sees what went wrong beside the comment."""

import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, expect

from tests.sandbox.zendesk_running import Running, running_zendesk
from tests.sandbox.zendesk_world import item

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes.fromhex(
    "0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f0005000301e84ad9c60000000049454e44ae426082"
)


@dataclass
class Setup:
    """A Zendesk with one account, and a browser; `complaints` is what the pages' consoles said."""

    running: Running
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/agent", size: str = "desktop", scheme: str = "light") -> Page:
        width, height = SIZES[size]
        page = await self.browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        await page.goto(self.running.url + path)
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def setup(browser: Browser) -> AsyncIterator[Setup]:
    async with running_zendesk() as running:
        made = Setup(running, browser)
        await running.add_account()
        yield made
        for context in browser.contexts:
            await context.close()
    assert made.complaints == []


async def test_read_and_answer(setup: Setup) -> None:
    running = setup.running
    page = await setup.open()
    await expect(page.get_by_text("No tickets yet.")).to_be_visible()
    await running.push(item(1, message="Where is my parcel? <b>"))
    await page.get_by_role("button", name="#1 Where is my parcel?").click()
    await expect(page.locator(".comment .text")).to_have_text("Where is my parcel? <b>")
    await page.get_by_role("textbox", name="Comment").fill("On its way")
    await page.get_by_label("Submit as").select_option("pending")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator(".comment.agent .text")).to_have_text("On its way")
    await expect(page.get_by_role("textbox", name="Comment")).to_have_value("")
    await expect(page.locator("#state")).to_have_text("pending")
    await running.until(lambda: any(path == "/channelback" for path, _ in running.asked))
    assert [dict(form)["message"] for path, form in running.asked if path == "/channelback"] == ["On its way"]
    await page.get_by_text("Internal note", exact=True).click()
    await page.get_by_role("textbox", name="Comment").fill("Look into it")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator(".comment.note .kind")).to_have_text("Internal note")
    await running.push(item(2, message="Thanks!"))
    await expect(page.locator(".comment .text").last).to_have_text("Thanks!")
    assert [path for path, _ in running.asked].count("/channelback") == 1


async def test_what_went_wrong_stands_at_the_comment(setup: Setup) -> None:
    running = setup.running
    await running.push(item(1))
    running.answers["/channelback"] = (400, {})
    page = await setup.open("/agent#1")
    await page.get_by_role("textbox", name="Comment").fill("Hello")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".comment.agent .error")).to_have_text("The reply was not sent: answered 400")
    await expect(page.locator(".row .wrong")).to_have_text("1 reply was not delivered")
    running.answers["/channelback"] = (401, {})
    await page.get_by_role("textbox", name="Comment").fill("Hello?")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#account-notice")).to_contain_text("Switched off: Shop")


async def test_files_go_both_ways(setup: Setup) -> None:
    running = setup.running
    running.answers["/photo.png"] = (200, PIXEL)
    await running.push(item(1, file_urls=[running.service_url + "/photo.png"]))
    page = await setup.open("/agent#1")
    await expect(page.locator(".comment .paper")).to_have_text("photo.png")
    await page.get_by_label("Attach files").set_input_files({"name": "label.txt", "mimeType": "text/plain", "buffer": b"return label"})
    await page.get_by_role("textbox", name="Comment").fill("Please print this")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator(".comment.agent .paper")).to_have_text("label.txt")
    await running.until(lambda: any(path == "/channelback" for path, _ in running.asked))
    address = next(value for path, form in running.asked if path == "/channelback" for name, value in form if name == "file_urls[]")
    async with running.http.get(address) as refused:
        assert refused.status == 401, "only for who holds the push token"
    async with running.http.get(address, headers={"authorization": f"Bearer {running.instance.token}"}) as came:
        assert (came.status, await came.read()) == (200, b"return label")


async def test_an_app_is_installed_and_an_account_is_added_edited_and_removed(setup: Setup) -> None:
    running = setup.running
    await running.control("POST", "act/uninstall", {"integration": running.instance.integration.id})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as app:
        requirements = {"channel_integrations": {"signals": {"manifest_url": running.service_url + "/manifest"}}}
        app.writestr("requirements.json", json.dumps(requirements))
    page = await setup.open()
    await page.get_by_role("button", name="Channels").click()
    await page.get_by_label("Its zip file").set_input_files({"name": "app.zip", "mimeType": "application/zip", "buffer": packed.getvalue()})
    await page.get_by_role("button", name="Install").click()
    await expect(page.locator(".integration h3")).to_have_text("Signals")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Add account").click()
    popup = await opened.value
    await expect(popup.frame_locator("iframe").locator("body")).to_be_visible()
    await running.until(lambda: any(path == "/admin" for path, _ in running.asked))
    assert popup.url.startswith(running.api), "the frame stands on Zendesk's own page"
    (fields,) = [dict(form) for path, form in running.asked if path == "/admin"][-1:]
    back = {"name": "Second shop", "metadata": "m", "state": ""}
    async with running.http.post(fields["return_url"], data=back) as saved:
        assert saved.status == 200
    await expect(page.locator(".account strong")).to_have_text("Second shop")
    await page.get_by_role("button", name="Switch off").click()
    await expect(page.locator(".account p")).to_contain_text("switched off by an admin")
    await page.get_by_role("button", name="Switch on").click()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.locator(".account")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_everybody_can_use_it(setup: Setup, size: str, scheme: str) -> None:
    running = setup.running
    await running.push(
        item(1, message="Hello, my parcel has not come. Order 4711, it should have been here on Monday."),
        item(2, message="The app says “delivered”, but nobody rang."), item(3, thread="t2", message="Can I change the colour?"),
        item(4, thread="t3", message="¿Hacen envíos a Canarias?"),
    )  # fmt: skip
    await running.control("POST", "act/reply", {"ticket": 1, "text": "I am sorry! I ask the courier and write again today."})
    await running.until(lambda: running.center.tickets[1].comments[-1].external_id)
    note = "1 reply is waiting since 09:12 UTC: WhatsApp does not accept the key. It goes out by itself. See https://desk.example/live"
    await running.push(item(5, message=note, internal_note=True, author={"external_id": "heliograph", "name": "Heliograph"}))
    body = {"instance_push_id": running.instance.push_id, "external_id": running.center.tickets[1].comments[-2].external_id}
    headers = {"authorization": f"Bearer {running.instance.token}"}
    report = {**body, "description": "WhatsApp refused this reply: the number has blocked the business."}
    async with running.http.post(f"{running.api}/api/v2/any_channel/channelback/report_error", json=report, headers=headers) as told:
        assert told.status == 200
    for name, path in (("list", "/agent"), ("ticket", "/agent#1"), ("channels", "/agent")):
        page = await setup.open(path, size, scheme)
        await expect(page.locator(".row")).to_have_count(3)
        if name == "ticket":
            await expect(page.locator(".error")).to_be_visible()
        if name == "channels":
            await page.get_by_role("button", name="Channels").click()
            await expect(page.locator(".account")).to_be_visible()
        found = (await Axe().run(page)).response["violations"]
        assert [f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}" for one in found for node in one["nodes"]] == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        if folder := os.environ.get("SCREENSHOTS"):
            await page.screenshot(path=f"{folder}/zendesk-desk-{name}-{size}-{scheme}.png")
        await page.close()
