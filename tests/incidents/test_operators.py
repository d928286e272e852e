"""What operators do about incidents is on record, and facts leave it alone afterwards."""

from pathlib import Path

import pytest

from heliograph.domain.delivery import Question, State
from heliograph.domain.events import QuestionRaised
from heliograph.domain.incident import Incident, Phase, Severity, fold
from heliograph.ports.store import Changes, Fold
from heliograph.services import incident_acts as acts
from heliograph.services.context import Invalid, Missing
from heliograph.services.impact import facts_of, impact
from heliograph.services.resume import Asked, decide_all, drains
from heliograph.storage.ledger import decode
from tests.incidents.town import SECOND, Town, town


async def shaken(made: Town) -> Incident:
    """The shared credential is revoked, and every account has a reply that waits."""
    made.homes[0].key.revoked = True
    for home in made.homes:
        await made.say(home)
        await made.say(home, home.lanes[1], agent=home.agents[1])
    await made.run(2)
    [incident] = await made.incidents()
    return incident


async def recorded(made: Town, incident: Incident) -> Incident:
    """The incident as its events alone have made it."""
    read = await made.store.events(incident.account, stream="incident", stream_id=incident.id, after=0, limit=500)
    return fold(incident.id, [(decode(event), event.recorded_at) for event in read])


async def test_the_document_is_the_fold_of_the_ledger(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made:
        incident = await shaken(made)
        await acts.acknowledge(made.context, incident.id, actor="operator:a")
        await acts.correct(made.context, incident.id, "severity", "minor", actor="operator:a")
        made.homes[0].key.revoked = False
        await made.run(110)
        [incident] = await made.incidents()
        assert incident.phase is Phase.RESOLVED
        assert await recorded(made, incident) == incident


async def test_what_an_operator_corrects_stays_corrected_and_old_and_new_are_on_record(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        incident = await shaken(made)
        assert incident.severity is Severity.CRITICAL
        earlier = incident.onset_at - 60 * SECOND
        await acts.correct(made.context, incident.id, "severity", "minor", actor="operator:a")
        await acts.correct(made.context, incident.id, "onset_at", str(earlier), actor="operator:a")
        await made.run(2)
        [after] = await made.incidents()
        assert (after.severity, after.onset_at) == (Severity.MINOR, earlier)
        events = await made.store.events("", stream="incident", stream_id=incident.id, after=0, limit=99)
        told = [(event.actor, decode(event)) for event in events if event.kind == "incident_corrected"]
        assert [(actor, event.name, event.old, event.new) for actor, event in told] == [  # type: ignore[attr-defined]
            ("operator:a", "severity", "critical", "minor"), ("operator:a", "onset_at", str(incident.onset_at), str(earlier)),
        ]  # fmt: skip
        nanoseconds = str(incident.onset_at * 1000)
        bad = (("severity", "bad"), ("onset_at", "yesterday"), ("onset_at", nanoseconds), ("onset_at", "9" * 30), ("mitigated_at", "-1"))
        for name, new in (*bad, ("account", "x")):
            with pytest.raises(Invalid):
                await acts.correct(made.context, incident.id, name, new, actor="operator:a")
        with pytest.raises(Missing):
            await acts.correct(made.context, "inc_none", "severity", "minor", actor="operator:a")


async def test_a_note_is_kept_apart_from_the_ledger(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        incident = await shaken(made)
        await acts.annotate(made.context, incident.id, "called the provider", actor="operator:a")
        [note] = (await acts.notes(made.store, incident)).values()
        assert (note.text, note.actor) == ("called the provider", "operator:a")
        events = await made.store.events("", stream="incident", stream_id=incident.id, after=0, limit=99)
        assert all("called" not in event.data for event in events)
        with pytest.raises(Invalid):
            await acts.annotate(made.context, incident.id, "  ", actor="operator:a")


async def test_what_is_called_over_by_hand_opens_no_other_incident(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        incident = await shaken(made)
        await acts.resolve(made.context, incident.id, actor="operator:a")
        await made.run(5)
        [after] = await made.incidents()
        assert after.phase is Phase.RESOLVED
        made.homes[0].key.revoked = False
        await made.run(45)
        made.homes[0].key.revoked = True
        await made.say(made.homes[0])
        await made.run(3)
        assert [one.number for one in await made.incidents()] == [1, 2]


async def test_an_operator_merges_what_is_one(tmp_path: Path) -> None:
    async with town(tmp_path, shared=False) as made:
        for home in made.homes[:2]:
            home.key.revoked = True
            await made.say(home)
            await made.run(2)
        one, other = await made.incidents()
        with pytest.raises(Invalid):
            await acts.merge(made.context, other.id, one.id, actor="operator:a")
        with pytest.raises(Invalid):
            await acts.merge(made.context, one.id, one.id, actor="operator:a")
        await made.run(1)
        assert [i.merged_into for i in await made.incidents()] == ["", ""]


async def test_the_facts_of_each_reader_are_their_own(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made:
        incident = await shaken(made)
        home = made.homes[0]
        whole = await facts_of(made.context, incident)
        assert (whole.accounts, whole.tickets, whole.replies, whole.agents, whole.waiting) == (3, 6, 6, 6, 6)
        own = await facts_of(made.context, incident, home.account)
        assert (own.accounts, own.tickets, own.replies, own.agents, own.lost) == (1, 2, 2, 2, 0)
        mine = await facts_of(made.context, incident, home.account, home.agents[1])
        assert (mine.tickets, mine.replies, mine.waiting, mine.agents) == (1, 1, 1, 1)
        assert mine.provider_title and not mine.release
        made.homes[0].key.revoked = False
        await made.run(45)
        [incident] = await made.incidents()
        mine = await facts_of(made.context, incident, home.account, home.agents[1])
        assert (mine.waiting, mine.sent_late, mine.settled) == (0, 1, True)


async def asking(made: Town) -> None:
    """Whatever waits is put before a person."""
    for home in made.homes:
        for row in await made.store.deliveries(home.account, state="queued", channel="", after="", limit=99):
            changes = Changes(home.account, made.clock.now())
            changes.folds.append(Fold(row, [QuestionRaised(Question.OVERTAKEN)]))
            await made.store.commit(changes)


async def test_many_asked_replies_are_decided_in_few_calls_and_each_is_an_act(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made:
        incident = await shaken(made)
        await asking(made)
        [drain, *_] = await drains(made.store, incident, await impact(made.store, incident), now=made.clock.now())
        assert (drain.affected, drain.asked, drain.remaining) == (2, 2, 0)
        first = await decide_all(made.context, incident, "resend", actor="operator:a", limit=4)
        assert len(first.done) == 4 and first.following == first.done[-1]
        second = await decide_all(made.context, incident, "resend", actor="operator:a", after=first.following)
        assert len(second.done) == 2 and not second.following
        again = await decide_all(made.context, incident, "resend", actor="operator:a")
        assert not again.done and not again.refused
        for account, delivery in [(said.account, said.delivery) for said in made.said]:
            row = await made.store.delivery(account, delivery)
            assert row is not None and row.state is State.QUEUED and row.epoch == 1


async def test_only_the_asked_ones_that_were_meant_are_decided(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        incident = await shaken(made)
        await asking(made)
        home = made.homes[1]
        decided = await decide_all(made.context, incident, "cancel", actor="operator:a", which=Asked(account=home.account))
        assert set(decided.done) == {said.delivery for said in made.said if said.account == home.account}
        none = await decide_all(made.context, incident, "cancel", actor="operator:a", which=Asked(question="exhausted"))
        assert not none.done
        with pytest.raises(Invalid):
            await decide_all(made.context, incident, "burn", actor="operator:a")
        assert (await facts_of(made.context, incident)).dropped == 2


async def test_the_drain_tells_its_rate_and_its_end(tmp_path: Path) -> None:
    async with town(tmp_path, accounts=1, lanes=1) as made:
        made.rounds = 1
        made.homes[0].key.revoked = True
        for _ in range(60):
            await made.say(made.homes[0])
        await made.run(3)
        made.homes[0].key.revoked = False
        while not (await made.incidents())[0].mitigated_at:
            await made.step()
        await made.run(5)
        [incident] = await made.incidents()
        [drain] = await drains(made.store, incident, await impact(made.store, incident), now=made.clock.now())
        assert drain.affected == 60 and drain.remaining and 1 < drain.rate < 5
        assert drain.ends_at > made.clock.now() and drain.oldest_at
        await made.run(20)
        [incident] = await made.incidents()
        [drain] = await drains(made.store, incident, await impact(made.store, incident), now=made.clock.now())
        assert (drain.remaining, drain.sent, drain.ends_at) == (0, 60, 0)
