"""Zendesk's agents in an incident, all of it together: replies written there wait, each agent is told about their own, and all arrive."""

import asyncio
import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Page, expect

from heliograph.bootstrap.watch import steps
from heliograph.sandbox.faults import Mode, fault_from_json
from heliograph.sandbox.wire import Reply, Request
from heliograph.sandbox.zendesk import desk as agents_page, integrations
from heliograph.sandbox.zendesk.state import User
from heliograph.services import desk_links
from heliograph.services.attention import Attention
from heliograph.worker.watching import Watching
from tests.browser.test_zendesk_app import Desk, again, stand_in
from tests.zendesk.town import Town, town

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class TrueDesk(Desk):
    """The app's questions go to the running Heliograph, and to the simulated Zendesk in the agent's own name."""

    here: Town = None  # type: ignore[assignment]
    user: User = None  # type: ignore[assignment]
    token: str = ""

    async def get(self, path: str) -> Any:
        if path == "currentUser":
            return {"currentUser": {"id": self.user.id, "locale": self.locale}}
        return {"settings": {"address": self.here.house.url}} if path == "metadata" else await Desk.get(self, path)

    async def request(self, options: dict[str, Any]) -> dict[str, Any]:
        url = options["url"]
        if url.startswith(self.here.house.url):
            headers = {name: value.replace("{{setting.token}}", self.token) for name, value in options["headers"].items()}
            async with ClientSession() as http, http.get(url, headers=headers) as answer:
                return {"status": answer.status, "body": await answer.json()}
        center = self.here.zendesk.center
        path, _, query = url.partition("?")
        proof = base64.b64encode(f"{self.user.email}/token:{center.api_token}".encode()).decode()
        pairs = dict(pair.split("=", 1) for pair in query.split("&"))
        outcome = self.here.zendesk.handle(Request("GET", path, pairs, {"authorization": f"Basic {proof}"}))
        assert isinstance(outcome, Reply)
        return {"status": outcome.response.code, "body": json.loads(outcome.response.body)}


async def _opened(browser: Browser, here: Town, user: User, token: str, locale: str) -> TrueDesk:
    made = TrueDesk(await browser.new_context(), locale=locale, here=here, user=user, token=token)
    await stand_in(made)
    return made


async def shows(page: Page, selector: str, texts: list[str]) -> None:
    """Once the app has looked again; it is made to look more often than it does by itself."""
    async with asyncio.timeout(60):
        while await page.locator(selector).all_text_contents() != texts:
            await again(page)
            await asyncio.sleep(0.3)


async def _writes(here: Town, user: User, text: str) -> None:
    """Until we have it: Zendesk hands each comment over by a call of its own, and two of one moment may overtake each other."""
    body = {"ticket": here.tickets[-1].id, "text": text, "agent": user.id}
    written = agents_page.act(here.zendesk.center, "reply", body, Request("POST", "/"))
    await here.settled(here.zendesk.center.comments[written["comment"]])


async def test_each_agent_is_told_about_their_own_replies_until_all_have_arrived(tmp_path: Path, browser: Browser) -> None:
    async with town(tmp_path) as here:
        context = here.house.application.context
        attention = Attention()
        here.house.application.noticing.append(attention.noticed)
        watching = Watching(context, attention, steps(here.house.application))
        watching.start()
        alex, bea = here.zendesk.center.agents
        token = await desk_links.new_app_token(context, "acc_one", here.house.channel, actor="agent:agt_one")
        await here.contact_writes("Where is my lantern?")
        fault = here.house.sandbox.sandbox.faults.set(fault_from_json({"service": "sunshine", "mode": Mode.REVOKED.value}))
        texts = ["Let me look", "It left Leeds", "It comes tomorrow"]
        for text in texts[:2]:
            await _writes(here, alex, text)
        hers = await _opened(browser, here, bea, token, "en-GB")
        his = await _opened(browser, here, alex, token, "es")
        page, other = await his.open(), await hers.open()
        await shows(page, ".notice li.waiting", ["2 respuestas están en espera y se enviarán automáticamente."])
        await expect(page.locator(".tickets button")).to_have_text([f"#{here.tickets[-1].id}"])
        await again(other)
        await expect(other.locator("#calm")).to_have_text("None of your replies is affected.")
        await expect(other.locator(".notice")).to_have_count(0)
        await _writes(here, bea, texts[2])
        await shows(other, ".notice li.waiting", ["1 reply is waiting and goes out by itself."])
        assert here.received() == []
        here.house.sandbox.sandbox.faults.clear(id=fault.id)
        await here.until(lambda: here.received() == texts, seconds=30)
        for each in (page, other):
            await shows(each, ".notice li.waiting", [])
        assert all(not comment.errors for comment in here.zendesk.center.comments.values())
        await watching.stop()
        for made in (his, hers):
            await made.context.close()
            assert made.complaints == []


async def test_without_a_token_the_app_says_what_to_do(tmp_path: Path, browser: Browser) -> None:
    async with town(tmp_path) as here:
        made = await _opened(browser, here, here.zendesk.center.agents[0], "", "pt-BR")
        page = await made.open()
        await expect(page.locator("#problem")).to_contain_text("O Heliograph não aceita o token")
        await made.context.close()


async def test_an_admin_adds_the_account_in_zendesks_frame(tmp_path: Path, browser: Browser) -> None:
    async with town(tmp_path, linked=False) as here:
        center = here.zendesk.center
        integration = integrations.register(center, f"{here.service}/manifest.json")
        await here.until(lambda: integration.manifest)
        context = await browser.new_context()
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        await page.goto(f"{center.base}{integrations.ADMIN_PATH}?integration={integration.id}&locale=en-US")
        frame = page.frame_locator("iframe")
        await frame.get_by_label("API token of an admin").fill(here.house.tokens["admin"])
        await frame.get_by_role("button", name="Go on").click()
        await frame.get_by_label("Name of the account in Zendesk").fill("Shop")
        await frame.get_by_role("button", name="Connect").click()
        await expect(frame.get_by_role("heading")).to_have_text("The account is saved")
        here.instance = next(iter(center.instances.values()))
        assert here.instance.active and here.instance.name == "Shop"
        comment = await here.contact_writes("hello")
        assert comment.by == "push"
        await context.close()
        # This house has no stylesheet; what matters is what a browser would not let through.
        assert [said for said in complaints if "Failed to load resource" not in said] == []
