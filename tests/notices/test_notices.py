"""Exactly the affected are told, once, in time, about their own replies; the notice counts down and is gone when all is settled."""

from pathlib import Path

import pytest

from heliograph.domain.incident import Severity
from heliograph.services import notices
from heliograph.services.context import Missing
from heliograph.services.decisions import decide_on
from heliograph.services.incidents import incidents_of
from tests.incidents.town import SECOND, town
from tests.notices.told import Told


async def test_exactly_the_authors_of_affected_replies_are_told_within_five_seconds(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made:
        told = Told(made)
        for home in made.homes:
            await made.say(home, agent=home.agents[1])
        await told.run(2)
        assert not await told.readers()
        made.homes[0].key.revoked = True
        began = made.clock.now()
        one, two, three = made.homes
        await made.say(one, agent=one.agents[0])
        await made.say(one, one.lanes[1], agent=one.agents[0])
        await made.say(two, agent=two.agents[1])
        await told.run(4)
        assert set(await told.told_at()) == {(one.account, one.agents[0]), (two.account, two.agents[1])}
        assert all(at - began <= 5 * SECOND for at in (await told.told_at()).values())
        assert not await told.shown(three) and not await told.shown(one, 1) and not await told.for_admins(three)
        [shown] = await told.shown(one)
        facts = shown.notice.counted
        assert (facts.waiting, facts.replies, facts.tickets, facts.provider_title) == (2, 2, 2, "Sunshine Conversations")
        assert [line.became for line in shown.notice.tickets] == [{"waiting": 1}, {"waiting": 1}]
        assert shown.banner and (await told.for_admins(one))[0].notice.counted.agents == 1
        [incident] = await incidents_of(made.store, "")
        assert began <= incident.noticed_at <= began + 5 * SECOND
        made.homes[0].key.revoked = False
        await told.run(60)
        assert not (await told.shown(one))[0].banner
        await told.run(120)
        assert not await told.readers(), "everything is settled and the incident is over"
        [incident] = await incidents_of(made.store, "")
        assert incident.resolved_at


async def test_it_counts_down_in_place_and_tells_nobody_twice(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made:
        told = Told(made)
        home = made.homes[0]
        home.key.revoked = True
        for _ in range(6):
            await made.say(home)
        await told.run(3)
        first = (await told.shown(home))[0].notice
        assert first.counted.waiting == 6
        await made.say(home, home.lanes[1])
        await told.run(1)
        home.key.revoked = False
        counts = set()
        for _ in range(240):
            await told.run(0.25)
            for shown in await told.shown(home):
                assert shown.notice.told_at == first.told_at
                counts.add((shown.notice.counted.waiting, shown.notice.counted.sent_late))
        assert (7, 0) in counts and (0, 7) in counts
        assert all(waiting + late in (6, 7) for waiting, late in counts)
        events = await made.store.events("", stream="incident", stream_id=first.incident, after=0, limit=1000)
        assert [event.kind for event in events].count("notice_told") == 1


async def test_what_asks_keeps_the_notice_until_somebody_decides(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        told = Told(made)
        home = made.homes[0]
        home.key.revoked = True
        said = await made.say(home)
        await told.run(3)
        await decide_on(made.context, home.account, said.delivery, "cancel", actor="agent:x")
        await told.run(1)
        [shown] = await told.shown(home)
        assert (shown.notice.counted.waiting, shown.notice.counted.dropped, shown.banner) == (0, 1, False)


async def test_dismissed_is_dismissed_until_it_becomes_graver(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, accounts=8) as made:
        told = Told(made)
        home = made.homes[0]
        home.key.revoked = True
        await made.say(home)
        await told.run(3)
        [shown] = await told.shown(home)
        agent, incident = home.agents[0], shown.notice.incident
        assert not shown.seen.seen_at
        await notices.saw(made.context, home.account, agent, incident)
        [shown] = await told.shown(home)
        assert shown.seen.seen_at and shown.banner
        await notices.dismiss(made.context, home.account, agent, incident, admin=False)
        await made.say(home)
        await told.run(2)
        [shown] = await told.shown(home)
        assert shown.notice.counted.waiting == 2 and not shown.banner and shown.notice.open
        assert shown.notice.counted.severity == Severity.CRITICAL == shown.seen.severity
        assert notices.Shown(shown.notice, notices.Seen(1, 2, Severity.MAJOR)).banner
        with pytest.raises(Missing):
            await notices.dismiss(made.context, made.homes[1].account, made.homes[1].agents[0], incident, admin=True)


async def test_one_account_s_dead_token_is_that_account_s_news_alone(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, shared=False) as made:
        told = Told(made)
        made.homes[1].key.revoked = True
        for home in made.homes:
            await made.say(home)
        await told.run(6)
        assert await told.readers() == {(made.homes[1].account, made.homes[1].agents[0])}
        [incident] = await incidents_of(made.store, made.homes[1].account)
        assert incident.noticed_at


async def test_the_notice_of_what_was_merged_gives_way_to_the_whole(tmp_path: Path) -> None:
    async with town(tmp_path, shared=False) as made:
        told = Told(made)
        first, second = made.homes[:2]
        for home in (first, second):
            home.key.revoked = True
            await made.say(home)
            await told.run(6)
        third = made.homes[2]
        third.key.revoked = True
        await made.say(third)
        await told.run(6)
        for home in made.homes:
            shown = await told.shown(home)
            assert len(shown) == 1 and shown[0].notice.counted.waiting == 1
