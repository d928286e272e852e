"""A demonstration without login lets this machine's visitor in, and nobody's page from elsewhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from litestar import get, post
from litestar.testing import AsyncTestClient

from heliograph.bootstrap.application import Config, build
from heliograph.bootstrap.metrics import Metrics
from heliograph.web.app import create_app
from heliograph.web.policy import API, Need
from heliograph.web.vitals import Vitals
from tests.web.installation import House, house


@pytest_asyncio.fixture
async def demo(tmp_path: Path) -> AsyncIterator[House]:
    """A house whose door is open."""
    async with house(tmp_path, open_access=True) as made:
        yield made


async def test_everybody_here_is_the_demo_agent(demo: House) -> None:
    code, me = await demo.call("GET", f"{API}/me", by="")
    assert code == 200 and me["agent"]["id"] == "agt_one" and me["scopes"] == ["read", "write", "admin"]
    assert (await demo.call("GET", f"{API}/me", by="other"))[1]["account"] == "acc_two"


async def test_a_foreign_page_reaches_nothing(demo: House) -> None:
    await demo.contact_writes("hello")
    path = f"{API}/tickets/{(await demo.ticket())['id']}/solve"
    assert (await demo.send("POST", path, by="", sec_fetch_site="cross-site")).code == 403
    assert (await demo.send("POST", path, by="", origin="https://evil.example")).code == 403
    assert (await demo.send("GET", f"{API}/tickets", by="", host="rebound.example")).code == 403
    assert (await demo.send("POST", path, by="", sec_fetch_site="same-origin")).code == 200


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic eDp5", "nonsense"])
async def test_a_wrong_token_is_not_let_in_as_the_demo_agent(demo: House, authorization: str) -> None:
    assert (await demo.send("GET", f"{API}/me", by="", authorization=authorization)).code == 401


async def test_a_page_that_names_no_need_is_refused_and_one_that_does_is_guarded(tmp_path: Path) -> None:
    @get("/nameless", sync_to_thread=False)
    def nameless() -> str:
        return "in"

    @get("/page", opt={"need": Need.READ}, sync_to_thread=False)
    def page() -> str:
        return "in"

    @get("/login", opt={"need": Need.ANYBODY}, sync_to_thread=False)
    def login() -> str:
        return "in"

    @post("/sign-in", opt={"need": Need.OPEN}, sync_to_thread=False)
    def sign_in() -> str:
        return "in"

    application = await build(Config(tmp_path, b"k" * 32))
    try:
        app = create_app(application, vitals=Vitals(Metrics(application.context.clock.now)), extra=[nameless, page, login, sign_in])
        async with AsyncTestClient(app) as client:
            codes = [(await client.get(path)).status_code for path in ("/nameless", "/page", "/login")]
            forged = await client.post("/sign-in", headers={"origin": "https://evil.example"})
            own = await client.post("/sign-in", headers={"sec-fetch-site": "same-origin"})
        assert (forged.status_code, own.status_code) == (403, 201)
        assert codes == [404, 401, 200]
    finally:
        await application.close()
