"""Fifty replies that ask are decided in bulk in less than a minute of a person's time, in the real page."""

import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from heliograph.domain.delivery import Question
from heliograph.domain.events import QuestionRaised
from heliograph.ports.store import Changes, Fold
from tests.incidents.serving import Served, served
from tests.incidents.town import Town, town

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Seconds, by the keystroke-level model of Card, Moran and Newell: to make up one's mind, to point and click, and for a word that is read.
MIND, CLICK, WORD = 1.35, 1.3, 0.25
BAR = 60.0
QUESTIONS = (Question.WAITED_TOO_LONG, Question.SOLVED_SINCE, Question.CONTACT_WROTE)


class Person:
    """Counts what a person does, and waits with them while a page loads."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.minds = self.clicks = self.words = self.loads = 0
        self.waited = 0.0

    @property
    def seconds(self) -> float:
        """By the model, and by the clock where the machine was at work."""
        return self.minds * MIND + self.clicks * CLICK + self.words * WORD + self.waited

    async def reads(self, what: Locator) -> None:
        """All words of it."""
        self.words += len((await what.inner_text()).split())

    async def chooses(self, which: Locator, value: str) -> None:
        """Opens a list and picks from it."""
        self.minds += 1
        self.clicks += 2
        await which.select_option(value)

    async def goes(self, link: Locator, what: Locator, *, there: bool = True) -> None:
        """Makes up their mind, clicks, and waits until something is there, or is not."""
        self.minds += 1
        self.clicks += 1
        began = time.monotonic()
        await link.click()
        await expect(what).to_have_count(int(there), timeout=20_000)
        self.waited += time.monotonic() - began
        self.loads += 1


async def fifty_ask(made: Town) -> str:
    """Everything waits; then each of fifty replies asks for one of three reasons. The incident's id."""
    made.homes[0].key.revoked = True
    for _ in range(2):
        for home in made.homes:
            for lane in home.lanes:
                await made.say(home, lane)
    await made.run(3)
    [incident] = await made.incidents()
    number = 0
    for home in made.homes:
        for row in await made.store.deliveries(home.account, state="queued", channel="", after="", limit=99):
            changes = Changes(home.account, made.clock.now())
            changes.folds.append(Fold(row, [QuestionRaised(QUESTIONS[number % 3])]))
            await made.store.commit(changes)
            number += 1
    assert number == 50
    return incident.id


async def signed_in(browser: Browser, there: Served) -> Page:
    """Before anything happens: an operator on duty is."""
    page = await browser.new_page()
    await page.goto(f"{there.url}/operator/incidents")
    await page.get_by_label("Operator’s token").fill(there.token)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/operator/incidents")
    return page


async def test_fifty_asked_replies_cost_an_operator_less_than_a_minute(tmp_path: Path, browser: Browser) -> None:
    async with town(tmp_path, accounts=5, lanes=5) as made, served(made) as there:
        id = await fifty_ask(made)
        page = await signed_in(browser, there)
        person = Person(page)
        await person.goes(page.locator(f'a[href="/operator/incidents/{id}"]').first, page.locator("section#drain"))
        await person.reads(page.locator("section#drain p").first)
        for number, question in enumerate(QUESTIONS):
            # Each reason is a decision of its own: late is sent, what the contact has answered since is not.
            decision = "Do not send" if question is Question.CONTACT_WROTE else "Send again"
            await person.chooses(page.get_by_label("Which question"), question.value)
            left = page.locator("section#drain option", has_text=question.value.replace("_", " "))
            await person.goes(page.locator("section#drain").get_by_role("button", name=decision), left, there=False)
            await person.reads(page.locator("section#drain p").first if number < 2 else page.get_by_text("It is decided."))
        for home in made.homes:
            assert not await made.store.deliveries(home.account, state="asking", channel="", after="", limit=99)
        print(f"\n{person.clicks} clicks, {person.words} words, {person.loads} loads of {person.waited:.2f} s: {person.seconds:.1f} s")
        assert person.seconds <= BAR
