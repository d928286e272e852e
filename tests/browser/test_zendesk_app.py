"""The Zendesk app in a real browser, in a stand-in for Zendesk's framework: told to the agents affected, counting down, and gone."""

import json
import mimetypes
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from babel.messages.catalog import Catalog
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from heliograph.projections.facts import Facts
from heliograph.projections.wording.desk import app
from heliograph.projections.wording.glossary import breaches
from heliograph.projections.wording.languages import ES, PT
from tests.browser.stage import eventually
from tests.browser.test_status import SIZES, offences, shown

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOME = "https://app.example"
SERVICE = "https://heliograph.example"
ME, BEA = 11, 12
#: 6 August 2026, 09:12 UTC.
ONSET = 1_786_007_520_000_000


#: The very words that Heliograph gives the app.
WORDING = app(
    Facts(
        "inc_1", 3, "investigating", "major", "bad_credentials", "WhatsApp", ONSET, ONSET, ONSET, ONSET, 0, 0, "", "", 1, 3, 4, 2, 2, 1, 1,
        0, 0, 0,
    )
)  # fmt: skip


@dataclass
class Desk:
    """What Zendesk and Heliograph answer the app; a test changes it while the app runs."""

    context: BrowserContext
    locale: str = "en-US"
    agent: int = ME
    #: (ticket, comment, author, what became of it)
    replies: list[tuple[int, int, int, str]] = field(default_factory=list)
    over: bool = False
    severity: str = "major"
    refused: int = 0
    #: What the app asked for: url and headers.
    asked: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    #: Of the search; None: it fails.
    found: list[int] | None = None

    async def open(self, page: str = "iframe.html", size: str = "phone") -> Page:
        opened = await self.context.new_page()
        opened.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        opened.on("pageerror", lambda error: self.complaints.append(str(error)))
        await opened.set_viewport_size(SIZES[size])
        await opened.goto(f"{HOME}/assets/{page}")
        return opened

    async def get(self, path: str) -> Any:
        match path:
            case "currentUser":
                return {"currentUser": {"id": self.agent, "locale": self.locale}}
            case "metadata":
                # What is secure is not in here.
                return {"settings": {"address": SERVICE + "/"}}
            case "instances":
                return {"instances": {"guid-bar": {"location": "top_bar"}, "guid-back": {"location": "background"}}}
            case _:
                raise AssertionError(path)

    async def request(self, options: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(options)
        url = urlsplit(options["url"])
        if options["url"].startswith(SERVICE):
            if self.refused:
                return {"status": self.refused, "body": {}}
            return {"status": 200, "body": {"poll_after": 5, "notices": self.notices()}}
        if url.path == "/api/v2/search.json":
            if self.found is None:
                return {"status": 500, "body": {}}
            return {"status": 200, "body": {"results": [{"id": id} for id in self.found], "next_page": None}}
        ticket = int(url.path.split("/")[4].removesuffix(".json"))
        assert parse_qs(url.query)["sort_order"] == ["desc"]
        comments = [{"id": comment, "author_id": author} for at, comment, author, _ in self.replies if at == ticket]
        return {"status": 200, "body": {"comments": comments, "next_page": None}} if comments else {"status": 404, "body": {}}

    def notices(self) -> list[dict[str, Any]]:
        replies = [
            {"external_id": f"cmt_{comment}", "ticket_id": ticket, "comment_id": comment, "became": became}
            for ticket, comment, _, became in self.replies
        ]
        if not replies:
            return []
        return [
            {"incident": "inc_1", "number": 3, "severity": self.severity, "since": "2026-08-06T09:12:00Z", "over": self.over,
             "replies": replies, "wording": WORDING}
        ]  # fmt: skip

    def of_zendesk(self) -> list[str]:
        return [each["url"] for each in self.asked if each["url"].startswith("/api/")]


def _app(name: str) -> bytes:
    return resources.files("heliograph.cli").joinpath("zendesk_app", *name.strip("/").split("/")).read_bytes()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser) -> AsyncIterator[Desk]:
    async for made in _desk(browser, "light"):
        yield made


async def _desk(browser: Browser, scheme: Any) -> AsyncIterator[Desk]:
    made = Desk(await browser.new_context(color_scheme=scheme, timezone_id="Europe/Madrid"))
    await stand_in(made)
    yield made
    await made.context.close()
    assert made.complaints == []


async def stand_in(made: Desk) -> None:
    """Let the app run in the desk's browser: its files come from us, and its framework is a stand-in."""

    async def answer(route: Route) -> None:
        url = urlsplit(route.request.url)
        if route.request.url.startswith(HOME):
            kind = mimetypes.guess_type(url.path)[0] or "application/octet-stream"
            await route.fulfill(body=_app(url.path), content_type=kind)
        elif url.netloc == "static.zdassets.com":
            stand_in = Path(__file__).with_name("zaf_stand_in.js").read_text(encoding="utf-8")
            await route.fulfill(body=stand_in, content_type="text/javascript")
        else:
            made.complaints.append(f"asked elsewhere: {route.request.url}")
            await route.abort()

    await made.context.route("**/*", answer)
    await made.context.expose_function("zafGet", made.get)
    await made.context.expose_function("zafRequest", made.request)


async def again(page: Page) -> None:
    """The agent opens the pane again."""
    await page.evaluate("window.zaf.fire('pane.activated')")


async def test_only_an_affected_agent_is_told_and_sees_it_count_down(desk: Desk) -> None:
    desk.replies = [(35, 1, ME, "waiting"), (36, 2, ME, "waiting"), (36, 3, BEA, "waiting"), (37, 4, BEA, "asked")]
    page = await desk.open()
    await expect(page.locator(".notice h2")).to_have_text("Replies through WhatsApp are waiting")
    await expect(page.locator(".notice li")).to_have_text(["2 replies are waiting and go out by themselves."])
    await expect(page.locator(".tickets button")).to_have_text(["#35", "#36"])
    await expect(page.locator(".advice")).to_have_text(
        "There is nothing for you to do: go on writing as usual, and do not write again what is waiting."
    )
    desk.replies[0] = (35, 1, ME, "sent_late")
    await again(page)
    await expect(page.locator(".notice li")).to_have_text(["1 reply is waiting and goes out by itself.", "1 reply has gone out late."])
    await expect(page.locator(".tickets button")).to_have_text(["#36"])
    desk.replies[1] = (36, 2, ME, "sent_late")
    await again(page)
    await expect(page.locator(".advice")).to_have_text("Everything is settled.")
    desk.over = True
    await again(page)
    await expect(page.locator(".notice")).to_have_count(0)
    await expect(page.locator("#calm")).to_have_text("None of your replies is affected.")


async def test_nobody_else_is_told_anything(desk: Desk) -> None:
    desk.replies = [(35, 1, BEA, "waiting"), (36, 2, BEA, "asked")]
    page = await desk.open()
    await expect(page.locator("#calm")).to_be_visible()
    await expect(page.locator(".notice")).to_have_count(0)


async def test_the_token_is_the_proxys_and_comments_are_asked_for_once(desk: Desk) -> None:
    desk.replies = [(35, 1, ME, "waiting"), (36, 2, BEA, "waiting")]
    page = await desk.open()
    await expect(page.locator(".notice li")).to_have_text(["1 reply is waiting and goes out by itself."])
    first = desk.asked[0]
    assert first["url"] == SERVICE + "/zendesk/app/notices"
    assert first["headers"] == {"Authorization": "Bearer {{setting.token}}"} and first["secure"] is True and first["cors"] is False
    asked = len(desk.of_zendesk())
    assert asked == 2
    for _ in range(3):
        before = len(desk.asked)
        await again(page)
        await eventually(lambda: _later(len(desk.asked) > before), bool)  # noqa: B023
    assert len(desk.of_zendesk()) == asked, "an author does not change"


async def _later(value: Any) -> Any:
    return value


async def test_many_tickets_are_looked_at_a_few_at_a_time_own_ones_first(desk: Desk) -> None:
    desk.replies = [(ticket, ticket, BEA, "waiting") for ticket in range(100, 160)] + [(500, 500, ME, "waiting")]
    desk.found = [500]
    page = await desk.open()
    await expect(page.locator(".notice li")).to_have_text(["1 reply is waiting and goes out by itself."])
    lookups = [url for url in desk.of_zendesk() if "/comments" in url]
    assert len(lookups) == 12 and "/500/" in lookups[0]
    await expect(page.locator("#problem")).to_have_text("Some replies are still being looked up.")


@pytest.mark.parametrize(
    ("locale", "lang", "line"),
    [
        ("es-419", "es", "2 respuestas están en espera y se enviarán automáticamente."),
        ("pt-br", "pt-BR", "2 respostas estão aguardando e serão enviadas automaticamente."),
        ("de", "en", "2 replies are waiting and go out by themselves."),
        ("en-GB", "en", "2 replies are waiting and go out by themselves."),
    ],
)
async def test_in_the_agents_language(desk: Desk, locale: str, lang: str, line: str) -> None:
    desk.locale = locale
    desk.replies = [(35, 1, ME, "waiting"), (36, 2, ME, "waiting")]
    page = await desk.open()
    await expect(page.locator(".notice li")).to_have_text([line])
    assert await page.evaluate("document.documentElement.lang") == lang
    await shown(page, f"zendesk-app-{lang}")


async def test_large_numbers_are_written_as_the_language_does(desk: Desk) -> None:
    desk.locale = "es"
    desk.replies = [(35, n, ME, "waiting") for n in range(1, 1_201)]
    page = await desk.open()
    await expect(page.locator(".notice li")).to_have_text(["1.200 respuestas están en espera y se enviarán automáticamente."])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_the_pane_is_for_everybody(browser: Browser, scheme: str, size: str) -> None:
    async for desk in _desk(browser, scheme):
        for severity in ("critical", "minor"):
            desk.severity = severity
            desk.replies = [(35, 1, ME, "waiting"), (36, 2, ME, "asked"), (37, 3, ME, "sent_late"), (38, 4, ME, "failed")]
            page = await desk.open(size=size)
            await expect(page.locator(".notice li")).to_have_count(4)
            assert await offences(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
            await shown(page, f"zendesk-app-{scheme}-{size}-{severity}")
            await page.close()
        desk.replies = []
        calm = await desk.open(size=size)
        await expect(calm.locator("#calm")).to_be_visible()
        assert await offences(calm) == []


async def test_heliograph_away_is_said_and_what_was_known_stays(desk: Desk) -> None:
    desk.replies = [(35, 1, ME, "waiting")]
    page = await desk.open()
    await expect(page.locator(".notice li")).to_have_text(["1 reply is waiting and goes out by itself."])
    desk.refused = 503
    await again(page)
    await expect(page.locator("#problem")).to_contain_text("cannot be reached")
    await expect(page.locator(".notice li")).to_have_text(["1 reply is waiting and goes out by itself."])
    desk.refused = 401
    await again(page)
    await expect(page.locator("#problem")).to_contain_text("does not accept this app's token")
    desk.refused = 0
    await again(page)
    await expect(page.locator("#problem")).to_be_hidden()


async def test_a_ticket_opens_in_zendesk(desk: Desk) -> None:
    desk.replies = [(35, 1, ME, "asked")]
    page = await desk.open()
    decide = page.get_by_role("link", name="Decide in Heliograph")
    await expect(decide).to_have_attribute("href", f"{SERVICE}/zendesk/clickthrough?external_id=cmt_1")
    await page.get_by_role("button", name="#35").click()
    assert ["routeTo", "ticket", 35] in await page.evaluate("window.zaf.invoked")


async def test_the_icon_lights_before_anybody_opens_it_and_says_so_once(desk: Desk) -> None:
    desk.replies = [(35, 1, ME, "waiting")]
    page = await desk.open("background.html")
    await page.wait_for_function("window.zaf && window.zaf.set.length === 1")
    assert await page.evaluate("window.zaf.set") == [["guid-bar", "iconSymbol", "waiting"]]
    told = [said for said in await page.evaluate("window.zaf.invoked") if said[0] == "notify"]
    assert [said[1] for said in told] == ["Replies through WhatsApp are waiting. 1 reply is waiting and goes out by itself."]
    await page.reload()
    await page.wait_for_function("window.zaf && window.zaf.set.length === 1")
    assert await page.evaluate("window.zaf.invoked") == [], "it is said once"
    desk.replies = []
    other = await desk.open("background.html")
    await other.wait_for_function("window.zaf && window.zaf.set.length === 1")
    assert await other.evaluate("window.zaf.set") == [["guid-bar", "iconSymbol", "default"]]


async def test_the_icons_that_are_named_exist() -> None:
    icon = _app("assets/icon_top_bar.svg").decode()
    script = _app("assets/background.js").decode()
    for name in ("default", "waiting", "asking"):
        assert f'id="{name}"' in icon and f'"{name}"' in script


async def test_what_the_app_says_itself_is_complete_in_every_language(desk: Desk) -> None:
    page = await desk.open()
    keys = await page.evaluate("import('./words.js').then(({ WORDS }) => Object.values(WORDS).map((each) => Object.keys(each).join()))")
    assert len(keys) == 3 and len(set(keys)) == 1
    texts = [json.loads(_app(f"translations/{each}.json"))["app"] for each in ("en", "es", "pt-br")]
    assert len({json.dumps([sorted(t), sorted(t["parameters"])]) for t in texts}) == 1


async def test_the_app_keeps_to_the_glossary(desk: Desk) -> None:
    page = await desk.open()
    words = await page.evaluate("import('./words.js').then(({ WORDS }) => WORDS)")
    for language, file in ((ES, "es"), (PT, "pt-br")):
        catalog = Catalog()
        english, translated = _sentences(words["en"]), _sentences(words[language.tag])
        english += _sentences(json.loads(_app("translations/en.json")))
        translated += _sentences(json.loads(_app(f"translations/{file}.json")))
        for source, target in zip(english, translated, strict=True):
            # A page of Zendesk's, called as they call it.
            catalog.add(source.replace("Admin Center", "Center"), target)
        assert breaches(language, catalog) == []


def _sentences(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for _, inner in sorted(value.items()) for each in _sentences(inner)]
