"""A release that is stopped stands on its incident, with the setting that differs; and nobody who may send is an incident, too."""

from pathlib import Path

from heliograph.domain.gate import Basis, Finding, Verdict
from heliograph.domain.health import CHECK, hold, well
from heliograph.domain.incident import Phase
from heliograph.domain.reasons import Reason
from heliograph.ports.store import Changes, Fold
from heliograph.services import releases
from heliograph.services.releases import Identity
from tests.incidents.town import SHARED, Town, town

GOOD, BAD = "rel_good", "dev"


async def two(made: Town) -> None:
    """The town's own release is the bad one; another one with another secret was admitted before it."""
    context = made.context
    mine = context.channels.shared[SHARED].fingerprint
    variable = "HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET"
    for id, secret, version in ((GOOD, "s1", "f1"), (BAD, "s2", mine)):
        await releases.register(context, Identity(id, "c", id, {variable: secret}, {SHARED: version}))
        await beat(made, id)
        await releases.conclude(context, id, Verdict(Finding.ADMIT, Basis.PROVED))


async def beat(made: Town, id: str) -> None:
    await releases.beat(made.context, f"process-{id}", Identity(id, "c", id, {}, {}), "host", made.clock.now())


async def test_a_fenced_release_and_its_variable_stand_on_the_incident(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        await two(made)
        made.homes[0].key.revoked = True
        for home in made.homes:
            await made.say(home)
        await made.run(0.5)
        [incident] = await made.incidents()
        assert not incident.release
        await releases.fence(made.context, BAD, GOOD, basis="practice", subject=SHARED, reason="bad_credentials")
        await made.run(0.5)
        [incident] = await made.incidents()
        assert (incident.release, incident.variable) == (BAD, "HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET")
        assert incident.phase is Phase.MONITORING and incident.mitigated_at and incident.public
        assert await made.affected(incident) == made.late()
        await made.run(5)
        assert len(await made.incidents()) == 1


async def test_who_writes_until_another_release_has_taken_over_is_affected(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        await two(made)
        await releases.fence(made.context, BAD, GOOD, basis="practice", subject=SHARED, reason="bad_credentials")
        await made.run(1)
        for home in made.homes:
            await made.say(home)
        await made.run(1)
        # The town has one process only: it takes over from itself.
        await releases.force(made.context, BAD, reason="nobody else here", actor="operator")
        await made.run(3)
        for home in made.homes:
            await made.say(home)
        await made.run(3)
        [incident] = await made.incidents()
        assert await made.affected(incident) == made.late() and len(made.late()) == len(made.homes)


async def test_who_writes_for_the_first_time_long_after_another_release_has_taken_over_is_not_affected(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        await two(made)
        await releases.fence(made.context, BAD, GOOD, basis="practice", subject=SHARED, reason="bad_credentials")
        await made.run(0.5)
        await releases.force(made.context, BAD, reason="nobody else here", actor="operator")
        await made.run(20)
        for _ in range(2):
            await made.say(made.homes[0])
        await made.run(3)
        [incident] = await made.incidents()
        assert await made.affected(incident) == set()


async def test_a_candidate_s_key_that_is_wrong_is_no_incident_while_another_release_sends(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        context = made.context
        mine = context.channels.shared[SHARED].fingerprint
        await releases.register(context, Identity(GOOD, "c", "f", {}, {SHARED: "f1"}))
        await releases.conclude(context, GOOD, Verdict(Finding.ADMIT, Basis.PROVED))
        await releases.register(context, Identity(BAD, "c", "g", {}, {SHARED: mine}))
        for id in (GOOD, BAD):
            await beat(made, id)
        made.homes[0].key.revoked = True
        row = well("", "credential", f"{SHARED}@{mine}")
        await context.store.commit(Changes("", made.clock.now(), folds=[Fold(row, hold(row, Reason.BAD_CREDENTIALS, "401", CHECK, now=1))]))
        await made.run(5)
        assert not await made.incidents()
        # Once it sends, it is one.
        await releases.conclude(context, BAD, Verdict(Finding.ADMIT, Basis.PROVED))
        await made.run(1)
        assert [one.reason for one in await made.incidents()] == ["bad_credentials"]


async def test_a_release_that_is_still_being_proved_is_no_incident_until_that_takes_too_long(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        mine = made.context.channels.shared[SHARED].fingerprint
        await releases.register(made.context, Identity(BAD, "c", "f", {}, {SHARED: mine}))
        begun = made.clock.now()
        await beat(made, BAD)
        await made.run(10)
        assert not await made.incidents()
        await made.run(15)
        await releases.beat(made.context, f"process-{BAD}", Identity(BAD, "c", BAD, {}, {}), "host", begun)
        await made.run(10)
        [incident] = await made.incidents()
        assert incident.onset_at == begun


async def test_nobody_who_may_send_is_an_incident_that_ends_when_somebody_may(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        mine = made.context.channels.shared[SHARED].fingerprint
        await releases.register(made.context, Identity(BAD, "c", "f", {}, {SHARED: mine}))
        verdict = Verdict(Finding.INCONCLUSIVE, Basis.NO_WITNESS, SHARED, "bad_credentials")
        await releases.conclude(made.context, BAD, verdict)
        await beat(made, BAD)
        for home in made.homes:
            await made.say(home)
        await made.run(4)
        [incident] = await made.incidents()
        assert (incident.account, incident.mitigated_at) == ("", 0)
        assert await made.affected(incident) == made.late() and made.late()
        await releases.conclude(made.context, BAD, Verdict(Finding.ADMIT, Basis.PROVED))
        await made.run(3)
        [incident] = await made.incidents()
        assert incident.phase is Phase.MONITORING
        assert await made.affected(incident) == made.late()
