"""The public is told of each phase of an incident once, in counts, and of one account's own trouble never."""

import asyncio
from pathlib import Path

import pytest

from heliograph.domain.incident import Phase
from heliograph.projections.public.board import Topic
from heliograph.projections.public.uptime import uptimes
from heliograph.services import status_page
from heliograph.services.context import Invalid, Missing
from heliograph.services.watched import Memory
from heliograph.web.status.site import draw, paths
from tests.status.square import square


async def test_each_phase_is_told_once_with_the_counts_of_its_moment(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        assert [update.phase for update in case.updates] == [Phase.IDENTIFIED]
        assert (case.facts.accounts, case.facts.tickets, case.facts.replies, case.facts.waiting) == (3, 3, 3, 3)
        assert case.updates[0].told.waiting == 3 and case.updates[0].told.mitigated_at == 0
        assert (await here.board()).gravity() == "critical"
        case = await here.recovery()
        assert [update.phase for update in reversed(case.updates)] == [Phase.IDENTIFIED, Phase.MONITORING, Phase.RESOLVED]
        assert (case.facts.waiting, case.facts.sent_late, case.facts.lost) == (0, 3, 0)
        assert case.updates[-1].told.waiting == 3, "what was told stays as it was told"
        assert (await here.board()).gravity() is None
        before = case.updates
        await asyncio.gather(*(status_page.reconcile(here.town.context, Memory()) for _ in range(4)))
        assert (await here.case()).updates == before
        seqs = [update.seq for update in before]
        events = await here.town.store.events("", stream="incident", stream_id=case.incident.id, after=0, limit=1000)
        assert set(seqs) <= {event.seq for event in events}


async def test_a_process_that_starts_late_tells_the_same(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        made = here.town
        made.homes[0].key.revoked = True
        for home in made.homes:
            await made.say(home)
        await made.run(15)
        made.homes[0].key.revoked = False
        await made.run(120)
        await here.reconcile()
        case = await here.case()
        assert [update.phase for update in reversed(case.updates)] == [Phase.IDENTIFIED, Phase.MONITORING, Phase.RESOLVED]
        assert all(update.told.mitigated_at == 0 for update in case.updates if update.phase == Phase.IDENTIFIED)


async def test_the_trouble_of_one_account_shows_nowhere_and_counts_for_nothing(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database, shared=False) as here:
        made = here.town
        made.homes[1].key.revoked = True
        for home in made.homes:
            await made.say(home)
        await here.run(30)
        board = await here.board()
        assert board.cases == () and board.gravity() is None
        assert [uptime.share for uptime in uptimes(board)] == [1.0]
        assert not await here.tell()
        text = b"".join(made_.body for path in paths(board) if (made_ := draw(board, path)))
        for home in made.homes:
            assert home.account.encode() not in text and home.channel.encode() not in text


async def test_no_name_and_no_id_of_an_account_is_on_any_public_file(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        await here.trouble()
        await here.recovery()
        board = await here.board()
        secrets = [word for home in here.town.homes for word in (home.account, home.channel, *home.agents, *home.lanes)]
        secrets += [account.name for account in await here.town.store.accounts()]
        for path in paths(board):
            made = draw(board, path)
            assert made is not None
            assert not [word for word in secrets if word.encode() in made.body], path


async def test_uptime_counts_an_incident_from_onset_to_mitigation(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        # The installation exists since before the town's clock began to stand.
        await here.trouble()
        case = await here.recovery()
        board = (await here.board())._replace(since=case.incident.onset_at - 1_000_000_000)
        [uptime] = uptimes(board)
        down = case.incident.mitigated_at - case.incident.onset_at
        known = board.at - board.since
        assert sum(day.down for day in uptime.days) == down > 0
        assert uptime.share == pytest.approx(1 - down / known)
        assert len(uptime.days) == 90


async def test_words_of_an_operator_are_marked_until_they_are_translated(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        context, incident = here.town.context, case.incident.id
        with pytest.raises(Missing):
            await status_page.write_note(context, "inc_none", "Hello", locale="en", actor="operator")
        with pytest.raises(Invalid):
            await status_page.write_note(context, incident, "  ", locale="en", actor="operator")
        with pytest.raises(Invalid):
            await status_page.write_note(context, incident, "Hallo", locale="de", actor="operator")
        id = await status_page.write_note(context, incident, "We talk to the <b>provider</b>.", locale="en", actor="operator")
        case = await here.case()
        assert (case.updates[0].id, case.updates[0].topic) == (id, Topic.NOTE)
        page = draw(await here.board(), f"/status/es/incidents/{incident}")
        assert page is not None
        assert "We talk to the &lt;b&gt;provider&lt;/b&gt;." in page.body.decode() and 'lang="en">' in page.body.decode()
        assert "Sin traducir" in page.body.decode()
        await status_page.translate_note(context, incident, id, "Hablamos con el proveedor.", locale="es", actor="operator")
        page = draw(await here.board(), f"/status/es/incidents/{incident}")
        assert page is not None
        assert "Hablamos con el proveedor." in page.body.decode() and "Sin traducir" not in page.body.decode()
        events = await here.town.store.events("", stream="incident", stream_id=incident, after=0, limit=1000)
        kinds = [event.kind for event in events]
        assert kinds.count("update_written") == 2 and kinds.count("update_translated") == 1
        assert not any("provider" in event.data for event in events if event.kind.startswith("update"))
