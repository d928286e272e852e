"""Operators are paged within five seconds, each target once for each stage, again until it takes it; admins who are away get one mail."""

from pathlib import Path

from heliograph.announce.calls import Alertmanager, Calls
from heliograph.announce.mail import SmtpMail
from heliograph.announce.rooms import Rooms
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services import people
from heliograph.services.incidents import incidents_of
from heliograph.services.mail import AdminMails
from heliograph.services.paging import Paging
from tests.incidents.town import SECOND, STEP, Town, town
from tests.notices.outside import Outside, outside, post, words
from tests.notices.told import Told


def paging(made: Town, there: Outside, *rooms: str) -> Paging:
    vault = made.context.channels.vault
    targets = [there.target(room) for room in rooms]
    return Paging(
        made.context, vault, announce=Rooms(), targets=targets, alerts=Alertmanager(there.url, Calls()), url="https://desk.example/"
    )


async def kinds(made: Town) -> list[str]:
    [incident] = await incidents_of(made.store, "")
    return [event.kind for event in await made.store.events("", stream="incident", stream_id=incident.id, after=0, limit=1000)]


async def test_operators_are_paged_once_for_each_stage_and_told_of_the_end(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made, outside() as there:
        # Two processes do the same.
        pagers = [paging(made, there, "one", "two") for _ in range(2)]
        home = made.homes[0]
        home.key.revoked = True
        began = made.clock.now()
        await made.say(home)
        paged_at = 0
        for _ in range(round(5 / STEP)):
            await made.step()
            for pager in pagers:
                await pager.reconcile()
            if there.taken and not paged_at:
                paged_at = made.clock.now()
        assert began < paged_at <= began + 5 * SECOND
        pages = [(path, told) for _, path, told in there.taken if path != "/api/v2/alerts"]
        assert sorted(path for path, _ in pages) == ["/one", "/two"]
        title, text = pages[0][1]["title"], pages[0][1]["message"]
        assert title == "Incident 1 (Critical): replies through Sunshine Conversations delayed (January 15, 2027)"
        assert "the provider did not accept the credentials" in text and "https://desk.example/operator/incidents/inc_" in text
        home.key.revoked = False
        for _ in range(round(150 / STEP)):
            await made.step()
            for pager in pagers:
                await pager.reconcile()
        ends = [told["title"] for _, path, told in there.taken if path == "/one"]
        assert ends[1:] == ["Incident 1 is resolved: replies through Sunshine Conversations delayed (January 15, 2027)"]
        assert (await kinds(made)).count("operators_paged") == 4
        alerts = [told[0] for _, path, told in there.taken if path == "/api/v2/alerts"]
        assert len({str(alert["labels"]) for alert in alerts}) == 1, "one and the same alert"
        assert alerts[0]["endsAt"] > alerts[-1]["startsAt"] and alerts[0]["labels"]["severity"] == "critical"
        [incident] = await incidents_of(made.store, "")
        assert alerts[-1]["endsAt"] < "2027-01-15T08:03" and incident.resolved_at


async def test_the_end_is_told_also_by_a_process_that_began_after_it(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made, outside() as there:
        home, pager = made.homes[0], paging(made, there, "one")
        home.key.revoked = True
        await made.say(home)
        for _ in range(round(5 / STEP)):
            await made.step()
            await pager.reconcile()
        home.key.revoked = False
        await made.run(150)
        [incident] = await incidents_of(made.store, "")
        assert incident.resolved_at
        for _ in range(3):
            await paging(made, there, "one").reconcile()
        titles = [told["title"] for _, path, told in there.taken if path == "/one"]
        assert [title.partition(":")[0] for title in titles] == ["Incident 1 (Critical)", "Incident 1 is resolved"]


async def test_a_pager_that_is_down_is_tried_again(tmp_path: Path) -> None:
    async with town(tmp_path) as made, outside() as there:
        pager = paging(made, there, "one")
        made.homes[0].key.revoked = True
        await made.say(made.homes[0])
        there.answers = [500, 500, 500, 500]
        for _ in range(round(20 / STEP)):
            await made.step()
            await pager.reconcile()
        told = [path for _, path, _ in there.taken if path == "/one"]
        assert 2 <= len(told) <= 5
        assert (await kinds(made)).count("page_refused") <= 1 and (await kinds(made)).count("operators_paged") == 1


async def test_one_account_s_own_trouble_pages_nobody(tmp_path: Path) -> None:
    async with town(tmp_path, shared=False) as made, outside() as there:
        pager = paging(made, there, "one")
        made.homes[0].key.revoked = True
        await made.say(made.homes[0])
        for _ in range(round(10 / STEP)):
            await made.step()
            await pager.reconcile()
        assert not there.taken and await incidents_of(made.store, made.homes[0].account)


async def test_admins_who_are_away_get_one_mail_in_their_language(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made, post() as office:
        told = Told(made)
        context, home = made.context, made.homes[0]
        changes = Changes(home.account, made.clock.now())
        changes.puts += [rows.Agent(home.account, f"agt_admin{n}", f"Admin {n}", "admin", 1) for n in range(3)]
        await context.store.commit(changes)
        await people.set_person(context, home.account, "agt_admin0", mail="away@example.org", language="pt", actor="operator")
        await people.set_person(context, home.account, "agt_admin1", mail="here@example.org", language="", actor="operator")
        await people.present(context, home.account, "agt_admin1")
        mails = [
            AdminMails(context, SmtpMail(f"smtp://127.0.0.1:{office.port}", "desk@example.org", made.clock), url="https://desk.example")
            for _ in range(2)
        ]
        home.key.revoked = True
        await made.say(home)
        await told.run(20)
        for each in mails:
            await each.reconcile()
        assert not office.taken, "what may be over soon needs no mail"
        for _ in range(20):
            await told.run(1)
            for each in mails:
                await each.reconcile()
        [(to, message)] = office.taken
        assert to == "away@example.org" and message["Content-Language"] == "pt-BR"
        text = words(message)
        assert "Account 0" in text and "https://desk.example/desk/status" in text and "1 está aguardando" in text
        assert "15 de janeiro de 2027" in text and "UTC" in text
        assert (await kinds(made)).count("admin_mailed") == 1
