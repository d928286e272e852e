"""Comments are plain text, can be closed, and calls for help are tied to their incident."""

import asyncio
from pathlib import Path

import pytest

from heliograph.domain.decide import Refusal
from heliograph.services import remarks, status_page
from heliograph.services.context import Invalid, Missing
from heliograph.web.status.site import draw
from tests.status.square import Square, square

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "</p></article><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "\"'><b onmouseover=alert(1)>",
    "\u202ereversed\u202c &#60;script&#62;",
)


async def say(here: Square, text: str, *, name: str = "Sam", agent: str = "agt_1") -> str:
    case = await here.case()
    return await remarks.remark(here.town.context, case.incident.id, account="acc_1", agent=agent, name=name, text=text)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_people_type_is_text(tmp_path: Path, attack: str) -> None:
    async with square(tmp_path) as here:
        case = await here.trouble()
        await say(here, attack, name=attack)
        await status_page.write_note(here.town.context, case.incident.id, attack, locale="en", actor="operator")
        for path in (f"/status/en/incidents/{case.incident.id}", f"/status/incidents/{case.incident.id}", "/status/es"):
            made = draw(await here.board(), path)
            assert made is not None
            page = made.body.decode()
            for live in ("<script>alert", "<img src=x", "<svg onload", "<b onmouseover", 'href="javascript:'):
                assert live not in page, path
        for path in ("/status/en/feed.atom", "/status/es/feed.atom"):
            made = draw(await here.board(), path)
            assert made is not None and b"<script>" not in made.body and b"<img" not in made.body


async def test_comments_close_for_good(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        first = await say(here, "We see it, too.")
        with pytest.raises(Invalid):
            await say(here, " ")
        with pytest.raises(Invalid):
            await say(here, "x" * 2001)
        with pytest.raises(Missing):
            await remarks.remark(here.town.context, "inc_none", account="a", agent="b", name="", text="x")
        await status_page.close_comments(here.town.context, case.incident.id, why="operator", actor="operator")
        await status_page.close_comments(here.town.context, case.incident.id, why="operator", actor="operator")
        with pytest.raises(Refusal):
            await say(here, "Me too.")
        case = await here.case()
        assert case.comments_closed and [remark.id for remark in case.remarks] == [first]
        await remarks.hide_remark(here.town.context, first, hidden=True, actor="operator")
        assert (await here.case()).remarks == ()
        await remarks.hide_remark(here.town.context, first, hidden=False, actor="operator")
        assert len((await here.case()).remarks) == 1
        events = await here.town.store.events("", stream="incident", stream_id=case.incident.id, after=0, limit=1000)
        assert [event.kind for event in events].count("comments_closed") == 1


async def test_one_agent_does_not_fill_the_page(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        await here.trouble()
        for number in range(remarks.AN_HOUR):
            await say(here, f"no {number}")
        with pytest.raises(Refusal):
            await say(here, "one more")
        await say(here, "somebody else", agent="agt_2")
        here.town.clock.at += remarks.HOUR
        await say(here, "later")


async def test_a_call_for_help_is_numbered_and_tied_to_its_incident(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        context, incident = here.town.context, case.incident.id
        made = [
            await remarks.request(context, incident, account="acc_1", agent="agt_1", text="Which of ours are affected?") for _ in range(2)
        ]
        assert [one.number for one in made] == [1, 2] and {one.incident for one in made} == {incident}
        await remarks.close_request(context, made[0].id, actor="operator")
        found = await remarks.requests(context)
        assert [(one.number, bool(one.closed_at)) for one in found] == [(2, False), (1, True)]
        events = await here.town.store.events("", stream="incident", stream_id=incident, after=0, limit=1000)
        logged = [event for event in events if event.kind == "ticket_logged"]
        assert len(logged) == 2 and not any("affected" in event.data for event in logged)
        page = draw(await here.board(), f"/status/en/incidents/{incident}")
        assert page is not None and b"Which of ours" not in page.body, "only the operator reads it"


async def test_comments_that_come_together_are_no_more_than_others(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        await here.trouble()
        done = await asyncio.gather(*(say(here, f"Comment {number}") for number in range(30)), return_exceptions=True)
        kept = (await here.case()).remarks
        assert len(kept) <= remarks.AN_HOUR and len(kept) == sum(isinstance(one, str) for one in done)
