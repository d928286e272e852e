"""The checks of what an installation holds, against real services and a running release, on PostgreSQL."""

from dataclasses import replace

import msgspec

from heliograph.bootstrap.application import Config
from heliograph.bootstrap.checks.run import run
from heliograph.bootstrap.settings import Settings
from heliograph.domain.gate import Stage
from heliograph.ports import rows
from heliograph.ports.provider import RawRequest
from heliograph.ports.store import Changes
from heliograph.services import configure, quarantine
from heliograph.services.probe import probe
from heliograph.services.verified import VERIFIED, Remembering, Verified
from tests.services.test_releases import KEY, Place, Running, first, place

__all__ = ["place"]


def changed(config: Config, **fields: str) -> Config:
    """The same process with other fields of its shared credential."""
    shared = {"sunshine": {**config.shared["sunshine"], **fields}}
    variables = {
        f"HELIOGRAPH_CREDENTIAL__SUNSHINE__{name.upper()}": value for name, value in shared["sunshine"].items() if name != "provider"
    }
    return replace(config, shared=shared, variables=variables)


async def check(config: Config, *, probes: bool = True) -> dict[str, str]:
    """What is found, by id."""
    return {finding.rule.id: finding.detail for finding in await run(Settings(), config, deploy=False, probes=probes)}


async def admitted(place: Place) -> tuple[Running, str, Config]:
    old, account, _ = await first(place)
    return old, account, old.application.config


async def test_a_running_release_is_in_order_and_differs_from_itself_in_nothing(place: Place) -> None:
    _, _, config = await admitted(place)
    found = await check(config)
    assert {"HG.I040", "HG.I050", "HG.I030", "HG.I070", "HG.I012", "HG.I020"} <= set(found)
    assert not {id for id in found if id[3] != "I"}
    assert "the database server" in found["HG.I012"] and "the provider" in found["HG.I012"]


async def test_which_variables_differ_from_the_release_that_sends_is_told_by_name(place: Place) -> None:
    _, _, config = await admitted(place)
    found = await check(changed(config, webhook_secret="canary-new"), probes=False)
    assert "HELIOGRAPH_CREDENTIAL__SUNSHINE__WEBHOOK_SECRET." in found["HG.I071"] and "KEY_SECRET" not in found["HG.I071"]
    assert "canary" not in str(found)


async def test_a_shared_credential_that_is_wrong_missing_or_silent(place: Place) -> None:
    _, _, config = await admitted(place)
    found = await check(changed(config, key_secret="wrong"))
    assert "bad_credentials" in found["HG.E040"] and "KEY_SECRET" in found["HG.I071"]
    found = await check(replace(config, shared={}, variables={}))
    assert "sunshine" in found["HG.E042"]
    found = await check(replace(config, allow_networks=()))
    assert "HG.O040" in found and "HG.O050" in found and not {id for id in found if id[3] == "E"}
    assert "HELIOGRAPH_ALLOW_NETWORKS does not name it" in found["HG.O050"]


async def test_a_credential_of_somebody_else_is_told_from_a_refused_one(place: Place) -> None:
    old, account, config = await admitted(place)
    store = old.application.context.store
    (channel,) = await store.channels(account)
    credential = await store.credential(account, channel.credential)
    assert credential is not None
    await store.commit(Changes(account, 1, puts=[credential._replace(identity="another app")]))
    assert "wrong_identity" in (await check(config))["HG.E041"]


async def test_an_accounts_own_trouble_is_a_warning_once_it_is_known(place: Place) -> None:
    old, account, config = await admitted(place)
    context = old.application.context
    own = {"base_url": place.sandbox.sunshine_url, "app_id": place.demo.app_id, "key_id": place.demo.key_id, "key_secret": "wrong"}
    spec = old.application.specs["sunshine"]
    # Not yet probed: as far as anybody knows it is well.
    await old.worker.stop()
    channel = await configure.create_channel(context, account, spec, name="Own", config=own, actor="operator")
    assert "HG.E050" in await check(config)
    await probe(context, account, channel)
    found = await check(config)
    assert "HG.W050" in found and "HG.E050" not in found


async def test_webhook_secrets_are_compared_with_what_calls_carry(place: Place) -> None:
    old, account, config = await admitted(place)
    context = old.application.context
    config = changed(config, webhook_secret="right")
    assert "HG.I060" in await check(config, probes=False)
    noted = Verified(context.channels.vault.fingerprint({"webhook_secret": "right"}), 1)
    document = rows.Document("", VERIFIED, "sunshine", 0, 1, msgspec.json.encode(noted).decode())
    await context.store.commit(Changes("", 1, puts=[document]))
    assert "HG.I060" in await check(config, probes=False)
    assert "HG.I060" in await check(changed(config, webhook_secret="new right"), probes=False)
    assert "HG.E060" in await check(changed(config, webhook_secret="new"), probes=False)
    await context.store.commit(Changes(account, 1, puts=[rows.Document(account, quarantine.KIND, "chn_1:1", 1, 1, "{}")]))
    assert "1 webhook calls" in (await check(config, probes=False))["HG.W061"]


async def test_a_release_that_was_refused_is_told_with_its_variable(place: Place) -> None:
    await admitted(place)
    new = await (await place.process("new", secret="wrong")).begin()
    await new.stage(Stage.REFUSED)
    found = await check(new.application.config, probes=False)
    assert "HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET" in found["HG.E070"]


async def test_another_master_key_is_told(place: Place) -> None:
    _, _, config = await admitted(place)
    assert "HG.E031" in await check(replace(config, master_key=b"x" * 32), probes=False)
    assert "HG.I030" in await check(replace(config, master_key=b"x" * 32, old_keys=(KEY,)), probes=False)


async def test_a_release_with_another_webhook_secret_than_calls_carry_is_refused_and_its_calls_are_taken_in_by_the_other(
    place: Place,
) -> None:
    old = await (await place.process("old", webhook_secret="right")).begin()
    account, _ = await place.ticket(old)
    await old.stage(Stage.ADMITTED)
    (channel,) = await old.application.context.store.channels(account)
    event = {
        "id": "event-1", "createdAt": "2026-01-01T00:00:00.000Z", "type": "conversation:message",
        "payload": {
            "conversation": {"id": place.demo.conversation_id, "type": "personal"},
            "message": {
                "id": "m1", "received": "2026-01-01T00:00:00.000Z", "content": {"type": "text", "text": "hello"},
                "author": {"type": "user", "userId": place.demo.user_id, "displayName": "Ada"}, "source": {"type": "whatsapp"},
            },
        },
    }  # fmt: skip
    body = msgspec.json.encode({"app": {"id": place.demo.app_id}, "webhook": {"id": "w", "version": "v2"}, "events": [event]})
    request = RawRequest("POST", f"/hooks/sunshine/{channel.id}", {}, {"x-api-key": "right"}, body)
    connected = await old.application.context.channels.get(account, channel.id)
    assert connected is not None
    await Remembering().verified(old.application.context, connected, request)
    new = await (await place.process("new", webhook_secret="wrong")).begin()
    await new.stage(Stage.REFUSED)
    assert new.keeper.row is not None and new.keeper.row.variable == "HELIOGRAPH_CREDENTIAL__SUNSHINE__WEBHOOK_SECRET"
    # The provider calls the port that both listen on, and the new one answers.
    theirs = await new.application.context.channels.get(account, channel.id)
    assert theirs is not None and await quarantine.Quarantine().keep(new.application.context, theirs, request)
    for application in (new.application, old.application):
        await quarantine.Quarantine().step(application.context)
    assert [comment.author_kind for comment in await old.application.context.store.comments(account, "tkt_first")] == ["contact"]
    assert await old.application.context.store.documents_measured(quarantine.KIND) == []
