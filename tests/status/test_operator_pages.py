"""Operators write, translate, promise and publish in a browser; nobody else does."""

from pathlib import Path

from heliograph.services import postmortems, remarks, remedies
from tests.status.test_serving import Site, site

OPERATOR = {"x-operator": "yes"}
TOP = "/operator/postmortems"


async def act(made: Site, incident: str, **form: str) -> tuple[int, str]:
    code, page, _ = await made.post(f"{TOP}/{incident}", form, **OPERATOR)
    return code, page


async def test_nobody_else_gets_in(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        incident = (await made.here.trouble()).incident.id
        for path in (TOP, f"{TOP}/{incident}", f"{TOP}/{incident}/preview"):
            assert (await made.get(path))[0] == 403
            assert (await made.get(path, **made.signed))[0] == 403
        code, _, _ = await made.post(f"{TOP}/{incident}", {"act": "note", "text": "x", "locale": "en"}, **made.signed)
        assert code == 403
        code, _, _ = await made.post(f"{TOP}/{incident}", {"act": "close"}, **OPERATOR, origin="https://evil.example")
        assert code == 403 and not (await made.here.case()).comments_closed


async def test_a_story_is_written_and_published(tmp_path: Path, database: str) -> None:
    async with site(tmp_path, database=database) as made:
        here = made.here
        incident = (await here.trouble()).incident.id
        assert (await act(made, incident, act="note", text="We <i>know</i>.", locale="en"))[0] == 303
        note = (await here.case()).updates[0]
        assert (await act(made, incident, act="note-words", id=note.id, text="Lo sabemos.", locale="es"))[0] == 303
        assert (await here.case()).updates[0].translations == {"es": "Lo sabemos."}
        assert (await act(made, incident, act="publish"))[0] == 409
        assert (await act(made, incident, act="promise", due="soon"))[0] == 422
        assert (await made.get(f"{TOP}/{incident}/preview", **OPERATOR))[0] == 404
        home = here.town.homes[0]
        remark = await remarks.remark(
            here.town.context, incident, account=home.account, agent="agt_1", name="<b>x", text="<script>1</script>"
        )
        asked = await remarks.request(here.town.context, incident, account=home.account, agent="agt_1", text="<script>2</script>")
        assert (await act(made, incident, act="hide", id=remark, hidden="yes"))[0] == 303
        assert (await here.case()).remarks == ()
        await here.recovery()
        assert (await act(made, incident, act="promise", due="2099-01-01T12:00"))[0] == 303
        for section, text in (("summary", "Short <script>x</script>"), ("cause", "[a](javascript:alert(1)) **b**")):
            assert (await act(made, incident, act="section", section=section, text=text, locale="en"))[0] == 303
        assert (await act(made, incident, act="section", section="gossip", text="x", locale="en"))[0] == 422
        assert (await act(made, incident, act="remedy", title="Renew", state="scheduled"))[0] == 422
        assert (await act(made, incident, act="remedy", title="Renew", state="scheduled", owner="Ops", due="2099-02-01"))[0] == 303
        [remedy] = await remedies.remedies(here.town.context, incident)
        assert (await act(made, incident, act="remedy-words", id=remedy.id, text="Renovar", locale="es"))[0] == 303
        for path in (TOP, f"{TOP}/{incident}", f"{TOP}/{incident}?language=es", f"{TOP}/{incident}/preview?language=es"):
            code, page, headers = await made.get(path, **OPERATOR)
            assert code == 200 and headers["cache-control"] == "no-store"
            assert "<script>" not in page.replace('<script src="/status', "") and 'href="javascript:' not in page
        code, page, _ = await made.get(f"{TOP}/{incident}", **OPERATOR)
        assert "Version 1 by Olga" in page and "&lt;script&gt;2" in page
        assert (await act(made, incident, act="publish"))[0] == 303
        assert (await act(made, incident, act="answered", id=asked.id))[0] == 303
        assert (await act(made, incident, act="nonsense"))[0] == 422
        story = (await postmortems.read(here.town.store, incident)).story
        assert story.published_at and story.published_by == "operator"
        here.town.clock.at += 2_000_000
        code, page, _ = await made.get(f"/status/es/incidents/{incident}/postmortem")
        assert code == 200 and "Renovar" in page and "<strong>b</strong>" in page and "javascript:" not in page.replace("(javascript:", "")
        assert (await made.get(f"{TOP}/inc_none", **OPERATOR))[0] == 404
