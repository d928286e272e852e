"""What is wrong becomes the right incident, of the right account, at the right time."""

from pathlib import Path

from heliograph.domain.incident import Phase, Severity
from heliograph.sandbox.faults import Mode
from tests.incidents.town import SECOND, town


async def test_a_shared_credential_that_is_revoked_is_one_incident_of_the_installation(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made:
        for home in made.homes:
            await made.say(home)
        await made.run(1)
        assert not made.late() and not await made.incidents()
        made.homes[0].key.revoked = True
        began = made.clock.now()
        for home in made.homes:
            await made.say(home, home.lanes[1])
        await made.run(1)
        [incident] = await made.incidents()
        assert (incident.account, incident.phase, incident.severity) == ("", Phase.IDENTIFIED, Severity.CRITICAL)
        assert (incident.reason, incident.provider, incident.number) == ("bad_credentials", "sunshine", 1)
        assert began <= incident.onset_at <= incident.detected_at <= incident.declared_at <= began + 2 * SECOND
        assert not incident.public
        await made.run(10)
        [incident] = await made.public()
        assert incident.announced_at - incident.onset_at < 12 * SECOND
        assert await made.affected(incident) == made.late() == {said.delivery for said in made.said[3:]}
        made.homes[0].key.revoked = False
        await made.run(40)
        [incident] = await made.incidents()
        assert incident.phase is Phase.MONITORING and incident.mitigated_at
        await made.run(70)
        [incident] = await made.incidents()
        assert incident.phase is Phase.RESOLVED and incident.resolved_at
        assert await made.affected(incident) == made.late()


async def test_an_account_whose_own_credential_dies_is_told_alone(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, shared=False) as made:
        made.homes[1].key.revoked = True
        for home in made.homes:
            await made.say(home)
        await made.run(20)
        [incident] = await made.incidents()
        assert (incident.account, incident.severity, incident.phase) == (made.homes[1].account, Severity.MAJOR, Phase.IDENTIFIED)
        assert not await made.public()
        assert await made.affected(incident) == made.late() == {made.said[1].delivery}


async def test_a_short_drop_is_nobody_s_news(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        made.fault(Mode.DOWN)
        for home in made.homes:
            await made.say(home)
        await made.run(1)
        made.sandbox.faults.clear()
        await made.run(60)
        assert not await made.incidents() and made.late()


async def test_a_drop_of_a_few_seconds_is_told_to_those_affected_and_not_in_public(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        began = made.clock.now()
        made.fault(Mode.DOWN)
        for home in made.homes:
            await made.say(home)
        await made.run(5)
        [incident] = await made.incidents()
        assert incident.declared_at - began < 5 * SECOND
        assert (incident.account, incident.reason, incident.phase) == ("", "network", Phase.INVESTIGATING)
        made.sandbox.faults.clear()
        await made.run(4)
        assert not await made.public()
        await made.run(80)
        [incident] = await made.incidents()
        assert incident.phase is Phase.RESOLVED and not incident.public
        assert await made.affected(incident) == made.late()


async def test_two_accounts_that_lose_the_provider_share_an_incident_and_what_was_one_s_own_is_merged(tmp_path: Path) -> None:
    async with town(tmp_path, shared=False) as made:
        first, second = made.homes[:2]
        made.fault(Mode.DOWN)
        await made.say(first)
        await made.run(5)
        [own] = await made.incidents()
        assert own.account == first.account
        await made.say(second)
        await made.run(5)
        own, whole = await made.incidents()
        assert (own.merged_into, whole.account, whole.provider) == (whole.id, "", "sunshine")
        assert {subject.account for subject in whole.subjects} == {first.account, second.account}
        assert whole.onset_at == own.onset_at
        assert await made.affected(whole) == made.late()


async def test_own_credentials_of_many_accounts_that_die_together_are_the_installation_s(tmp_path: Path) -> None:
    async with town(tmp_path, shared=False, accounts=4) as made:
        for home in made.homes[:3]:
            home.key.revoked = True
            await made.say(home)
        await made.run(3)
        found = await made.incidents()
        assert [incident.account for incident in found if not incident.merged_into] == [""]


async def test_what_comes_back_while_it_is_watched_is_the_same_incident(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        for round in range(2):
            made.homes[0].key.revoked = True
            await made.say(made.homes[round])
            await made.run(4)
            made.homes[0].key.revoked = False
            await made.run(45)
        [incident] = await made.incidents()
        assert incident.phase is Phase.MONITORING and len(incident.subjects) == 2
        assert await made.affected(incident) == made.late() and len(made.late()) == 2
