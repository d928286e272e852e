"""The banner while no release may send: everybody is told that replies wait, and only admins what is wrong with which release."""

from aiohttp import ClientSession

from heliograph.domain.gate import Basis, Finding, Verdict
from heliograph.services import releases
from heliograph.services.releases import Identity
from heliograph.web.app import create_app
from heliograph.web.workspace.routes import routes
from tests.web.installation import House, serving

VARIABLE = "HELIOGRAPH_MASTER_KEY"


async def banner(here: House, url: str, by: str) -> str:
    headers = {"cookie": f"heliograph_token={here.tokens[by]}", "sec-fetch-site": "same-origin"}
    async with ClientSession() as http, http.get(f"{url}/desk/sending", headers=headers) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_it_shows_while_no_release_that_runs_may_send_and_only_admins_see_the_variable(here: House) -> None:
    context = here.application.context
    one = Identity("rel_1", "1.0", "f", {VARIABLE: "x"}, {})
    app = create_app(here.application, vitals=here.vitals, extra=routes)
    async with serving(app) as url:
        assert "on hold" not in await banner(here, url, "admin")
        await releases.register(context, one)
        await releases.beat(context, "p", one, "h", context.clock.now())
        await releases.conclude(context, one.id, Verdict(Finding.REFUSE, Basis.LOCAL_FAULT, "master_key", "sealed"))
        of_agent, of_admin = await banner(here, url, "write"), await banner(here, url, "admin")
        assert "Sending is on hold" in of_agent and "Sending is on hold" in of_admin
        assert VARIABLE in of_admin and "rel_1" in of_admin
        assert VARIABLE not in of_agent and "rel_1" not in of_agent
        await releases.force(context, one.id, reason="it is right", actor="operator")
        assert "on hold" not in await banner(here, url, "admin")
