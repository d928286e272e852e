"""The desk's own page about Zendesk, and what operators' work does to a link."""

from typing import Any

from heliograph.services import desk_links, rotation
from heliograph.storage.vault import AesVault
from heliograph.web.app import create_app
from heliograph.web.workspace.routes import routes as desk_routes
from heliograph.web.zendesk.desk import zendesk_pages
from tests.web.installation import serving
from tests.zendesk.town import Town


async def page(here: Town, method: str, path: str, *, by: str) -> tuple[int, str]:
    """With the pages mounted, as the command line mounts them."""
    house = here.house
    app = create_app(house.application, vitals=house.vitals, extra=[zendesk_pages])
    headers = {"authorization": f"Bearer {house.tokens[by]}"}
    async with serving(app) as url, here.client.request(method, url + path, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_an_admin_finds_the_manifest_and_how_it_stands(on_sqlite: Town) -> None:
    here = on_sqlite
    code, text = await page(here, "GET", "/desk/zendesk", by="admin")
    assert code == 200 and f"{here.service}/manifest.json" in text and "Connected." in text
    here.zendesk.revoke(here.instance.push_id, revoked=True)
    await here.house.contact_writes("hello")
    await here.eventually("desk_stopped")
    assert "does not accept our token" in (await page(here, "GET", "/desk/zendesk", by="admin"))[1]
    assert (await page(here, "GET", "/desk/zendesk", by="write"))[0] == 403
    code, text = await page(here, "GET", "/desk/zendesk", by="other")
    assert code == 200 and here.house.channel not in text


async def test_the_apps_token_is_shown_once_and_to_admins_of_the_account(on_sqlite: Town) -> None:
    here = on_sqlite
    path = f"/desk/zendesk/{here.house.channel}/token"
    code, text = await page(here, "POST", path, by="admin")
    assert code == 200 and "hgz_" in text
    assert "hgz_" not in (await page(here, "GET", "/desk/zendesk", by="admin"))[1]
    assert (await page(here, "POST", path, by="other"))[0] == 404
    assert (await page(here, "POST", path, by="write"))[0] == 403


async def test_the_token_is_sealed_anew_when_the_master_key_is_exchanged(on_sqlite: Town, monkeypatch: Any) -> None:
    here = on_sqlite
    context = here.house.application.context
    old = context.channels.vault
    context.channels.vault = AesVault(b"n" * 32, [b"k" * 32], prints=old.prints)
    turned = await rotation.rotate(context)
    assert turned.broken == 0
    assert {each.key for each in await rotation.survey(context) if each.kind == "zendesk"} == {context.channels.vault.key_id}
    context.channels.vault = AesVault(b"n" * 32, prints=old.prints)
    linked = await desk_links.find(context.store, "acc_one", here.house.channel)
    assert linked is not None and await desk_links.open_door(context, linked) is not None
    await here.contact_writes("after")
    here.reply("answered")
    await here.until(lambda: "answered" in here.received())


async def test_a_broken_connection_is_seen_on_every_page(on_sqlite: Town) -> None:
    here = on_sqlite
    house = here.house
    app = create_app(house.application, vitals=house.vitals, extra=[*desk_routes, zendesk_pages])
    async with serving(app) as url:

        async def health(by: str) -> str:
            async with here.client.get(f"{url}/desk/health", headers={"authorization": f"Bearer {house.tokens[by]}"}) as answer:
                return await answer.text()

        assert "connection broken" not in await health("read")
        here.zendesk.revoke(here.instance.push_id, revoked=True)
        await house.contact_writes("hello")
        await here.eventually("desk_stopped")
        assert "Zendesk: connection broken" in await health("read")
        assert "connection broken" not in await health("other")
