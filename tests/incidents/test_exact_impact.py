"""The impact of an incident is exactly what the sandbox itself did not take when it was written, in trouble drawn by chance."""

import os
import random
from pathlib import Path

import pytest

from heliograph.domain.incident import Phase
from heliograph.sandbox.faults import Mode
from heliograph.services.impact import impact
from tests.incidents.town import Home, Town, town

#: How many runs on each engine; IMPACT=all is what the CI asks for.
RUNS = {"sqlite": 200, "postgres": 20} if os.environ.get("IMPACT") == "all" else {"sqlite": 6, "postgres": 3}
SEEDS = [(engine, f"{n}") for engine, runs in RUNS.items() for n in range(runs)]
#: Seconds of trouble within which it must be an incident.
NOTICED = 60


async def chatter(made: Town, dice: random.Random, seconds: float, homes: list[Home]) -> None:
    """Agents write now and then, each conversation once a round at most."""
    for _ in range(round(seconds * 4)):
        for home in homes:
            for lane in home.lanes:
                if dice.random() < 0.15:
                    await made.say(home, lane, agent=dice.choice(home.agents))
        await made.step()


def begin(made: Town, dice: random.Random, kind: str) -> None:
    """Trouble of one kind."""
    match kind:
        case "shared" | "own":
            dice.choice(made.homes).key.revoked = True
        case "down":
            made.fault(Mode.DOWN)
        case "errors":
            made.fault(Mode.ERROR_NOT_TAKEN, code=503, probability=dice.uniform(0.4, 0.9))
        case _:
            made.fault(Mode.ANSWER_LOST, probability=0.5)


async def until_noticed(made: Town, dice: random.Random) -> None:
    """A few failed calls among many that get through are no incident (docs/detection.md): the trouble goes on until it is one.

    All that was held up before that belongs to it, too.
    """
    for _ in range(NOTICED):
        if await made.incidents():
            return
        await chatter(made, dice, 1, made.homes)
    pytest.fail(f"{NOTICED} seconds of trouble were no incident")


def end(made: Town) -> None:
    """All is well again."""
    made.sandbox.faults.clear()
    for home in made.homes:
        home.key.revoked = False


def sends_that_failed(made: Town) -> int:
    """By the sandbox's record: sends that it did not take."""
    return sum(not call["taken"] for call in made.sandbox.journal.find(operation="send"))


@pytest.mark.parametrize(("database", "seed"), SEEDS, indirect=["database"])
async def test_precision_and_recall_are_one(tmp_path: Path, seed: str, database: str) -> None:
    dice = random.Random(seed)
    kind = dice.choice(["shared", "own", "down", "errors", "unanswered"])
    async with town(
        tmp_path, database=database, accounts=dice.randint(2, 5), lanes=dice.randint(1, 3), shared=kind == "shared", seed=int(seed)
    ) as made:
        await chatter(made, dice, dice.uniform(1, 3), made.homes)
        begin(made, dice, kind)
        # Somebody notices: otherwise there is no trouble to speak of.
        for home in made.homes:
            await made.say(home)
        await chatter(made, dice, dice.uniform(3, 12), made.homes)
        await until_noticed(made, dice)
        end(made)
        await chatter(made, dice, dice.uniform(1, 4), made.homes)
        await made.run(50)
        await chatter(made, dice, 2, made.homes)
        await made.run(120)
        found = [incident for incident in await made.incidents() if not incident.merged_into]
        affected = {one.delivery: one for incident in found for one in await impact(made.store, incident)}
        assert set(affected) == made.late()
        assert {one.became for one in affected.values()} <= {"sent_late"}
        # A provider that fails some calls only may have failed none: then there is nothing to tell.
        assert affected or not sends_that_failed(made)
        assert all(incident.phase is Phase.RESOLVED for incident in found)
        assert bool(await made.public()) <= (kind != "own")
