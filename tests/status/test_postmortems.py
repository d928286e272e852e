"""The story is drafted from the ledger at once, cites it, grows with it, and is published by an act of its own."""

from pathlib import Path

import msgspec
import pytest

from heliograph.domain.decide import Refusal
from heliograph.domain.incident import Phase
from heliograph.ports.announce import NotTold
from heliograph.projections.postmortem import Draft, RemedyState, intervals
from heliograph.services import incident_acts, postmortems, remarks, remedies
from heliograph.services.context import Invalid, Missing
from heliograph.services.promises import Stories
from heliograph.services.remedies import Wish
from heliograph.web.status.site import draw
from tests.status.square import Square, square

DAY = 24 * 3600 * 1_000_000


async def story(here: Square) -> Draft:
    kept = await postmortems.read(here.town.store, (await here.incident()).id)
    assert kept.story.draft is not None
    return kept.story.draft


async def written(here: Square, incident: str) -> None:
    for section, text in (("summary", "The key was **revoked**."), ("cause", "- nobody renewed it")):
        await postmortems.write_section(here.town.context, incident, section, text, locale="en", author="Olga", actor="operator")


async def test_it_is_drafted_the_moment_the_incident_is_over(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        assert (await postmortems.read(here.town.store, case.incident.id)).story.draft is None
        refused = [taken for taken in await _troubles(here)]
        case = await here.recovery()
        made, incident = await story(here), case.incident
        at = {moment.name: moment.at for moment in made.moments}
        assert at["onset"] == incident.onset_at and at["mitigated"] == incident.mitigated_at and at["resolved"] == incident.resolved_at
        assert {each.name: each.micros for each in intervals(made)} == {
            "ttd": incident.detected_at - incident.onset_at,
            "ttn": None,
            "ttm": incident.mitigated_at - incident.onset_at,
            "ttr": incident.resolved_at - incident.onset_at,
        }
        assert (made.facts["replies"], made.facts["sent_late"], made.facts["lost"]) == (3, 3, 0)
        assert made.attempts == len(refused) >= 1
        assert made.subjects == {"credential": 1}
        assert "hold_started" in [line.kind for line in made.lines] and "incident_resolved" in [line.kind for line in made.lines]


async def _troubles(here: Square) -> list[int]:
    found = []
    for home in here.town.homes:
        events = await here.town.store.troubles(home.account, home.channel, since=0, until=2**62)
        found += [event.seq for event in events if event.attempt is not None]
    return found


async def test_every_locked_fact_cites_an_event_that_is_there(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        await here.trouble()
        case = await here.recovery()
        made = await story(here)
        own = {e.seq: e for e in await here.town.store.events("", stream="incident", stream_id=case.incident.id, after=0, limit=1000)}
        for moment in made.moments:
            if moment.at and moment.name != "noticed":
                assert own[moment.seq].kind.startswith("incident_"), moment
        for line in made.lines:
            assert made.first <= line.seq <= made.last
        assert made.first <= min(await _troubles(here)) and max(own[m.seq].seq for m in made.moments if m.seq) <= made.last
        assert not [line for line in made.lines if any(home.channel in str(line.values) for home in here.town.homes)]


async def test_it_is_drafted_again_only_where_the_ledger_has_grown(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        await here.trouble()
        case = await here.recovery()
        before = await postmortems.read(here.town.store, case.incident.id)
        await here.run(65)
        assert await postmortems.read(here.town.store, case.incident.id) == before
        onset = case.incident.onset_at - 5_000_000
        await incident_acts.correct(here.town.context, case.incident.id, "onset_at", str(onset), actor="operator")
        await here.run(35)
        after = (await postmortems.read(here.town.store, case.incident.id)).story.draft
        assert after is not None and before.story.draft is not None
        assert after.moments[0].at == onset and after.last > before.story.draft.last
        events = await here.town.store.events("", stream="incident", stream_id=case.incident.id, after=0, limit=1000)
        assert [event.kind for event in events].count("postmortem_drafted") == 2


async def test_publishing_is_an_act_of_its_own(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        await here.follows("ada@example.org")
        case = await here.trouble()
        context, incident = here.town.context, case.incident.id
        await written(here, incident)
        with pytest.raises(Refusal):
            await postmortems.publish(context, incident, actor="operator")
        await here.recovery()
        await here.tell()
        here.post.sent.clear()
        assert draw(await here.board(), f"/status/en/incidents/{incident}/postmortem") is None
        await postmortems.publish(context, incident, actor="operator")
        await postmortems.publish(context, incident, actor="operator")
        await here.run(40)
        case = await here.case()
        assert case.incident.phase is Phase.POSTMORTEM and case.comments_closed and not case.open
        assert [update.topic for update in case.updates][:1] == ["postmortem"]
        assert [update.phase for update in case.updates].count(Phase.POSTMORTEM) == 1
        assert await here.tell() == 1 and await here.tell() == 0
        assert f"/status/en/incidents/{incident}/postmortem" in here.post.sent[0].text
        with pytest.raises(Refusal):
            await remarks.remark(context, incident, account="a", agent="b", name="", text="late")
        for path in ("", "/en", "/es", "/pt-br"):
            made = draw(await here.board(), f"/status{path}/incidents/{incident}/postmortem")
            assert made is not None and b"<strong>revoked</strong>" in made.body and b'<svg class="picture"' in made.body
        text = draw(await here.board(), f"/status/es/incidents/{incident}/postmortem.md")
        assert text is not None and "The key was **revoked**." in text.body.decode() and "escrito en inglés" in text.body.decode()


async def test_nothing_is_published_that_says_nothing(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        case = await here.trouble()
        await here.recovery()
        with pytest.raises(Refusal, match="summary, cause"):
            await postmortems.publish(here.town.context, case.incident.id, actor="operator")
        with pytest.raises(Missing):
            await postmortems.publish(here.town.context, "inc_none", actor="operator")


async def test_prose_keeps_its_versions(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        context, incident = here.town.context, case.incident.id
        for text, author in (("One", "Olga"), ("Two", "Otto"), ("Two", "Olga")):
            await postmortems.write_section(context, incident, "luck", text, locale="en", author=author, actor="operator")
        await postmortems.write_section(context, incident, "luck", "Dos", locale="es", author="Olga", actor="operator")
        kept = (await postmortems.read(here.town.store, incident)).story
        assert [(version.text, version.author) for version in kept.sections["luck"]["en"]] == [("One", "Olga"), ("Two", "Otto")]
        assert kept.prose("luck", "es")[1] == "es" and kept.prose("luck", "pt-BR")[1] == "en"
        with pytest.raises(Invalid):
            await postmortems.write_section(context, incident, "gossip", "x", locale="en", author="o", actor="operator")


async def test_a_broken_promise_is_told_once(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        context, incident = here.town.context, case.incident.id
        with pytest.raises(Invalid):
            await postmortems.promise(context, incident, here.town.clock.at - 1, actor="operator")
        await here.recovery()
        await postmortems.promise(context, incident, here.town.clock.at + DAY, actor="operator")
        assert (await here.case()).promised_at == here.town.clock.at + DAY
        assert await here.reconcile() == []
        here.town.clock.at += DAY + 1
        assert await here.reconcile() == [incident]
        here.town.clock.at += DAY
        assert await here.reconcile() == []
        events = await here.town.store.events("", stream="incident", stream_id=incident, after=0, limit=1000)
        assert [event.kind for event in events].count("postmortem_overdue") == 1


async def test_followers_hear_of_each_remedy_that_is_done(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        case = await here.trouble()
        context, incident = here.town.context, case.incident.id
        await here.recovery()
        await here.follows("ada@example.org")
        with pytest.raises(Invalid):
            await remedies.set_remedy(context, incident, Wish(title="Renew", state=RemedyState.SCHEDULED), actor="operator")
        wish = Wish(title="Renew <keys> early", owner="Platform", due_at=here.town.clock.at + DAY, state=RemedyState.SCHEDULED)
        id = await remedies.set_remedy(context, incident, wish, actor="operator")
        await remedies.translate(context, id, "Renovar antes las claves", locale="es", actor="operator")
        await written(here, incident)
        await postmortems.publish(context, incident, actor="operator")
        here.town.clock.at += 1_000_000
        await here.tell()
        here.post.sent.clear()
        done = msgspec.structs.replace(wish, state=RemedyState.COMPLETED)
        await remedies.set_remedy(context, incident, done, id=id, actor="operator")
        await remedies.set_remedy(context, incident, done, id=id, actor="operator")
        assert await here.tell() == 1 and await here.tell() == 0
        assert "Renew <keys> early" in here.post.sent[0].text and "Renew &lt;keys&gt; early" in here.post.sent[0].html
        [remedy] = await remedies.remedies(context, incident)
        assert remedy.completed_at and remedy.translations == {"es": "Renovar antes las claves"}
        page = draw(await here.board(), f"/status/es/incidents/{incident}/postmortem")
        assert page is not None and "Renovar antes las claves" in page.body.decode()


async def test_operators_are_alarmed_until_somebody_takes_it(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        incident = (await here.trouble()).incident.id
        await here.recovery()
        await postmortems.promise(here.town.context, incident, here.town.clock.at + DAY, actor="operator")
        stories = Stories(here.town.context, announce=here.room, targets=("json://pager.example.org",), url="https://desk.example.org")
        await stories.reconcile()
        await stories.alarm()
        assert here.room.said == []
        here.town.clock.at += DAY + 1
        await stories.reconcile()
        here.room.failing = NotTold("down")
        await stories.alarm()
        here.room.failing = None
        await stories.alarm()
        assert here.room.said == [], "not at once"
        here.town.clock.at += 61_000_000
        await stories.alarm()
        await stories.reconcile()
        await stories.alarm()
        [(target, title, text)] = here.room.said
        assert target == "json://pager.example.org" and title == "The post-mortem of incident 1 is overdue"
        assert f"https://desk.example.org/operator/postmortems/{incident}" in text
