"""Who links a channel: an admin of its account, who came from a Zendesk, within the hour, and nobody else."""

import json
import re
from typing import Any

import pytest

from heliograph.sandbox.zendesk import integrations
from heliograph.web.zendesk import visits
from tests.zendesk.town import Town, browse, step


async def came(here: Town) -> tuple[str, dict[str, str]]:
    """What Zendesk sends its admin's browser with."""
    integration = integrations.register(here.zendesk.center, f"{here.service}/manifest.json")
    await here.until(lambda: integration.manifest)
    return integrations.begin(here.zendesk.center, integration, locale="en-US")


async def test_nobody_but_an_admin_goes_on(on_sqlite: Town) -> None:
    here = on_sqlite
    address, fields = await came(here)
    page = await browse(here, address, fields)
    for token in ("", "nonsense", here.house.tokens["read"], here.house.tokens["write"], "hgt_" + "0" * 40):
        refused = await browse(here, *step(here, page, token=token), code=422)
        assert "hgt_" in refused and "<select" not in refused


async def test_an_admin_sees_channels_of_their_own_account_only(on_sqlite: Town) -> None:
    here = on_sqlite
    address, fields = await came(here)
    page = await browse(here, *step(here, await browse(here, address, fields), token=here.house.tokens["other"]))
    assert here.house.channel not in page
    address, fields = await came(here)
    page = await browse(here, *step(here, await browse(here, address, fields), token=here.house.tokens["admin"]))
    again = await browse(here, *step(here, page, channel="chn_of_somebody_else", name="x"))
    assert "<select" in again


@pytest.mark.parametrize(
    "change",
    [
        {"return_url": "https://evil.example/x"}, {"return_url": "https://sandbox.zendesk.com.evil.example/x"}, {"return_url": ""},
        {"return_url": "https://sandbox.zendesk.com@evil.example/"}, {"return_url": "http://sandbox.zendesk.com/"},
        {"return_url": "javascript:alert(1)"}, {"return_url": "https://other.zendesk.com/x"}, {"return_url": "https://sandbox.zendesk.com:444/"},
        {"return_url": "http://127.0.0.1:99999/"}, {"return_url": "//127.0.0.1/"}, {"subdomain": "a.b"}, {"subdomain": ""},
        {"zendesk_access_token": ""}, {"instance_push_id": ""}, {"zendesk_access_token": "a b"},
    ],
)  # fmt: skip
async def test_a_visit_from_elsewhere_is_refused(on_sqlite: Town, change: dict[str, str]) -> None:
    address, fields = await came(on_sqlite)
    await browse(on_sqlite, address, fields | change, code=400)


async def test_what_goes_along_cannot_be_changed_and_ends(on_sqlite: Town, monkeypatch: Any) -> None:
    here = on_sqlite
    address, fields = await came(here)
    page = await browse(here, address, fields)
    action, inside = step(here, page, token=here.house.tokens["admin"])
    for setup in ("", "x", inside["setup"][:-8] + "AAAAAAA=", inside["setup"][9:]):
        await browse(here, action, inside | {"setup": setup}, code=400)
    monkeypatch.setattr(visits, "LIFE", -1)
    page = await browse(here, address, fields)
    await browse(here, *step(here, page, token=here.house.tokens["admin"]), code=400)


async def test_the_page_stands_in_zendesks_frame_only_and_leads_back_there_only(on_sqlite: Town) -> None:
    here = on_sqlite
    address, fields = await came(here)
    async with here.client.post(address, data=fields) as answer:
        policy = answer.headers["content-security-policy"]
        assert f"frame-ancestors {here.house.sandbox.url}" in policy
        assert re.search(rf"form-action 'self' {re.escape(here.house.sandbox.url)};", policy)
        assert "x-frame-options" not in answer.headers and "set-cookie" not in answer.headers


async def test_the_account_is_edited_by_the_same_way_and_the_old_secret_lives_on_for_a_while(here: Town) -> None:
    await here.contact_writes("hello")
    old = here.instance.metadata
    address, fields = integrations.begin(here.zendesk.center, here.instance.integration, locale="es", instance=here.instance)
    page = await browse(here, *step(here, await browse(here, address, fields), token=here.house.tokens["admin"]))
    assert "selected" in page
    await browse(here, *step(here, await browse(here, *step(here, page, channel=here.house.channel, name="Shop"))))
    assert here.instance.metadata != old
    thread = here.tickets[-1].thread
    for metadata in (old, here.instance.metadata):
        form = here.form(message="hi", thread_id=thread, request_unique_identifier=metadata[-9:], metadata=metadata)
        assert (await here.post("channelback", form))[0] == 200
    await here.contact_writes("still here")


async def test_the_manifest_needs_the_key_and_names_whole_addresses(on_sqlite: Town) -> None:
    here = on_sqlite
    code, manifest = await here.house.call("GET", here.service.removeprefix(here.house.url) + "/manifest.json", by="")
    assert code == 200 and manifest["channelback_files"] is True
    assert all(url.startswith(here.house.url) for url in manifest["urls"].values())
    assert (await here.house.call("GET", "/zendesk/service/wrong/manifest.json", by=""))[0] == 404
    answer = await here.house.send("GET", "/zendesk/health", by="")
    assert (answer.code, answer.body) == (200, b"OK")


async def test_secrets_of_zendesk_are_in_no_log_and_not_in_the_store(on_sqlite: Town, capfd: Any) -> None:
    here = on_sqlite
    here.zendesk.revoke(here.instance.push_id, revoked=True)
    await here.house.contact_writes("hello")
    await here.eventually("desk_stopped")
    here.zendesk.revoke(here.instance.push_id, revoked=False)
    await here.contact_writes("more")
    secret = json.loads(here.instance.metadata)["secret"]
    said = json.dumps(here.house.observed) + "".join(capfd.readouterr())
    store = b"".join(path.read_bytes() for path in here.house.application.config.data.rglob("*") if path.is_file())
    for canary in (here.instance.token, secret, "/instances/return/"):
        assert canary not in said and canary.encode() not in store
    assert here.instance.push_id.encode() in store
