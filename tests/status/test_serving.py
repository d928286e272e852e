"""The server and the static copy say the same, to everybody, in each language; what changes something asks who it is."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import ClientSession

from heliograph.bootstrap.metrics import Metrics
from heliograph.ports.store import Unavailable
from heliograph.services import configure, postmortems, remarks, status_page, tokens
from heliograph.web.app import create_app
from heliograph.web.operator.postmortem import story_routes
from heliograph.web.problems import Refused
from heliograph.web.status.live import Live
from heliograph.web.status.pages import status_routes
from heliograph.web.status.publishing import Publishing, place
from heliograph.web.status.site import draw, paths
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.routes import routes
from tests.status.square import Square, parts, square
from tests.status.test_api import served
from tests.web.installation import serving

LANGUAGES = ("en", "es", "pt-BR")


@dataclass
class Site:
    """A served square."""

    here: Square
    live: Live
    url: str
    http: ClientSession
    token: str

    async def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        async with self.http.get(self.url + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, (await answer.read()).decode(), {name.lower(): value for name, value in answer.headers.items()}

    async def post(self, path: str, data: Any, **headers: str) -> tuple[int, str, dict[str, str]]:
        async with self.http.post(self.url + path, data=data, headers=headers, allow_redirects=False) as answer:
            return answer.status, (await answer.read()).decode(), {name.lower(): value for name, value in answer.headers.items()}

    @property
    def signed(self) -> dict[str, str]:
        return {"cookie": f"heliograph_token={self.token}", "origin": self.url}


def guard(request: Any) -> tuple[str, str]:
    """Operators are who say so: how they prove it is tested elsewhere."""
    if request.headers.get("x-operator") != "yes":
        raise Refused(403, "Only operators.")
    return "operator", "Olga"


@contextlib.asynccontextmanager
async def site(folder: Path, *, database: str = "") -> AsyncIterator[Site]:
    async with square(folder, database=database) as here:
        application = here.town.application
        live = Live(here.town.context, here.outlets)
        app = create_app(
            application, vitals=Vitals(Metrics(here.town.clock.now)), extra=[*routes, *status_routes(live), *story_routes(live, guard)]
        )
        home = here.town.homes[0]
        text = tokens.new_text(here.town.context.rng)
        await configure.issue_token(here.town.context, home.account, "t", scopes="write", agent=home.agents[0], secret=text, actor="o")
        async with serving(app) as url, ClientSession() as http:
            yield Site(here, live, url, http, text)


async def told(made: Site) -> str:
    """A whole story; returns the incident's id."""
    here = made.here
    case = await here.trouble()
    id = case.incident.id
    home = here.town.homes[0]
    await remarks.remark(here.town.context, id, account=home.account, agent=home.agents[0], name="Sam", text="Thanks")
    await here.recovery()
    for section in ("summary", "cause"):
        await postmortems.write_section(here.town.context, id, section, "So it was.", locale="en", author="Olga", actor="operator")
    await postmortems.publish(here.town.context, id, actor="operator")
    await here.run(31)
    here.town.clock.at += 2_000_000
    return id


async def test_the_static_copy_is_what_the_server_serves(tmp_path: Path, database: str) -> None:
    async with site(tmp_path / "town", database=database) as made:
        id = await told(made)
        publishing = Publishing(made.here.town.context, made.live, tmp_path / "site")
        assert await publishing.round() and not await publishing.round()
        board = await made.live.board()
        addresses = list(paths(board))
        assert f"/status/pt-br/incidents/{id}/postmortem" in addresses
        with served(tmp_path / "site") as static:
            for address in addresses:
                code, live_text, _ = await made.get(address)
                async with made.http.get(static + address) as copy:
                    assert (code, copy.status) == (200, 200), address
                    assert (await copy.read()).decode() == live_text, address
    # The connector is gone by now; the page stays.
    with served(tmp_path / "site") as static:
        async with ClientSession() as http, http.get(f"{static}/status/es/incidents/{id}") as copy:
            assert copy.status == 200 and "Resuelto" in await copy.text()


async def test_every_link_of_the_static_copy_leads_somewhere(tmp_path: Path) -> None:
    async with site(tmp_path / "town") as made:
        await told(made)
        board = await made.live.board()
        files = {address: draw(board, address) for address in paths(board)}
        for address, file in files.items():
            assert file is not None
            if not file.media_type.startswith("text/html"):
                continue
            page = file.body.decode()
            for link in re.findall(r'(?:href|src)="([^"]+)"', page):
                target = link.removeprefix(made.here.outlets.url).partition("#")[0].partition("?")[0]
                dynamic = target.endswith(("/follow", "/discuss", "/help"))
                assert not target or dynamic or target in files, (address, link)
            for fragment in re.findall(r'href="#([^"]+)"', page):
                assert f'id="{fragment}"' in page, (address, fragment)


async def test_a_page_that_is_not_public_any_more_leaves_the_copy(tmp_path: Path) -> None:
    async with site(tmp_path / "town") as made:
        await told(made)
        folder = tmp_path / "site"
        publishing = Publishing(made.here.town.context, made.live, folder)
        await publishing.round()
        foreign = folder / "notes.txt"
        foreign.write_text("mine")
        stray = folder / "status" / "en" / "incidents" / "inc_gone" / "index.html"
        stray.parent.mkdir(parents=True)
        stray.write_text("old")
        made.here.town.clock.at += 301_000_000
        assert await publishing.round()
        assert foreign.exists() and not stray.exists()
        assert not [file for file in folder.rglob("*.new")]


async def test_a_full_disk_is_noted_and_tried_again(tmp_path: Path) -> None:
    async with site(tmp_path / "town") as made:
        blocked = tmp_path / "file"
        blocked.write_text("not a folder")
        seen: list[str] = []
        made.here.town.context.observe = lambda name, fields: seen.append(name)
        publishing = Publishing(made.here.town.context, made.live, blocked)
        assert not await publishing.round() and not await publishing.round()
        assert seen == ["status_export_failed"] * 2
        blocked.unlink()
        assert await publishing.round()


async def test_it_is_cacheable_and_open_to_every_site(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        for path in ("/status", "/status/es", "/status/api/v2/summary.json", "/status/en/feed.atom"):
            code, _, headers = await made.get(path, origin="https://elsewhere.example")
            assert code == 200 and headers["access-control-allow-origin"] == "*" and "public" in headers["cache-control"], path
            assert "set-cookie" not in headers and "vary" not in headers
            code, body, again = await made.get(path, **{"if-none-match": f'W/"x", {headers["etag"]}'})
            assert (code, body, again["etag"]) == (304, "", headers["etag"])
        _, _, before = await made.get("/status/api/v2/summary.json")
        await made.here.trouble()
        made.here.town.clock.at += 2_000_000
        _, text, after = await made.get("/status/api/v2/summary.json", **{"if-none-match": before["etag"]})
        assert before["etag"] != after["etag"] and '"critical"' in text


async def test_each_language_has_its_address_and_names_the_others(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        id = await told(made)
        for end in ("", "/history", f"/incidents/{id}", f"/incidents/{id}/postmortem"):
            for tag in LANGUAGES:
                _, page, _ = await made.get(f"/status/{tag.lower()}{end}")
                assert f'<html lang="{tag}">' in page
                named = dict(re.findall(r'rel="alternate" hreflang="([^"]+)" href="([^"]+)"', page))
                assert set(named) == {*LANGUAGES, "x-default"}
                assert all(named[each] == f"{made.here.outlets.url}/status/{each.lower()}{end}" for each in LANGUAGES)
        for path in ("/status", f"/status/incidents/{id}", f"/status/incidents/{id}/postmortem"):
            _, page, _ = await made.get(path)
            for tag in LANGUAGES:
                assert f'href="#{tag.lower()}"' in page and f'id="{tag.lower()}" lang="{tag}"' in page
        for wanted, given in (("pt", "pt-br"), ("pt-PT", "pt-br"), ("ES", "es")):
            code, _, headers = await made.get(f"/status/{wanted}/incidents/{id}")
            assert (code, headers["location"]) == (301, f"/status/{given}/incidents/{id}")
        for nowhere in ("/status/de", "/status/en/incidents/inc_none", "/status/en/incidents/x%27y", "/status/assets/pages.py"):
            assert (await made.get(nowhere))[0] == 404, nowhere


async def test_numerals_are_the_same_in_all_languages(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        id = await told(made)
        for end in (f"/incidents/{id}", f"/incidents/{id}/postmortem"):
            counts = []
            for tag in LANGUAGES:
                _, page, _ = await made.get(f"/status/{tag.lower()}{end}")
                counts.append((re.findall(r"<dd>([\d.,]+)</dd>", page), sorted(re.findall(r'datetime="([^"]+)"', page))))
            assert counts[0] == counts[1] == counts[2] and counts[0][0]


async def test_feeds_hold_incidents_and_updates(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        id = await told(made)
        atom = "{http://www.w3.org/2005/Atom}"
        for tag in LANGUAGES:
            _, text, headers = await made.get(f"/status/{tag.lower()}/feed.atom")
            assert headers["content-type"].startswith("application/atom+xml")
            root = ElementTree.fromstring(text)
            entries = root.findall(f"{atom}entry")
            ids = [entry.findtext(f"{atom}id") for entry in entries]
            assert len(entries) == 5 and len(set(ids)) == 5, "the incident, three phases and the post-mortem"
            assert root.find(f"{atom}author") is not None
            updated = [entry.findtext(f"{atom}updated") or "" for entry in entries]
            assert updated == sorted(updated, reverse=True)
            assert any(id in (link.get("href") or "") for entry in entries for link in entry.findall(f"{atom}link"))


async def test_what_xml_has_no_place_for_does_not_stop_feed_and_copy(tmp_path: Path) -> None:
    async with site(tmp_path / "town") as made:
        case = await made.here.trouble()
        text = "One page\x0c, the next\x1b[0m\ufffe\U0001f44d"
        await status_page.write_note(made.here.town.context, case.incident.id, text, locale="en", actor="operator")
        made.live.forget()
        code, feed, _ = await made.get("/status/en/feed.atom")
        assert code == 200 and "One page, the next[0m\U0001f44d" in "".join(ElementTree.fromstring(feed).itertext())
        assert await Publishing(made.here.town.context, made.live, tmp_path / "site").round()


async def test_an_asset_is_not_kept_under_the_address_of_another_version(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        _, page, _ = await made.get("/status")
        own = re.findall(r'="(/status/assets/[^"]+)"', page)
        assert len(own) == 3
        for address in own:
            assert "immutable" in (await made.get(address))[2]["cache-control"], address
            other = address.partition("?")[0] + "?v=0123456789ab"
            assert "immutable" not in (await made.get(other))[2]["cache-control"], other


async def test_comments_ask_who_it_is(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        case = await made.here.trouble()
        there = f"/status/en/incidents/{case.incident.id}/discuss"
        code, _, headers = await made.get(there)
        assert code == 303 and headers["location"] == f"/desk/sign-in?next={there}"
        code, _, _ = await made.post(there, {"text": "hello"})
        assert code == 303 and not (await made.here.case()).remarks
        code, _, _ = await made.post(there, {"text": "hello"}, cookie=made.signed["cookie"], origin="https://evil.example")
        assert code in (303, 403) and not (await made.here.case()).remarks
        code, page, _ = await made.get(there, cookie=made.signed["cookie"])
        assert code == 200 and "no-store" in (await made.get(there, cookie=made.signed["cookie"]))[2]["cache-control"]
        code, _, headers = await made.post(there, {"name": " Sam ", "text": "We <b>see</b> it."}, **made.signed)
        assert (code, headers["location"]) == (303, f"/status/en/incidents/{case.incident.id}")
        [remark] = (await made.here.case()).remarks
        assert (remark.name, remark.text) == ("Sam", "We <b>see</b> it.")
        code, page, _ = await made.post(there, {"text": ""}, **made.signed)
        assert code == 422 and 'role="alert"' in page
        code, page, _ = await made.post(there.replace("discuss", "help"), {"text": "Help us"}, **made.signed)
        assert code == 200 and "1" in page
        [asked] = await remarks.requests(made.here.town.context)
        assert asked.incident == case.incident.id


async def test_following_and_one_click_out_over_http(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        here = made.here
        assert 'name="address"' in (await made.get("/status/es/follow"))[1]
        code, page, _ = await made.post("/status/es/follow", {"address": "ada@example.org"})
        first = page
        assert code == 200 and len(here.post.sent) == 1
        assert (await made.post("/status/es/follow", {"address": "ada@example.org"}))[1] == first, "it does not say who follows"
        assert (await made.post("/status/es/follow", {"address": "nonsense"}))[0] == 422
        link = here.link(here.post.sent[0], "confirm").removeprefix(here.outlets.url)
        follower, token = parts(link)
        code, page, _ = await made.get(link)
        assert code == 200 and 'method="post"' in page and 'lang="es"' in page
        await here.trouble()
        assert await here.tell() == 0, "to look is not to confirm"
        assert (await made.post(link, {}))[0] == 200
        await here.recovery()
        assert await here.tell() == 1
        out = here.post.sent[-1].headers["List-Unsubscribe"].strip("<>").removeprefix(here.outlets.url)
        assert (await made.get(out))[0] == 200
        # As a mail program does it: no cookie, no origin, this very body.
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert (await made.post(out.replace(token, "hgt_x"), "List-Unsubscribe=One-Click", **kind))[0] == 200
        assert len(await here.town.store.documents("", "follower")) == 1
        assert (await made.post(out, "List-Unsubscribe=One-Click", **kind))[0] == 200
        assert await here.town.store.documents("", "follower") == []
        assert (await made.post(out, "List-Unsubscribe=One-Click", **kind))[0] == 200
        assert (await made.get(f"/status/followers/{follower}/confirm?token={token}"))[0] == 404


async def test_the_last_known_page_is_told_while_the_store_is_away(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        await made.here.trouble()
        made.here.town.clock.at += 2_000_000
        _, before, _ = await made.get("/status/en")

        async def gone(*_: object, **__: object) -> Any:
            raise Unavailable

        made.here.town.context.store.documents = gone  # type: ignore[method-assign]
        made.here.town.clock.at += 2_000_000
        code, after, _ = await made.get("/status/en")
        assert (code, after) == (200, before)
        with pytest.raises(Unavailable):
            await Live(made.here.town.context, made.here.outlets).board()


async def test_many_who_ask_at_once_cost_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(tmp_path) as made:
        await made.here.trouble()
        looks = 0
        store = made.here.town.context.store
        documents = store.documents

        async def counted(account: str, kind: str) -> Any:
            nonlocal looks
            looks += kind == "announcement"
            await asyncio.sleep(0)
            return await documents(account, kind)

        monkeypatch.setattr(store, "documents", counted)
        for _ in range(2):
            made.here.town.clock.at += 2_000_000
            looks = 0
            boards = await asyncio.gather(*(made.live.board() for _ in range(40)))
            assert looks == 1 and len({board.at for board in boards}) == 1


async def test_a_running_copy_follows_by_itself(tmp_path: Path) -> None:
    async with site(tmp_path / "town") as made:
        publishing = Publishing(made.here.town.context, made.live, tmp_path / "site")
        publishing.start()
        front = tmp_path / "site" / place("/status/en", "text/html")
        try:
            async with asyncio.timeout(20):
                while not front.exists():
                    await asyncio.sleep(0.02)
            calm = front.read_text()
            await made.here.trouble()
        finally:
            await publishing.stop()
        assert front.read_text() != calm and "Replies do not go out" in front.read_text()
