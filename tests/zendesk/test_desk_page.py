"""The desk's own page about Zendesk, and what operators' work does to a link."""

from typing import Any

from yarl import URL

from heliograph.services import desk_happenings, desk_links, rotation
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


async def test_clickthrough_leads_the_signed_in_to_the_comment_and_tells_nobody_else_anything(on_sqlite: Town, monkeypatch: Any) -> None:
    here = on_sqlite
    house = here.house
    comment = await here.contact_writes("hello")
    store, read = house.application.context.store, list[str]()
    # From here on nobody else has a reason to read a comment.
    await house.eventually(lambda: desk_happenings.whereabouts(store, "acc_one", comment.external_id), bool)
    ask = store.comment

    async def counted(account: str, id: str) -> Any:
        read.append(account)
        return await ask(account, id)

    monkeypatch.setattr(type(store), "comment", lambda self, account, id: counted(account, id))
    app = create_app(house.application, vitals=house.vitals, extra=[*desk_routes, zendesk_pages])
    async with serving(app) as url:

        async def clicked(id: str, *, by: str) -> tuple[int, str]:
            """Where a click ends, up to the page itself or the login."""
            headers = {"authorization": f"Bearer {house.tokens[by]}"} if by else {}
            there, code = f"/zendesk/clickthrough?external_id={id}", 0
            while there.startswith(("/zendesk/", "/desk/zendesk/")):
                async with here.client.get(URL(url + there, encoded=True), headers=headers, allow_redirects=False) as answer:
                    there, code = answer.headers.get("location", ""), answer.status
            return code, there

        known, unknown = await clicked(comment.external_id, by=""), await clicked("cmt_0", by="")
        assert known == (303, f"/desk/sign-in?next=/desk/zendesk/comments/{comment.external_id}")
        assert unknown == (303, "/desk/sign-in?next=/desk/zendesk/comments/cmt_0") and read == []
        assert await clicked(comment.external_id, by="read") == (302, f"/desk/tickets/{here.tickets[-1].thread}#{comment.external_id}")
        assert read == ["acc_one"]
        assert await clicked(comment.external_id, by="other") == (404, "")
        for wrong in ("", "cmt_0", "x" * 3000, "%00", "..%2F"):
            assert await clicked(wrong, by="read") == (404, ""), wrong


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
