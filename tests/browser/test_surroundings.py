"""Channels, signing in, phones, and people who do not see or point: the desk for everybody."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page, ViewportSize, expect

from heliograph.sandbox.faults import fault_from_json
from heliograph.services import configure, tokens
from tests.browser.stage import Stage
from tests.browser.test_spine import answer

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: ViewportSize = {"width": 390, "height": 844}


async def furnished(scene: Stage) -> dict[str, str]:
    """One ticket with held replies, one with a question; returns their ids by service."""
    scene.writes("Hello")
    (first,) = await scene.tickets()
    scene.writes("Hi", service="telegram")
    second = next(id for id in await scene.tickets(2) if id != first)
    scene.sandbox.faults.set(fault_from_json({"service": "sunshine", "mode": "revoked"}))
    scene.sandbox.faults.set(fault_from_json({"service": "telegram", "mode": "answer_lost", "operation": "send"}))
    for ticket, word in ((first, "Held"), (second, "Needs your decision")):
        page = await scene.open(f"/desk/tickets/{ticket}")
        await answer(page, "An answer")
        await expect(page.locator(".state .word")).to_have_text(word)
        await page.context.close()
    return {"sunshine": first, "telegram": second}


async def offences(page: Page) -> list[str]:
    found = (await Axe().run(page)).response["violations"]
    return [f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:300]}" for one in found for node in one["nodes"]]


async def test_every_page_is_accessible_in_light_and_dark_and_fits_a_phone(scene: Stage) -> None:
    made = await furnished(scene)
    paths = ["/desk", "/desk/channels", "/desk/sign-in", "/desk/tickets/none", "/"]
    paths += [f"/desk/tickets/{ticket}" for ticket in made.values()]
    for path in paths:
        page = await scene.open(path)
        await expect(page.locator("main").first).to_be_visible()
        assert await offences(page) == [], path
        await page.emulate_media(color_scheme="dark")
        assert await offences(page) == [], path
        await page.set_viewport_size(PHONE)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
        if path.startswith("/desk/tickets/t"):
            assert await offences(page) == [], path
            await page.get_by_role("button", name="Events").click()
            await expect(page.locator("#events")).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
        await page.context.close()
    scene.complaints = [said for said in scene.complaints if "404" not in said]


async def test_by_keyboard_alone(scene: Stage) -> None:
    scene.writes("Hello")
    await scene.tickets()
    page = await scene.open("/desk")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.locator(".line").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ada")).to_be_focused()
    assert "/desk/tickets/" in page.url
    box = page.get_by_label("Your text")
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await box.evaluate("box => box === document.activeElement"):
            break
    await page.keyboard.type("by hand")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".bubble.agent .words")).to_have_text("by hand")
    await expect(box).to_be_focused()
    await page.go_back()
    await expect(page.locator("#ticket .hint")).to_be_visible()


async def test_on_a_phone_one_thing_at_a_time(scene: Stage) -> None:
    scene.writes("Hello")
    await scene.tickets()
    page = await scene.open("/desk", viewport=PHONE)
    await page.locator(".line").click()
    await expect(page.locator("#list")).to_be_hidden()
    await answer(page, "from my phone")
    await expect(page.locator(".state .word")).to_have_text("Delivered")
    await page.get_by_role("link", name="Back to the list").click()
    await expect(page.locator("#list")).to_be_visible()
    demo = await scene.open("/", viewport=PHONE)
    await expect(demo.locator("#desk iframe")).to_be_hidden()
    await demo.get_by_role("button", name="Desk").click()
    await expect(demo.locator("#desk iframe")).to_be_visible()
    await demo.get_by_role("link", name="paste a Telegram bot token").click()
    await expect(demo.frame_locator("#desk iframe").locator("#new-telegram").get_by_label("Bot token")).to_be_visible()


async def test_a_bot_is_connected_by_pasting_its_token(scene: Stage) -> None:
    bot = scene.sandbox.telegram.center.new_bot("second_bot", "Second")
    page = await scene.open("/desk/channels")
    form = page.locator("#new-telegram")
    await form.get_by_label("Bot token").fill("1:wrong")
    await form.get_by_text("More settings").click()
    await form.get_by_label("Address of the API").fill(scene.demo.sandbox.telegram_url)
    await form.get_by_role("button", name="Connect the bot").click()
    await expect(page.locator("#said")).to_contain_text("does not accept the channel's credentials")
    card = page.locator(".channel-card").last
    await expect(card).to_contain_text("On hold")
    await card.get_by_text("Replace a secret").click()
    await card.get_by_label("Bot token").fill(bot.token)
    await card.get_by_role("button", name="Save").click()
    await expect(page.locator("#said")).to_contain_text("Saved. The provider accepts it")
    await expect(card.get_by_label("Bot token")).to_have_value("")
    await page.reload()
    await expect(card).to_contain_text("Well")
    assert bot.token not in await page.content()
    await card.get_by_role("button", name="Check now").click()
    await expect(page.locator("#said")).to_have_text(re.compile("^The provider accepts it"))
    chat = scene.sandbox.telegram.center.new_chat(bot, "Bea", username="bea")
    scene.sandbox.telegram.contacts.text(str(chat.id), "Hello from my own phone")
    await scene.tickets(1)
    await page.get_by_role("link", name="Tickets").click()
    await expect(page.locator(".line")).to_contain_text("Bea")


async def test_behind_a_login(locked_scene: Stage) -> None:
    scene = locked_scene
    context = scene.application.context
    text = tokens.new_text(context.rng)
    await configure.issue_token(
        context, scene.demo.account, "browser", scopes="write", agent=scene.demo.agent, secret=text, actor="operator"
    )  # fmt: skip
    page = await scene.open("/desk/channels")
    assert page.url.endswith("/desk/sign-in?next=/desk/channels")
    await page.get_by_label("API token").fill("hgt_nonsense")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not known here")
    await page.get_by_label("API token").fill(text)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Channels")).to_be_visible()
    await expect(page.get_by_text("Add a channel")).to_have_count(0)
    assert await page.evaluate("document.cookie") == ""
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(scene.url + "/desk")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    scene.complaints = [said for said in scene.complaints if "422" not in said]


async def test_another_account_sees_and_changes_nothing(locked_scene: Stage) -> None:
    scene = locked_scene
    context = scene.application.context
    scene.writes("Private")
    (ticket,) = await scene.tickets()
    (comment,) = await context.store.comments(scene.demo.account, ticket)
    await configure.create_account(context, "Other", id="acc_other")
    await configure.create_agent(context, "acc_other", "Eve", id="agt_other")
    text = tokens.new_text(context.rng)
    await configure.issue_token(context, "acc_other", "browser", scopes="admin", agent="agt_other", secret=text, actor="operator")
    page = await scene.open("/desk/sign-in")
    await page.get_by_label("API token").fill(text)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("No open tickets")).to_be_visible()
    for path in ("", "/head", "/thread", "/events"):
        answer = await page.request.get(f"{scene.url}/desk/tickets/{ticket}{path}")
        assert answer.status == 404 and "Private" not in await answer.text()
    assert (await page.request.get(f"{scene.url}/desk/comments/{comment.id}/files/0")).status == 404
    own = {"origin": scene.url}
    form: dict[str, str | float | bool] = {"key": "0123456789", "text": "x", "public": "yes", "decision": "cancel", "enabled": "no"}
    for path in (
        f"tickets/{ticket}/reply", f"tickets/{ticket}/solve", f"tickets/{ticket}/reopen", f"comments/{comment.id}/decide",
        f"channels/{scene.demo.sunshine}/check", f"channels/{scene.demo.sunshine}/change", f"channels/{scene.demo.sunshine}/enabled",
    ):  # fmt: skip
        assert (await page.request.post(f"{scene.url}/desk/{path}", form=form, headers=own)).status == 404, path
        foreign = await page.request.post(f"{scene.url}/desk/{path}", form=form, headers={"origin": "https://elsewhere.example"})
        assert foreign.status == 403, path
    assert len(await context.store.comments(scene.demo.account, ticket)) == 1
