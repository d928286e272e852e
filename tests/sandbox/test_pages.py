"""In a browser: the contact writes, sees what arrives, and somebody makes things go wrong."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from heliograph.sandbox.faults import Mode
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.world import Demo

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Setup:
    """A running sandbox and a browser; `complaints` is what the pages' consoles said."""

    running: RunningSandbox
    demo: Demo
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str, **options) -> Page:
        page = await self.browser.new_page(**options)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        await page.goto(self.running.url + path)
        return page

    async def call(self, path: str, body: dict) -> int:
        place = f"/v2/apps/{self.demo.app_id}/conversations/{self.demo.conversation_id}"
        pair = base64.b64encode(f"{self.demo.key_id}:{self.demo.key_secret}".encode()).decode()
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.running.sunshine_url + place + path, json=body, headers={"authorization": f"Basic {pair}"}) as answer,
        ):
            return answer.status

    async def reply(self, content: dict, key: str = "r") -> int:
        return await self.call("/messages", {"author": {"type": "business"}, "content": content, "metadata": {"id": key}})


@pytest_asyncio.fixture(loop_scope="session")
async def setup(browser: Browser) -> AsyncIterator[Setup]:
    sandbox = new_sandbox(seed=1)
    running = await start(host="127.0.0.1", port=0, sandbox=sandbox)
    demo = sandbox.seed_demo()
    made = Setup(running, demo, browser)
    yield made
    for context in browser.contexts:
        await context.close()
    await running.stop()
    assert made.complaints == []


def content(setup: Setup) -> list[str]:
    app = setup.running.sandbox.sunshine.center.apps[setup.demo.app_id]
    return [str(m.content.get("text", m.content["type"])) for m in app.conversations[setup.demo.conversation_id].messages]


async def test_write_and_see_the_answer(setup: Setup) -> None:
    page = await setup.open("/phone")
    await page.get_by_role("textbox", name="Message").fill("Where is my parcel? <b>")
    await page.keyboard.press("Enter")
    await expect(page.locator(".bubble.mine .words")).to_have_text("Where is my parcel? <b>")
    await expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    await expect(page.get_by_label("sent", exact=True)).to_be_visible()
    await setup.call("/activity", {"author": {"type": "business"}, "type": "conversation:read"})
    await expect(page.get_by_label("read", exact=True)).to_be_visible()
    await setup.call("/activity", {"author": {"type": "business"}, "type": "typing:start"})
    await expect(page.locator(".dots")).to_be_visible()
    assert await setup.reply({"type": "text", "text": "On its way"}) == 201
    await expect(page.locator(".bubble:not(.mine) .words")).to_have_text("On its way")
    await expect(page.locator(".dots")).to_have_count(0)
    app = setup.running.sandbox.sunshine.center.apps[setup.demo.app_id]
    message = app.conversations[setup.demo.conversation_id].messages[-1]
    async with asyncio.timeout(10):
        while not message.read:
            await asyncio.sleep(0.02)


async def test_buttons_forms_and_files(setup: Setup) -> None:
    page = await setup.open("/phone", viewport={"width": 390, "height": 780}, color_scheme="dark")
    await setup.reply({"type": "text", "text": "Sure?", "actions": [{"type": "reply", "text": "Yes", "payload": "Y"}]})
    await page.get_by_role("button", name="Yes").click()
    await expect(page.locator(".bubble.mine .words")).to_have_text("Yes")
    await setup.reply({"type": "form", "fields": [{"type": "text", "name": "n", "label": "Your name"}]})
    await page.get_by_label("Your name").fill("Ada")
    await page.locator(".sheet button").click()
    await expect(page.locator(".bubble.mine .words").last).to_have_text("Your name: Ada")
    await page.get_by_label("Attach a file").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"})
    await expect(page.locator(".bubble.mine .paper")).to_have_text("a.txt")
    assert content(setup)[1] == "Yes" and len(content(setup)) == 5


async def test_the_telegram_tab(setup: Setup) -> None:
    page = await setup.open("/phone")
    await page.get_by_role("tab", name="Telegram").click()
    await page.get_by_role("textbox", name="Message").fill("hello bot")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".bubble.mine .words")).to_have_text("hello bot")
    bot = next(iter(setup.running.sandbox.telegram.center.bots.values()))
    assert [u["message"]["text"] for u in bot.updates] == ["hello bot"]
    await page.get_by_role("tab", name="Sunshine").click()
    await expect(page.locator(".bubble")).to_have_count(0)


async def test_the_strip_counts_and_switches(setup: Setup) -> None:
    page = await setup.open("/strip")
    for number in range(3):
        setup.running.sandbox.tally.write(service="sunshine", conversation=setup.demo.conversation_id, key=f"r{number}")
    await page.get_by_role("button", name="Revoke the key").click()
    await expect(page.get_by_role("button", name="Restore the key")).to_be_visible()
    assert await setup.reply({"type": "text", "text": "x"}, "r0") == 401
    await page.get_by_role("button", name="Restore the key").click()
    await expect(page.get_by_role("button", name="Revoke the key")).to_be_visible()
    for key in ("r1", "r0", "r0"):
        assert await setup.reply({"type": "text", "text": "x"}, key) == 201
    for name, value in {"written": 3, "delivered": 2, "waiting": 1, "lost": 0, "doubled": 1, "overtaken": 1}.items():
        await expect(page.locator(f"[data-count={name}] dd")).to_have_text(str(value))
    await page.get_by_role("switch", name="Lose the answers").click()
    await expect(page.get_by_role("switch", name="Lose the answers")).to_be_checked()
    assert [f.mode for f in setup.running.sandbox.faults.active()] == [Mode.ANSWER_LOST]
    await page.get_by_role("button", name="All well again").click()
    await expect(page.get_by_role("switch", name="Lose the answers")).not_to_be_checked()
    await page.get_by_label("Service").select_option("telegram")
    await expect(page.get_by_role("switch", name="Refused later")).to_have_count(0)


async def test_both_pages_fit_a_narrow_frame(setup: Setup) -> None:
    for path in ("/phone", "/strip"):
        page = await setup.open(path, viewport={"width": 320, "height": 560})
        await page.wait_for_load_state()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
