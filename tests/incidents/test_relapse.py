"""A hold that seemed over and is not: the incident goes on, and who waits is told."""

from pathlib import Path

from heliograph.domain.events import HoldProlonged, TrialStarted
from heliograph.domain.health import Condition
from heliograph.domain.reasons import Reason
from heliograph.ports.store import Changes, Fold
from tests.incidents.town import SECOND, Town, town


async def fold(made: Town, event: object) -> None:
    [health] = await made.store.healths("")
    await made.store.commit(Changes("", made.clock.now(), folds=[Fold(health, [event])]))  # type: ignore[list-item]


async def test_what_waits_behind_a_trial_that_failed_is_affected(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database) as made:
        made.homes[0].key.revoked = True
        made.routine()
        await made.run(8)
        # Nothing waits, so a trial has nothing to try, and the incident seems to be over.
        await fold(made, TrialStarted())
        await made.run(1)
        [health] = await made.store.healths("")
        assert health.condition is Condition.TRIAL
        await fold(made, HoldProlonged(Reason.BAD_CREDENTIALS, "401", "send", 60 * SECOND, made.clock.now() + 60 * SECOND))
        said = [await made.say(home) for home in made.homes]
        await made.run(6)
        [incident] = await made.incidents()
        assert not incident.mitigated_at
        assert await made.affected(incident) == {one.delivery for one in said}
