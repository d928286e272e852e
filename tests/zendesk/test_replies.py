"""A reply that Zendesk hands over is saved once, answered at once, and never refused for somebody else's trouble."""

import asyncio
from typing import Any

import pytest

from heliograph.ports.store import Unavailable
from heliograph.sandbox.faults import Mode, fault_from_json
from heliograph.sandbox.wire import Upload
from heliograph.services import desk_replies
from tests.zendesk.town import Town, link

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 200


async def thread(here: Town) -> str:
    """Our ticket's id, as Zendesk knows it."""
    await here.contact_writes("hello")
    return here.tickets[-1].thread


async def written(here: Town, ticket: str) -> list[str]:
    _, comments = await here.house.call("GET", f"/api/v1/tickets/{ticket}/comments?limit=100")
    return [c["contents"][0]["text"] for c in comments["items"] if c["author_kind"] == "agent" and c["public"]]


async def test_a_hundred_of_the_same_at_once_are_one_reply(here: Town) -> None:
    ticket = await thread(here)
    body = here.form(message="once", thread_id=ticket, request_unique_identifier="same")
    answers = await asyncio.gather(*(here.post("channelback", body) for _ in range(100)))
    assert {code for code, _ in answers} == {200}
    assert len({answer["external_id"] for _, answer in answers}) == 1
    await here.until(lambda: here.received() == ["once"])
    assert await written(here, ticket) == ["once"]
    assert (await here.post("channelback", body))[1] == answers[0][1]


async def test_a_hundred_of_the_same_with_a_file_are_one_reply(here: Town) -> None:
    ticket = await thread(here)
    file = here.zendesk.center.store("a.png", "image/png", PNG)
    body = here.form(message="look", thread_id=ticket, request_unique_identifier="f", **{"file_urls[]": here.zendesk.center.file_url(file)})
    answers = await asyncio.gather(*(here.post("channelback", body) for _ in range(100)))
    assert {code for code, _ in answers} == {200} and len({answer["external_id"] for _, answer in answers}) == 1
    await here.until(lambda: len(here.received()) >= 2)
    assert await written(here, ticket) == ["look"]


async def test_an_identifier_that_is_used_for_two_replies_loses_neither(here: Town) -> None:
    ticket = await thread(here)
    for text in ("one", "two", "one"):
        code, _ = await here.post("channelback", here.form(message=text, thread_id=ticket, request_unique_identifier="same"))
        assert code == 200
    await here.until(lambda: here.received() == ["one", "two"])


async def test_without_an_identifier_the_same_within_a_minute_is_one(on_sqlite: Town) -> None:
    ticket = await thread(on_sqlite)
    body = on_sqlite.form(message="once", thread_id=ticket)
    first, second = await on_sqlite.post("channelback", body), await on_sqlite.post("channelback", body)
    assert first == second and first[0] == 200
    assert on_sqlite.observed("desk_reply_unnamed")


async def test_lost_answers_and_repeats_make_one_reply_and_no_contradiction(here: Town) -> None:
    await thread(here)
    here.fault(Mode.ANSWER_LOST, operation="channelback", count=2)
    here.fault(Mode.WEBHOOK_DUPLICATED, operation="channelback", count=1)
    replies = [here.reply(f"reply {n}") for n in range(5)]
    for reply in replies:
        await here.settled(reply)
    await here.until(lambda: len(here.received()) == 5)
    assert sorted(here.received()) == [f"reply {n}" for n in range(5)]
    assert here.zendesk.center.contradictions == 0
    assert [reply.errors for reply in replies] == [[]] * 5


async def test_the_parent_leads_to_the_ticket_where_no_thread_does(on_sqlite: Town) -> None:
    here = on_sqlite
    comment = await here.contact_writes("hello")
    code, _ = await here.post("channelback", here.form(message="hi", parent_id=comment.external_id, request_unique_identifier="p"))
    assert code == 200
    await here.until(lambda: here.received() == ["hi"])


async def test_nobody_without_the_secret_writes_replies(here: Town) -> None:
    ticket = await thread(here)
    metadata = here.instance.metadata
    wrong = [
        metadata.replace('"secret":"', '"secret":"0'), '{"link":"chn_other","secret":"x"}', "{}", "", "nonsense", "[" * 5000,
        '{"link":5,"secret":null}', metadata.replace("chn_sunshine", "chn_nobody"),
    ]  # fmt: skip
    for each in wrong:
        code, _ = await here.post(
            "channelback", here.form(message="forged", thread_id=ticket, metadata=each, request_unique_identifier="x")
        )
        assert code == 404, each
        code, _ = await here.post("pull", here.form(metadata=each))
        assert code == 404, each
    answer = await here.house.send(
        "POST", f"/zendesk/service/{'A' * 32}/channelback", here.form(message="forged", thread_id=ticket), by="",
        content_type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert answer.code == 404
    assert await written(here, ticket) == []


async def test_tickets_of_others_are_none(here: Town) -> None:
    ticket = await thread(here)
    house = here.house
    config = {"token": house.demo.bot_token, "base_url": house.sandbox.telegram_url}
    code, other = await house.call("POST", "/api/v1/channels", {"provider": "telegram", "name": "Other", "config": config}, by="other")
    assert code in (200, 201), other
    from_other = await _link_other(here, other["id"])
    form = {"message": "across", "thread_id": ticket, "request_unique_identifier": "y"}
    assert (await here.post("channelback", here.form(**form, metadata=from_other)))[0] == 404
    code, pulled = await here.post("pull", here.form(metadata=from_other))
    assert code == 200 and pulled["external_resources"] == []
    assert await written(here, ticket) == []


async def _link_other(here: Town, channel: str) -> str:
    return (await link(here, token=here.house.tokens["other"], channel=channel)).metadata


@pytest.mark.parametrize("form", [{"message": ""}, {"message": "  \n"}, {}])
async def test_an_empty_reply_is_refused(on_sqlite: Town, form: dict[str, str]) -> None:
    ticket = await thread(on_sqlite)
    code, _ = await on_sqlite.post("channelback", on_sqlite.form(thread_id=ticket, request_unique_identifier="e", **form))
    assert code == 400


async def test_a_providers_trouble_is_not_the_desks(here: Town) -> None:
    await thread(here)
    here.house.sandbox.sandbox.faults.set(fault_from_json({"service": "sunshine", "mode": "revoked"}))
    replies = [here.reply(f"reply {n}") for n in range(3)]
    for reply in replies:
        await here.settled(reply)
    assert [(r.channelback.state, r.channelback.answers) for r in replies if r.channelback] == [("taken", ["200"])] * 3
    here.well()
    await here.until(lambda: len(here.received()) == 3, seconds=30)
    assert here.instance.active


async def test_while_the_store_cannot_write_the_reply_is_asked_for_again(on_sqlite: Town, monkeypatch: Any) -> None:
    here = on_sqlite
    ticket = await thread(here)
    body = here.form(message="later", thread_id=ticket, request_unique_identifier="u")
    store = here.house.application.context.store
    commit = store.commit

    async def full(changes: Any) -> None:
        raise Unavailable("disk full")

    monkeypatch.setattr(type(store), "commit", lambda self, changes: full(changes))
    assert (await here.post("channelback", body))[0] == 503
    monkeypatch.setattr(type(store), "commit", lambda self, changes: commit(changes))
    assert (await here.post("channelback", body))[0] == 200


async def test_a_wrong_master_key_refuses_no_reply(on_sqlite: Town, monkeypatch: Any) -> None:
    here = on_sqlite
    ticket = await thread(here)
    monkeypatch.setattr(here.house.application.context.channels.vault, "_ciphers", {})
    code, _ = await here.post("channelback", here.form(message="hi", thread_id=ticket, request_unique_identifier="k"))
    assert code == 200


async def test_files_reach_the_contact_and_later_replies_stay_behind_them(here: Town) -> None:
    await thread(here)
    here.fault(Mode.ERROR_NOT_TAKEN, operation="file", count=2)
    with_file = here.reply("look at this", files=(Upload("files", "map.png", "image/png", PNG),))
    await here.settled(with_file)
    behind = here.reply("and tell me")
    await here.settled(behind)
    await here.until(lambda: len(here.received()) >= 3)
    assert here.received()[0] == "look at this" and here.received()[-1] == "and tell me"
    sent = [m for m in here.house.sandbox.sandbox.sunshine.phone(here.house.demo.conversation_id)["messages"] if not m["mine"]]
    assert any(m["kind"] in ("image", "file") for m in sent)
    assert not with_file.errors and not behind.errors


async def test_a_file_that_is_gone_is_told_and_kept_as_a_note(here: Town) -> None:
    ticket = await thread(here)
    here.fault(Mode.ERROR_NOT_TAKEN, operation="file", code=404)
    reply = here.reply("look at this", files=(Upload("files", "map.png", "image/png", PNG),))
    await here.until(lambda: reply.errors)
    assert "file" in reply.errors[0] and here.received() == []
    await here.eventually("desk_reply_dropped")
    _, comments = await here.house.call("GET", f"/api/v1/tickets/{ticket}/comments")
    kept = next(c for c in comments["items"] if c["id"] == reply.external_id)
    assert kept["public"] is False and kept["contents"][0]["text"] == "look at this"
    here.well()
    after = here.reply("as text then")
    await here.until(lambda: here.received() == ["as text then"])
    assert not after.errors


async def test_a_file_of_somebody_else_is_never_asked_for_with_the_token(on_sqlite: Town) -> None:
    here = on_sqlite
    ticket = await thread(here)
    asked: list[Any] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for number, url in enumerate((f"http://127.0.0.1:{port}/a", "https://example.org/a", "ftp://example.org/a", "http://[::1", "//x/y")):
        body = here.form(message="m", thread_id=ticket, request_unique_identifier=f"s{number}", **{"file_urls[]": url})
        assert (await here.post("channelback", body))[0] == 200
    await here.eventually("desk_reply_dropped", 5)
    server.close()
    assert asked == []


async def test_a_reply_whose_files_never_come_is_told_in_the_end(on_sqlite: Town, monkeypatch: Any) -> None:
    here = on_sqlite
    await thread(here)
    monkeypatch.setattr(desk_replies, "PATIENCE", 300_000)
    here.fault(Mode.ERROR_NOT_TAKEN, operation="file")
    reply = here.reply("look at this", files=(Upload("files", "map.png", "image/png", PNG),))
    await here.until(lambda: reply.errors)
    assert here.received() == []


async def test_while_the_token_is_refused_a_file_is_waited_for_no_longer_than_otherwise(here: Town, monkeypatch: Any) -> None:
    await thread(here)
    here.zendesk.revoke(here.instance.push_id, revoked=True)
    await here.house.contact_writes("more")
    await here.eventually("desk_stopped")
    reply = here.reply("look at this", files=(Upload("files", "map.png", "image/png", PNG),))
    await here.settled(reply)
    behind = here.reply("and tell me")
    await here.settled(behind)
    await here.eventually("desk_reply_asked", 2)
    assert await here.events("desk_reply_dropped") == [] and here.received() == []
    monkeypatch.setattr(desk_replies, "PATIENCE", 0)
    await here.eventually("desk_reply_dropped")
    await here.until(lambda: here.received() == ["and tell me"])
    here.zendesk.revoke(here.instance.push_id, revoked=False)
    await here.until(lambda: reply.errors)
    assert not behind.errors
