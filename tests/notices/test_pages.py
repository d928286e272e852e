"""Who may see which notice and take which list along; what a page shows to whom is that account's and that agent's own."""

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from heliograph.bootstrap.metrics import Metrics
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services import configure, tokens
from heliograph.services.notices import shown_to
from heliograph.services.people import KIND, PRESENCE, person
from heliograph.web.app import create_app
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.routes import routes
from tests.incidents.town import Home, town
from tests.notices.told import Told
from tests.web.installation import serving


class Visitor:
    """A browser with somebody's cookie."""

    def __init__(self, http: ClientSession, url: str, secret: str) -> None:
        self._http, self._url, self._headers = http, url, {"cookie": f"heliograph_token={secret}", "sec-fetch-site": "same-origin"}

    async def get(self, path: str, **sent: str) -> tuple[int, str]:
        async with self._http.get(self._url + path, headers={**self._headers, **sent}, allow_redirects=False) as answer:
            return answer.status, await answer.text("utf-8")

    async def post(self, path: str, **data: str) -> tuple[int, str]:
        headers = {**self._headers, "hx-request": "true"}
        async with self._http.post(self._url + path, headers=headers, data=data, allow_redirects=False) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def visited(told: Told) -> AsyncIterator[tuple[Home, Home, dict[str, Visitor]]]:
    """A town in trouble behind its pages: Sam of the first account wrote a reply that waits, Grace and the second account did not."""
    made = told.town
    context, (one, two, _) = made.context, made.homes
    await context.store.commit(Changes(one.account, made.clock.now(), puts=[rows.Agent(one.account, "agt_boss", "=1+1", "admin", 1)]))
    secrets = {}
    for name, home, agent, scope in (
        ("sam", one, one.agents[0], "write"), ("grace", one, one.agents[1], "write"), ("boss", one, "agt_boss", "admin"),
        ("other", two, two.agents[0], "admin"),
    ):  # fmt: skip
        secrets[name] = tokens.new_text(context.rng)
        await configure.issue_token(context, home.account, name, scopes=scope, agent=agent, secret=secrets[name], actor="operator")
    one.key.revoked = True
    await made.say(one, agent=one.agents[0])
    await made.say(one, agent="agt_boss")
    await told.run(3)
    app = create_app(made.application, vitals=Vitals(Metrics(made.clock.now)), extra=routes)
    async with serving(app) as url, ClientSession(cookie_jar=CookieJar()) as http:
        yield one, two, {name: Visitor(http, url, secret) for name, secret in secrets.items()}


async def test_each_reader_gets_their_own(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made, visited(told := Told(made)) as (one, _, visitors):
        code, text = await visitors["sam"].get("/desk/notices")
        assert code == 200 and 'role="alert"' in text and '<span class="fact" data-fact="waiting">1</span>' in text
        _, text = await visitors["sam"].get("/desk/notices")
        assert 'role="status"' in text and 'role="alert"' not in text
        for name in ("grace", "other"):
            _, text = await visitors[name].get("/desk/notices")
            assert "banner" not in text
            _, text = await visitors[name].get("/desk/notices/bell")
            assert "bell-count" not in text
            _, text = await visitors[name].get("/desk/status")
            assert "None of your replies is affected" in text
        [shown] = await shown_to(made.context, one.account, one.agents[0], admin=False)
        incident = shown.notice.incident
        assert (await visitors["grace"].post(f"/desk/notices/{incident}/dismiss"))[0] == 404
        assert (await visitors["sam"].post(f"/desk/notices/{incident}/dismiss"))[0] == 204
        _, text = await visitors["sam"].get("/desk/notices")
        assert "banner" not in text
        _, text = await visitors["sam"].get("/desk/notices/bell")
        assert "bell-count" in text
        await told.run(0.25)


async def test_the_account_s_list_is_its_admins_alone(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made, visited(Told(made)) as (one, _, visitors):
        [shown] = await shown_to(made.context, one.account, one.agents[0], admin=False)
        place = f"/desk/status/{shown.notice.incident}/replies"
        code, text = await visitors["boss"].get(f"{place}.csv")
        lines = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
        assert code == 200 and [line["agent_name"] for line in lines] == ["Sam", "'=1+1"], "a name is no formula"
        assert {line["became"] for line in lines} == {"waiting"} and all(line["written_at"].endswith("Z") for line in lines)
        _, text = await visitors["boss"].get("/desk/notices")
        assert 'data-fact="waiting">1<' in text, "at the top of the page their own"
        _, text = await visitors["boss"].get("/desk/status")
        assert 'data-fact="waiting">2<' in text and "2 agents" in text, "on the account's page everybody's"
        assert (await visitors["sam"].get(f"{place}.csv"))[0] == 403
        code, text = await visitors["other"].get(f"{place}.json")
        assert code == 200 and '"replies":[]' in text and '"accounts":0' in text, "an incident of the installation, nothing of others"
        assert (await visitors["boss"].get("/desk/status/inc_nothing/replies.csv"))[0] == 404


async def test_somebody_chooses_language_and_address(tmp_path: Path) -> None:
    async with town(tmp_path) as made, visited(Told(made)) as (one, _, visitors):
        code, text = await visitors["boss"].post("/desk/status/me", mail="not an address", language="")
        assert code == 422 and "mail address" in text
        assert (await visitors["boss"].post("/desk/status/me", mail="boss@example.org", language="pt-BR"))[0] == 200
        kept = await person(made.store, one.account, "agt_boss")
        assert (kept.mail, kept.language) == ("boss@example.org", "pt-BR") and "boss@" not in repr(kept)
        _, text = await visitors["boss"].get("/desk/status")
        assert '<html lang="pt-BR">' in text and "Status da sua conta" in text
        assert not [d for d in await made.store.documents(one.account, KIND) if d.id != "agt_boss"]


@pytest.mark.parametrize(("asks", "gets"), [("es-MX", "es"), ("pt-PT", "pt-BR"), ("fr", "en")])
async def test_the_help_page_speaks_what_the_browser_asks_for(tmp_path: Path, asks: str, gets: str) -> None:
    async with town(tmp_path) as made, visited(Told(made)) as (_, _, visitors):
        code, text = await visitors["sam"].get("/help/incident", **{"accept-language": asks, "cookie": ""})
        assert code == 200 and f'<html lang="{gets}">' in text
        _, text = await visitors["sam"].get("/help/incident?lang=es", cookie="")
        assert '<html lang="es">' in text and 'hreflang="pt-BR"' in text


async def test_who_has_a_page_open_is_present(tmp_path: Path) -> None:
    async with town(tmp_path) as made, visited(Told(made)) as (one, _, visitors):
        sam = visitors["sam"]
        async with sam._http.get(f"{sam._url}/desk/live", headers=sam._headers) as stream:
            await made.say(one, agent=one.agents[0])
            lines = [await stream.content.readline() for _ in range(6)]
        assert b"event: all\n" in lines
        assert [document.id for document in await made.store.documents(one.account, PRESENCE)] == [one.agents[0]]
