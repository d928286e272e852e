"""What a link's secret proves: replies of its own link only, for as long as Zendesk has the link, and whichever one Zendesk still has."""

import json
from typing import Any

from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Upload
from heliograph.sandbox.zendesk import integrations
from heliograph.services import desk_links
from tests.zendesk.test_happenings import happening, told
from tests.zendesk.test_pushing import PNG, act
from tests.zendesk.test_replies import thread, written
from tests.zendesk.town import Town, browse, link, step


async def second_account(here: Town) -> Any:
    """The other account's channel, joined with an integration account of its own."""
    config = {"token": here.house.demo.bot_token, "base_url": here.house.sandbox.telegram_url}
    body = {"provider": "telegram", "name": "Other", "config": config}
    code, other = await here.house.call("POST", "/api/v1/channels", body, by="other")
    assert code in (200, 201), other
    return await link(here, token=here.house.tokens["other"], channel=other["id"])


async def reply(here: Town, metadata: str, ticket: str, id: str, text: str = "hi") -> tuple[int, Any]:
    return await here.post("channelback", here.form(message=text, thread_id=ticket, request_unique_identifier=id, metadata=metadata))


async def linked(here: Town) -> desk_links.Link:
    found = await desk_links.find(here.house.application.context.store, "acc_one", here.house.channel)
    assert found is not None
    return found.link


async def edited(here: Town, *, come_back: bool) -> None:
    """An admin opens the account in Zendesk and saves it again, or goes away from the last page."""
    address, fields = integrations.begin(here.zendesk.center, here.instance.integration, locale="en-US", instance=here.instance)
    page = await browse(here, *step(here, await browse(here, address, fields), token=here.house.tokens["admin"]))
    last = await browse(here, *step(here, page, channel=here.house.channel, name="Shop"))
    if come_back:
        await browse(here, *step(here, last))


async def test_the_secret_of_another_account_proves_nothing(here: Town) -> None:
    ticket = await thread(here)
    other = await second_account(here)
    mine, theirs = json.loads(here.instance.metadata), json.loads(other.metadata)
    assert mine["link"] != theirs["link"] and mine["secret"] != theirs["secret"]
    swapped = [{"link": mine["link"], "secret": theirs["secret"]}, {"link": theirs["link"], "secret": mine["secret"]}]
    for number, each in enumerate(map(json.dumps, swapped)):
        assert (await reply(here, each, ticket, f"swapped{number}", "forged"))[0] == 404
        assert (await here.post("pull", here.form(metadata=each)))[0] == 404
        for kind in ("deactivate_integration_instance", "destroy_integration_instance"):
            assert await told(here, happening(kind, metadata=each, deactivated_by="error")) == 200
    standings = [each.link.standing for each in await desk_links.all_links(here.house.application.context.store)]
    assert standings == [desk_links.ACTIVE, desk_links.ACTIVE]
    # Nor does one's own secret reach the other's tickets.
    assert (await reply(here, other.metadata, ticket, "across", "forged"))[0] == 404
    assert await written(here, ticket) == []
    assert (await reply(here, here.instance.metadata, ticket, "right"))[0] == 200
    assert await written(here, ticket) == ["hi"]


async def test_after_the_removal_nothing_new_is_taken_and_what_was_saved_is_answered_as_before(here: Town) -> None:
    ticket = await thread(here)
    metadata = here.instance.metadata
    before = await reply(here, metadata, ticket, "saved")
    act(here, "remove")
    await here.eventually("desk_ended")
    assert await reply(here, metadata, ticket, "saved") == before and before[0] == 200
    assert (await reply(here, metadata, ticket, "new"))[0] == 404
    assert (await here.post("pull", here.form(metadata=metadata)))[0] == 404
    for kind in ("activate_integration_instance", "create_integration_instance", "deactivate_integration_instance"):
        assert await told(here, happening(kind, metadata=metadata, deactivated_by="api")) == 200
    assert (await linked(here)).standing == desk_links.REMOVED
    assert await written(here, ticket) == ["hi"]


async def test_a_link_made_anew_after_a_removal_knows_the_former_secret_no_more(on_sqlite: Town) -> None:
    here = on_sqlite
    ticket = await thread(here)
    former = here.instance.metadata
    act(here, "remove")
    await here.eventually("desk_ended")
    here.instance = await link(here)
    assert (await reply(here, former, ticket, "old"))[0] == 404
    assert (await reply(here, here.instance.metadata, ticket, "new"))[0] == 200
    # Zendesk tells what happened in calls of their own, which may be late.
    assert await told(here, happening("destroy_integration_instance", metadata=former)) == 200
    assert (await linked(here)).standing == desk_links.ACTIVE
    await here.contact_writes("still here")


async def test_an_admin_who_does_not_come_back_leaves_zendesk_with_a_secret_that_works(here: Town, monkeypatch: Any) -> None:
    ticket = await thread(here)
    assert (await reply(here, here.instance.metadata, ticket, "first"))[0] == 200
    monkeypatch.setattr(desk_links, "OVERLAP", 0)
    for number in range(desk_links.FORMERS + 2):
        await edited(here, come_back=False)
        assert (await reply(here, here.instance.metadata, ticket, f"again{number}"))[0] == 200
    former = here.instance.metadata
    await edited(here, come_back=True)
    assert here.instance.metadata != former
    assert (await reply(here, former, ticket, "under way"))[0] == 200
    assert (await reply(here, here.instance.metadata, ticket, "next"))[0] == 200
    assert (await reply(here, former, ticket, "late"))[0] == 404


async def test_the_former_secret_is_good_for_a_while_after_the_new_one_is_shown(on_sqlite: Town) -> None:
    here = on_sqlite
    ticket = await thread(here)
    first = here.instance.metadata
    assert (await reply(here, first, ticket, "one"))[0] == 200
    again = await link(here)
    assert (await here.post("pull", here.form(metadata=again.metadata)))[0] == 200
    assert (await reply(here, first, ticket, "two"))[0] == 200
    assert (await linked(here)).shown_at > 0


async def test_replies_that_wait_for_files_of_a_removed_account_are_kept_as_notes_and_hold_nobody(here: Town) -> None:
    ticket = await thread(here)
    fault = here.fault(Mode.ERROR_NOT_TAKEN, operation="file")
    held = here.reply("look", files=(Upload("files", "map.png", "image/png", PNG),))
    await here.settled(held)
    behind = here.reply("and tell me")
    await here.settled(behind)
    await here.eventually("desk_reply_asked", 2)
    act(here, "remove")
    await here.eventually("desk_reply_dropped")
    await here.until(lambda: here.received() == ["and tell me"])
    here.house.sandbox.sandbox.faults.clear(id=fault)
    assert await written(here, ticket) == ["and tell me"]
