"""The notice where agents work: told without reloading, counted down, in their language, and gone when all is settled."""

import contextlib
import csv
import io
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page, expect

from heliograph.bootstrap.watch import steps
from heliograph.domain.content import Text
from heliograph.services import people
from heliograph.services.attention import Attention
from heliograph.services.reply import reply
from heliograph.worker.watching import Watching
from tests.browser.stage import Stage, eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

TITLES = {
    "en": "Replies through Sunshine Conversations are waiting",
    "es": "Las respuestas por Sunshine Conversations están en espera",
    "pt-BR": "As respostas via Sunshine Conversations estão aguardando",
}


@contextlib.asynccontextmanager
async def watched(scene: Stage) -> AsyncIterator[None]:
    """The loop that watches runs."""
    attention = Attention()
    scene.application.noticing.append(attention.noticed)
    watching = Watching(scene.application.context, attention, steps(scene.application))
    watching.start()
    try:
        yield
    finally:
        await watching.stop()


async def trouble(scene: Stage, replies: int = 3) -> str:
    """The key is revoked while an agent writes so many replies. Returns the ticket."""
    scene.writes("Where is my lantern?")
    (ticket,) = await scene.tickets()
    scene.key.revoked = True
    for number in range(replies):
        await reply(
            scene.application.context, scene.demo.account, ticket, agent=scene.demo.agent, actor=f"agent:{scene.demo.agent}",
            contents=[Text(f"reply {number}")], public=True,
        )  # fmt: skip
    return ticket


async def speaks(scene: Stage, language: str) -> None:
    await people.set_person(scene.application.context, scene.demo.account, scene.demo.agent, mail="", language=language, actor="operator")


async def healthy(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("language", TITLES)
async def test_an_agent_is_told_without_reloading_and_sees_it_count_down(scene: Stage, language: str) -> None:
    async with watched(scene):
        await speaks(scene, language)
        page = await scene.open("/desk")
        await expect(page.locator("#bell .bell")).to_be_visible()
        await expect(page.locator(".notice")).to_have_count(0)
        ticket = await trouble(scene)
        notice = page.locator(".notice")
        await expect(notice).to_have_count(1)
        await expect(notice.locator("strong")).to_have_text(TITLES[language])
        await expect(notice.locator("[data-fact=waiting]")).to_have_text("3")
        await expect(notice.locator("[data-fact=onset_at]")).to_contain_text("UTC")
        await expect(page.locator(".bell-count")).to_have_text("3")
        assert await page.locator("#notices").get_attribute("lang") == language
        await healthy(page)
        await page.reload()
        await expect(page.locator(".notice[role=status]")).to_be_visible()
        await notice.get_by_role("link", name="#1").click()
        await expect(page).to_have_url(f"{scene.url}/desk/tickets/{ticket}?view=events&incident={await incident(page)}")
        await expect(page.locator("#events .event")).not_to_have_count(0)
        assert await page.locator("#events [data-kind=message_received]").count() == 0
        scene.key.revoked = False
        await eventually(lambda: _texts(scene), lambda texts: len(texts) == 3)
        await expect(page.locator(".notice")).to_have_count(0)
        await expect(page.locator(".bell-count")).to_have_count(0)


async def incident(page: Page) -> str:
    return (await page.locator(".notice").get_attribute("id") or "").removeprefix("notice-")


async def _texts(scene: Stage) -> list[str]:
    return scene.texts()


async def test_what_is_hidden_stays_in_the_bell_and_the_list_can_be_taken_along(scene: Stage) -> None:
    async with watched(scene):
        page = await scene.open("/desk")
        await trouble(scene)
        await page.get_by_role("button", name="Hide").click()
        await expect(page.locator(".notice")).to_have_count(0)
        await page.locator(".bell").click()
        await expect(page.get_by_role("heading", name="Status of your account")).to_be_visible()
        await expect(page.locator(".affected h2")).to_have_text(TITLES["en"])
        await healthy(page)
        answer = await page.request.get(f"{scene.url}{await page.get_by_role('link', name='List as CSV').get_attribute('href')}")
        rows = list(csv.DictReader(io.StringIO((await answer.body()).decode("utf-8-sig"))))
        assert len(rows) == 3 and {row["became"] for row in rows} == {"waiting"} and {row["ticket"] for row in rows} == {"1"}
        answer = await page.request.get(f"{scene.url}{await page.get_by_role('link', name='List as JSON').get_attribute('href')}")
        told = await answer.json()
        assert told["facts"]["waiting"] == 3 and len(told["replies"]) == 3
        await page.get_by_label("Language").select_option("es")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="Estado de su cuenta")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "title"), [("en", "What must I do?"), ("es", "¿Qué debo hacer?"), ("pt-BR", "O que eu preciso fazer?")]
)
async def test_the_help_page_needs_no_sign_in(locked_scene: Stage, language: str, title: str) -> None:
    page = await locked_scene.open("/help/incident", locale=language)
    await expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == language
    await healthy(page)
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", name="What must I do?")).to_be_visible()
