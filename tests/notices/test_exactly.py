"""In random towns with random trouble, exactly the authors of late replies are told: precision and recall are 1.0 against the sandbox."""

import random
from pathlib import Path

import pytest

from heliograph.sandbox.faults import Mode
from heliograph.services.incidents import all_incidents
from heliograph.services.notices import ADMINS
from tests.incidents.town import STEP, town
from tests.notices.told import Told


@pytest.mark.parametrize("seed", range(12))
async def test_the_told_are_the_authors_of_late_replies(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with town(tmp_path, accounts=4, lanes=3, shared=dice.random() < 0.5, seed=seed) as made:
        told = Told(made)
        authors: dict[str, tuple[str, str]] = {}
        ever: set[tuple[str, str]] = set()

        async def live(seconds: float, talk: float) -> None:
            for _ in range(round(seconds / STEP)):
                for home in made.homes:
                    if dice.random() < talk:
                        agent = dice.choice(home.agents)
                        said = await made.say(home, dice.choice(home.lanes), agent=agent)
                        authors[said.delivery] = (home.account, agent)
                await told.run(STEP)
                ever.update(await told.readers())

        await live(3, 0.1)
        assert not ever
        if dice.random() < 0.5:
            keys = {id(home.key): home.key for home in made.homes}
            broken = dice.sample(list(keys.values()), k=dice.randint(1, len(keys)))
            for key in broken:
                key.revoked = True
            await live(dice.uniform(6, 12), 0.08)
            for key in broken:
                key.revoked = False
        else:
            made.fault(Mode.DOWN)
            await live(dice.uniform(8, 14), 0.08)
            made.sandbox.faults.clear()
        await live(45, 0)
        late = {authors[id] for id in made.late()}
        incidents = [one for one in await all_incidents(made.store) if not one.merged_into]
        affected = {authors[id] for incident in incidents for id in await made.affected(incident)}
        assert ever == late == affected, f"told too many: {ever - late}, too few: {late - ever}"
        assert ADMINS not in {agent for _, agent in ever}
