"""Operators' pages and API: for operators only, and every act through them is on record."""

from pathlib import Path

import pytest

from heliograph.domain.incident import Incident
from heliograph.services import operators, statements
from heliograph.web.auth import OpenAccess
from tests.incidents.serving import Served, served
from tests.incidents.test_operators import asking, shaken
from tests.incidents.town import town

API = "/operator/api"


async def form(there: Served, incident: Incident, **fields: str) -> tuple[int, str]:
    """A form of the page, as a signed-in browser sends it."""
    headers = {"cookie": f"heliograph_operator={there.token}", "origin": there.url}
    url = f"{there.url}/operator/incidents/{incident.id}"
    async with there.session.post(url, data=fields, headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("location", "")


async def test_nobody_else_comes_in(tmp_path: Path) -> None:
    async with town(tmp_path) as made, served(made) as there:
        incident = await shaken(made)
        for path in (f"{API}/incidents", f"{API}/incidents/{incident.id}/impact"):
            assert (await there.call("GET", path, authorization=""))[0] == 401
            assert (await there.call("GET", path, authorization="Bearer hgt_wrong"))[0] == 401
        code, _ = await there.call("GET", f"/operator/incidents/{incident.id}", authorization="")
        assert code == 303
        [token] = await operators.listed(made.store)
        await operators.revoke(made.context, token.id)
        assert (await there.call("GET", f"{API}/incidents"))[0] == 401


async def test_another_site_s_page_can_do_nothing(tmp_path: Path) -> None:
    async with town(tmp_path) as made, served(made) as there:
        incident = await shaken(made)
        headers = {"cookie": f"heliograph_operator={there.token}", "origin": "https://elsewhere.example"}
        url = f"{there.url}/operator/incidents/{incident.id}"
        async with there.session.post(url, data={"act": "acknowledge"}, headers=headers) as answer:
            assert answer.status == 403
        assert not (await made.incidents())[0].acknowledged_at


async def test_a_demonstration_lets_everybody_in_at_its_own_address(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        access = OpenAccess(made.homes[0].account, made.homes[0].agents[0])
        async with served(made, open_access=access) as there:
            code, _ = await there.call("GET", f"{API}/incidents", authorization="")
            assert code == 200
            headers = {"host": "elsewhere.example"}
            async with there.session.get(f"{there.url}{API}/incidents", headers=headers) as answer:
                assert answer.status == 403


async def test_the_api_tells_an_incident_and_acts_on_it(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made, served(made) as there:
        incident = await shaken(made)
        _, listed = await there.call("GET", f"{API}/incidents")
        assert [one["id"] for one in listed["items"]] == [incident.id]
        _, impact = await there.call("GET", f"{API}/incidents/{incident.id}/impact")
        assert impact["facts"]["replies"] == len(impact["affected"]) == 6 and len(impact["accounts"]) == 3
        assert {one["delivery"] for one in impact["affected"]} == made.late()
        code, _ = await there.call("POST", f"{API}/incidents/{incident.id}/acknowledge")
        assert code == 200
        await there.call("POST", f"{API}/incidents/{incident.id}/notes", {"text": "calling them"})
        code, _ = await there.call("POST", f"{API}/incidents/{incident.id}/correct", {"name": "severity", "new": "major"})
        assert code == 200
        assert (await there.call("POST", f"{API}/incidents/{incident.id}/correct", {"name": "severity", "new": "x"}))[0] == 422
        assert (await there.call("GET", f"{API}/incidents/inc_none"))[0] == 404
        _, told = await there.call("GET", f"{API}/incidents/{incident.id}")
        assert told["incident"]["severity"] == "major" and told["incident"]["acknowledged_at"]
        assert [event["text"] for event in told["events"] if event["kind"] == "incident_annotated"] == ["calling them"]
        assert {event["actor"] for event in told["events"]} > {"system"}
        await asking(made)
        _, drain = await there.call("GET", f"{API}/incidents/{incident.id}/drain")
        assert drain["questions"] == {"overtaken": 6}
        _, done = await there.call("POST", f"{API}/incidents/{incident.id}/decide", {"decision": "cancel", "limit": 5})
        assert len(done["done"]) == 5 and done["following"]


async def test_everything_that_was_written_is_somewhere(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made, served(made) as there:
        account = made.homes[0].account
        await made.say(made.homes[0])
        await made.run(1)
        await shaken(made)
        _, told = await there.call("GET", f"{API}/accounts/{account}/statement")
        now = told["now"]
        assert (now["written"], now["delivered"], now["waiting"], now["unaccounted"]) == (3, 1, 2, 0)
        assert (now["written_today"], now["settled_today"]) == (3, 1)


@pytest.mark.parametrize(
    "act",
    [{"act": "acknowledge"}, {"act": "note", "text": "x"}, {"act": "correct", "severity": "minor", "onset_at": "2027-01-15T07:00:00"}],
)
async def test_a_form_is_an_act_and_leads_back(tmp_path: Path, act: dict[str, str]) -> None:
    async with town(tmp_path) as made, served(made) as there:
        incident = await shaken(made)
        code, location = await form(there, incident, **act)
        assert code == 303 and location.startswith(f"/operator/incidents/{incident.id}?said=")
        [after] = await made.incidents()
        assert after.version > incident.version


async def asked_page(there: Served, incident: Incident) -> str:
    _, html = await there.call("GET", f"/operator/incidents/{incident.id}")
    return str(html)


async def test_the_page_shows_counts_accounts_and_the_ledger(tmp_path: Path) -> None:
    async with town(tmp_path) as made, served(made) as there:
        incident = await shaken(made)
        html = await asked_page(there, incident)
        for words in ("Account 0", "Account 2", "Incident 1 was opened.", "bad credentials", "identified", "critical"):
            assert words in html
        _, table = await there.call("GET", f"/operator/incidents/{incident.id}/impact.csv")
        assert len(table.strip().splitlines()) == 7
        _, listing = await there.call("GET", "/operator")
        assert incident.id in listing and "nobody has it in hand" in listing


async def test_each_day_is_written_down_once(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, accounts=2) as made:
        account = made.homes[0].account
        assert await statements.reconcile(made.context) == 0
        await made.say(made.homes[0])
        await made.run(1)
        made.clock.at += statements.DAY
        assert await statements.reconcile(made.context) == 2
        assert await statements.reconcile(made.context) == 0
        [told] = await statements.kept(made.store, account)
        assert (told.written, told.delivered, told.unaccounted, told.written_today) == (1, 1, 0, 1)
        assert told.day % statements.DAY == 0 and told.day <= made.said[0].at < told.day + statements.DAY
