"""Every provider of the demonstration by hand: the contact writes, the agent answers, the key is taken away and given back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from heliograph.sandbox.faults import SERVICES, Mode, fault_from_json
from heliograph.services.templates import Templates
from tests.browser.stage import PATIENCE, eventually
from tests.demonstration import Demonstration, demonstration

#: One loop for all, as there is one browser.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
#: Zendesk is a desk, and has no contacts of its own.
MESSENGERS = [name for name in SERVICES if name != "zendesk"]
NARROW: ViewportSize = {"width": 320, "height": 640}
#: Those that say when a message is on the contact's device.
DELIVER = {"sunshine", "whatsapp", "messenger", "twilio", "webhook"}
#: Those that may say later that a message failed, and those that take replies for a day after the contact's last message.
REFUSE_LATER = {"sunshine", "whatsapp", "twilio", "webhook"}
WINDOWS = {"whatsapp", "messenger", "instagram"}
HELD = "The provider does not accept the channel's credentials."


@dataclass
class Town:
    """One demonstration with its three pages open, for all tests here."""

    made: Demonstration
    browser: Browser
    phone: Page
    desk: Page
    strip: Page
    complaints: list[str] = field(default_factory=list)

    @property
    def sandbox(self) -> Any:
        return self.made.demo.sandbox.sandbox

    async def open(self, path: str, **options: Any) -> Page:
        context = await self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}") if said.type in ("error", "warning") else None)
        await page.goto(self.made.url + path)
        return page

    async def contact_writes(self, service: str, text: str) -> None:
        """On the tab of the service, and not over another one's conversation."""
        title = self.sandbox.services[service].title
        await self.phone.get_by_role("tab", name=title, exact=True).click()
        await expect(self.phone.locator(f".phone[data-service={service}]")).to_be_visible()
        await expect(self.phone.locator("#subtitle")).to_contain_text("Ada's phone")
        await self.phone.get_by_role("textbox", name="Message").fill(text)
        await self.phone.get_by_role("button", name="Send", exact=True).click()
        await expect(self.phone.locator(".bubble.mine .words").last).to_have_text(text)

    async def agent_opens(self, text: str) -> None:
        """The ticket whose last message is `text`."""
        await self.desk.goto(self.made.url + "/desk")
        await self.desk.locator("#list .line", has_text=text).click()
        await expect(self.desk.locator(".bubble.contact .words").last).to_have_text(text)

    async def agent_answers(self, text: str) -> None:
        await self.desk.get_by_label("Your text").fill(text)
        await self.desk.keyboard.press("Control+Enter")
        await expect(self.desk.get_by_label("Your text")).to_have_value("")

    def state(self, text: str) -> Locator:
        """How the desk words what became of a reply."""
        return self.desk.locator(".bubble.agent", has_text=text).locator(".state .word")

    def arrived(self, text: str) -> Locator:
        return self.phone.locator(".bubble:not(.mine) .words", has_text=text)

    async def goes_down(self, service: str) -> None:
        """Its port is closed, and its templates were not asked for in a while."""
        self.made.process.application.context.templates = Templates()
        self.sandbox.faults.set(fault_from_json({"service": service, "mode": "down"}))
        await eventually(lambda: self.listens(service), lambda listens: not listens)

    async def comes_back(self, service: str) -> None:
        self.sandbox.faults.clear(mode=Mode.DOWN)
        await eventually(lambda: self.listens(service), bool)

    async def listens(self, service: str) -> bool:
        at = urlsplit(self.made.demo.sandbox.urls[service])
        try:
            _, writer = await asyncio.open_connection(at.hostname, at.port)
        except OSError:
            return False
        writer.close()
        return True

    async def nothing_went_wrong(self) -> None:
        for name in ("waiting", "lost", "doubled", "overtaken"):
            await expect(self.strip.locator(f"[data-count={name}] dd")).to_have_text("0")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole(chrome: Browser) -> AsyncIterator[Town]:
    async with demonstration() as made:
        blank = await chrome.new_page()
        town = Town(made, chrome, blank, blank, blank)
        town.phone, town.desk, town.strip = await town.open("/phone"), await town.open("/desk"), await town.open("/strip")
        # What is read at once would not stay "delivered".
        await town.phone.get_by_label("Read at once").evaluate("box => box.click()")
        yield town
        for context in chrome.contexts:
            await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def town(whole: Town) -> AsyncIterator[Town]:
    whole.complaints.clear()
    yield whole
    whole.sandbox.faults.clear()
    assert whole.complaints == []


@pytest.mark.parametrize("service", MESSENGERS)
async def test_it_is_answered_broken_and_repaired(town: Town, service: str) -> None:
    arrives = "Delivered" if service in DELIVER else "Sent"
    asked, first, second = f"Does {service} work?", f"Yes, {service} works.", f"And {service} works again."
    await town.contact_writes(service, asked)
    await town.agent_opens(asked)
    await town.agent_answers(first)
    await expect(town.arrived(first)).to_have_count(1)
    await expect(town.state(first)).to_have_text(arrives)
    await town.strip.get_by_label("Service").select_option(service)
    await town.strip.get_by_role("button", name="Revoke the key").click()
    await expect(town.strip.get_by_role("button", name="Restore the key")).to_be_visible()
    await town.agent_answers(second)
    await expect(town.state(second)).to_have_text("Held")
    await expect(town.desk.locator(".about.held")).to_contain_text(HELD)
    await expect(town.desk.get_by_label("Channel on hold")).to_contain_text("1 message waits")
    await expect(town.strip.locator("[data-count=waiting] dd")).to_have_text("1")
    await expect(town.arrived(second)).to_have_count(0)
    await town.strip.get_by_role("button", name="Restore the key").click()
    await expect(town.arrived(second)).to_have_count(1)
    await expect(town.state(second)).to_have_text(arrives)
    await expect(town.desk.get_by_label("Channel on hold")).to_have_count(0)
    await town.nothing_went_wrong()


async def test_what_is_looked_at_on_the_phone_is_what_the_strip_breaks(town: Town) -> None:
    page = await town.open("/")
    phone, strip = page.frame_locator("#phone iframe"), page.frame_locator("#strip iframe")
    await expect(strip.get_by_label("Service").locator("option")).to_have_count(len(SERVICES))
    await phone.get_by_role("tab", name="LINE").click()
    await expect(strip.get_by_label("Service")).to_have_value("line")
    await phone.get_by_role("tab", name="LINE").press("ArrowRight")
    await expect(phone.get_by_role("tab", name="Twilio")).to_be_focused()
    await expect(strip.get_by_label("Service")).to_have_value("twilio")
    await page.context.close()


@pytest.mark.parametrize("service", MESSENGERS)
async def test_only_what_a_service_can_do_is_offered(town: Town, service: str) -> None:
    await town.strip.get_by_label("Service").select_option(service)
    await expect(town.strip.get_by_role("switch", name="Down")).to_have_count(1)
    await expect(town.strip.get_by_role("switch", name="Refused later")).to_have_count(int(service in REFUSE_LATER))
    await town.phone.get_by_role("tab", name=town.sandbox.services[service].title, exact=True).click()
    await expect(town.phone.locator("#subtitle")).to_contain_text("Ada's phone")
    await town.phone.get_by_label("More").click()
    await expect(town.phone.get_by_role("button", name="Block this desk")).to_be_visible()
    await expect(town.phone.get_by_role("button", name="Be silent for a day")).to_have_count(int(service in WINDOWS))
    await town.phone.get_by_label("More").click()


# --- templates ---


async def template_desk(town: Town, text: str) -> Locator:
    """The desk at WhatsApp's ticket, with the picker open; returns the form of the first template."""
    await town.contact_writes("whatsapp", text)
    await town.agent_opens(text)
    await town.desk.get_by_role("button", name="Template").click()
    form = town.desk.get_by_role("form", name="conversation_follow_up en_US")
    await expect(form).to_be_visible()
    return form


async def fill(form: Locator, name: str, order: str) -> None:
    await form.get_by_label("Value for {{1}}").fill(name)
    await form.get_by_label("Value for {{2}}").fill(order)


def filled(name: str, order: str) -> str:
    return f"Hello {name}, we have news about order {order}."


async def test_a_contact_who_was_silent_is_reached_by_a_template_and_the_keyboard(town: Town) -> None:
    await town.contact_writes("whatsapp", "I shall be away")
    await town.agent_opens("I shall be away")
    await expect(town.desk.locator("#window")).to_have_count(0)
    await town.phone.get_by_label("More").click()
    await town.phone.get_by_role("button", name="Be silent for a day").click()
    await expect(town.phone.get_by_role("status")).to_contain_text("only templates arrive")
    await town.agent_answers("Back so soon?")
    await expect(town.state("Back so soon?")).to_have_text("Could not be sent")
    await expect(town.desk.locator("#window")).to_contain_text("The time in which the provider allows a reply is over")
    await expect(town.desk.locator("#window")).to_contain_text("A template can still be sent.")
    opener = town.desk.get_by_role("button", name="Template")
    await opener.focus()
    await town.desk.keyboard.press("Enter")
    dialog = town.desk.get_by_role("dialog", name="Approved templates")
    await expect(dialog.get_by_role("heading", name="Approved templates")).to_be_focused()
    await expect(dialog.get_by_text("old_offer")).to_have_count(0)
    assert await offences(town.desk) == []
    form = dialog.get_by_role("form", name="conversation_follow_up en_US")
    await town.desk.keyboard.press("Tab")
    await expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    await town.desk.keyboard.press("Tab")
    await expect(form.get_by_label("Value for {{1}}")).to_be_focused()
    await town.desk.keyboard.type("Ada")
    await town.desk.keyboard.press("Tab")
    await town.desk.keyboard.type("7001")
    await town.desk.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()
    await expect(town.arrived(filled("Ada", "7001"))).to_have_count(1)
    await expect(town.state(filled("Ada", "7001"))).to_have_text("Delivered")
    await expect(town.desk.locator("#window")).to_be_visible()
    await town.contact_writes("whatsapp", "Here I am")
    await expect(town.desk.locator("#window")).to_have_count(0)


async def test_an_unfit_value_is_refused_in_place_and_kept(town: Town) -> None:
    form = await template_desk(town, "Which order?")
    await fill(form, "Ada     Byron", "7002")
    await form.get_by_role("button", name="Send template").click()
    problem = form.get_by_role("alert")
    await expect(problem).to_contain_text("The template cannot be sent like this: the value of 1 must be one line of text")
    await expect(problem).to_be_in_viewport()
    await expect(form.get_by_label("Value for {{2}}")).to_have_value("7002")
    await form.get_by_label("Value for {{1}}").fill("Bea")
    await expect(problem).to_be_hidden()
    await form.get_by_role("button", name="Send template").click()
    await expect(town.arrived(filled("Bea", "7002"))).to_have_count(1)
    await expect(town.arrived("Byron")).to_have_count(0)
    town.complaints = [said for said in town.complaints if "422" not in said]


async def test_sent_twice_is_once(town: Town) -> None:
    form = await template_desk(town, "Any news?")
    await fill(form, "Cora", "7003")

    async def lose(route: Any) -> None:
        await route.fetch()
        await route.abort()

    await town.desk.route("**/template", lose)
    await form.get_by_role("button", name="Send template").click()
    await expect(form.get_by_role("alert")).to_have_text("That did not work. Try again.")
    await town.desk.unroute("**/template")
    await form.get_by_role("button", name="Send template").click()
    await expect(town.desk.get_by_role("dialog")).to_be_hidden()
    await expect(town.state(filled("Cora", "7003"))).to_have_text(["Delivered"])
    await expect(town.arrived(filled("Cora", "7003"))).to_have_count(1)
    town.complaints.clear()


async def test_a_provider_that_is_down_is_said_in_place(town: Town) -> None:
    await town.contact_writes("whatsapp", "Are you there?")
    await town.agent_opens("Are you there?")
    await town.goes_down("whatsapp")
    await town.desk.get_by_role("button", name="Template").click()
    dialog = town.desk.get_by_role("dialog", name="Approved templates")
    await expect(dialog).to_contain_text("The provider does not tell its templates now. Try again later.")
    await dialog.get_by_role("button", name="Close").click()
    await town.comes_back("whatsapp")
    await town.desk.get_by_role("button", name="Template").click()
    form = dialog.get_by_role("form", name="conversation_follow_up en_US")
    await expect(form).to_be_visible()
    await town.goes_down("whatsapp")
    await fill(form, "Dora", "7004")
    await form.get_by_role("button", name="Send template").click()
    await expect(form.get_by_role("alert")).to_have_text("The provider does not tell its templates now. Try again later.")
    await town.comes_back("whatsapp")
    await form.get_by_role("button", name="Send template").click()
    await expect(town.arrived(filled("Dora", "7004"))).to_have_count(1)
    town.complaints = [said for said in town.complaints if "502" not in said]


# --- for everybody ---


async def offences(page: Page) -> list[str]:
    found = (await Axe().run(page)).response["violations"]
    return [f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:300]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/phone?service=whatsapp", "/strip", "/desk/channels", "ticket", "/"])
async def test_it_fits_the_narrowest_phone_and_everybody(town: Town, path: str, scheme: str) -> None:
    if path == "ticket":
        await town.contact_writes("whatsapp", f"In the {scheme}?")
        await town.agent_opens(f"In the {scheme}?")
        path = town.desk.url.removeprefix(town.made.url)
    page = await town.open(path, viewport=NARROW, color_scheme=scheme)
    await expect(page.locator("main").first).to_be_visible()
    if path.startswith("/phone"):
        await expect(page.get_by_role("tab")).to_have_count(len(MESSENGERS))
        for tab in await page.get_by_role("tab").all():
            await expect(tab).to_be_in_viewport(ratio=1)
    if path.startswith("/desk/tickets/"):
        await page.get_by_role("button", name="Template").click()
        await expect(page.locator(".approved-one").first).to_be_visible()
    await page.evaluate("document.querySelectorAll('main details:not(.menu)').forEach(part => { part.open = true; })")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await sideways(page) == []
    assert await offences(page) == []
    await page.context.close()


async def sideways(page: Page) -> list[str]:
    """Parts of a page that scroll sideways by themselves."""
    found: list[str] = await page.locator("body *").evaluate_all(
        """all => all.filter(part => part.scrollWidth > part.clientWidth + 1
             && ["auto", "scroll"].includes(getComputedStyle(part).overflowX)).map(part => part.outerHTML.slice(0, 90))"""
    )
    return found
