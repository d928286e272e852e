"""Drills drawn by chance: what breaks, for whom and when, with real processes, judged by the service's own record."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

from heliograph.bootstrap.application import Application
from heliograph.domain.gate import Stage
from heliograph.drill import seen
from heliograph.drill.deploys import WRONG, Deploy, force
from heliograph.drill.place import Place
from heliograph.drill.scenario import Run, Scenario
from heliograph.drill.traffic import answering, for_seconds
from heliograph.drill.truth import Span, judged_by_time
from heliograph.services.impact import impact

#: What may break: a shared key, one account's own key, the service, some of its calls, its answers; a deploy that is refused, or forced.
TROUBLES = ("key", "own", "down", "errors", "answers", "deploy", "forced")
#: Share of the replies of which the record must tell whether they were held up: what it cannot tell of is judged by nobody.
TOLD = 0.8
DEPLOYS = ("deploy", "forced")
#: Troubles that hold everything back, so that a process may be killed meanwhile with no call under way but a trial.
STANDING = ("key", "own", "down")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One drill. Times are seconds."""

    trouble: str
    accounts: int
    agents: int
    talks: int
    #: Accounts on a key of their own.
    own: int
    #: Between one reply and the next, over all conversations.
    pause: float
    before: float
    lasts: float
    after: float
    #: Share of the calls that fail, where not all do.
    share: float
    #: Whether the process is killed in the middle of it, as a power cut would.
    killed: bool

    @property
    def told(self) -> str:
        """In a line."""
        size = f"{self.accounts} accounts, {self.own} on their own key, {self.accounts * self.agents * self.talks} conversations"
        return f"{self.trouble} for {self.lasts:.1f} s{', killed meanwhile' if self.killed else ''}; {size}"


def draw(dice: random.Random) -> Drawn:
    """The same dice make the same drill."""
    trouble = dice.choice(TROUBLES)
    accounts = dice.randint(1, 4)
    own = dice.randint(1 if trouble == "own" else 0, accounts if trouble in ("own", "down", "errors", "answers") else accounts - 1)
    return Drawn(
        trouble, accounts, dice.randint(1, 2), dice.randint(1, 3), own, dice.uniform(0.06, 0.25), dice.uniform(0.5, 2), dice.uniform(3, 6),
        dice.uniform(0.5, 2), dice.uniform(0.6, 0.95), trouble in STANDING and dice.random() < 0.3,
    )  # fmt: skip


def scenarios(number: int, seed: str, stores: tuple[str, ...]) -> list[Scenario]:
    """So many drills, each on one of the stores."""
    found = []
    for n in range(number):
        dice = random.Random(f"{seed}/{n}")
        drawn, store = draw(dice), dice.choice(stores)
        found.append(Scenario(f"{seed}/{n}", drawn.told, _Drill(drawn, dice.random()), (store,)))
    return found


class _Drill:
    """Plays one, and judges it."""

    def __init__(self, drawn: Drawn, luck: float) -> None:
        self._drawn = drawn
        self._luck = luck

    async def __call__(self, run: Run) -> None:
        drawn, place = self._drawn, run.place
        async with run.begun(accounts=drawn.accounts, agents=drawn.agents, talks=drawn.talks, own=drawn.own) as (application, _):
            async with answering(place, pause=drawn.pause):
                await for_seconds(drawn.before)
                broken = time.time()
                if drawn.trouble in DEPLOYS:
                    await self._deploy(run, application)
                else:
                    await self._break(place)
                    await for_seconds(drawn.lasts / 2)
                    if drawn.killed:
                        await _power_cut(place)
                    await for_seconds(drawn.lasts / 2)
                    await _mend(place)
                # A deploy breaks nothing of the service's: what fails by it stands in the service's record.
                mended = broken if drawn.trouble in DEPLOYS else time.time()
                await for_seconds(drawn.after)
            stopped = time.monotonic()
            await run.settle(seconds=120)
            run.note(seconds_to_settle=time.monotonic() - stopped)
            await for_seconds(1)
            await _judge(run, application, self._drawn, Span(broken, mended))

    async def _break(self, place: Place) -> None:
        match self._drawn.trouble:
            case "key":
                await place.sandbox.ask("POST", "keys/revoke", {"key_id": place.key_id})
            case "own":
                keys = sorted(place.own.values())
                await place.sandbox.ask("POST", "keys/revoke", {"key_id": keys[int(self._luck * len(keys))]})
            case "down":
                await place.sandbox.ask("POST", "faults", {"service": "sunshine", "mode": "down"})
            case "errors":
                await _fault(place, mode="error_not_taken", code=503, probability=self._drawn.share)
            case _:
                await _fault(place, mode="answer_lost", operation="send", probability=self._drawn.share)

    async def _deploy(self, run: Run, application: Application) -> None:
        """A bad release, which is refused, or forced through beside the healthy one."""
        deploy, place = Deploy(run.place), run.place
        forced = self._drawn.trouble == "forced"
        if forced and not place.database:
            await deploy.begin(WRONG, "--force", "--reason", "the drill breaks the glass")
        else:
            await deploy.begin(WRONG)
            new = await seen.release(application, seen.staged(Stage.REFUSED), "the refusal", seconds=40)
            if forced:
                code, said = await force(place, new.row.id, "--share", "50")
                run.expect(code == 0, f"it could not be forced: {said}")
        if forced:
            await seen.release(application, seen.staged(Stage.FENCED), "the fence", seconds=40)
        await for_seconds(self._drawn.lasts / 2)
        await deploy.end()


async def _fault(place: Place, **fault: Any) -> None:
    await place.sandbox.ask("POST", "faults", {"service": "sunshine", **fault})


async def _power_cut(place: Place) -> None:
    """Kill what runs, and start it again."""
    for child in place.children:
        child.kill()
        await asyncio.wait_for(child.process.wait(), 10)
    await place.process(place.variables(), name="again")


async def _mend(place: Place) -> None:
    await place.sandbox.ask("DELETE", "faults")
    for key in [place.key_id, *place.own.values()]:
        await place.sandbox.ask("POST", "keys/restore", {"key_id": key})


async def _judge(run: Run, application: Application, drawn: Drawn, broken: Span) -> None:
    place = run.place
    truth, untold = await judged_by_time(place, broken)
    found = await seen.open_incidents(application)
    affected = {one.delivery for incident in found for one in await impact(application.context.store, incident)}
    said = affected - untold
    right = len(said & truth)
    precision, recall = right / len(said) if said else 1.0, right / len(truth) if truth else 1.0
    kinds = {f"{one.reason} of a {subject.kind}" for one in found for subject in one.subjects}
    run.note(incidents=len(found), of=", ".join(sorted(kinds)), held_up=len(truth), affected=len(affected), cannot_be_told=len(untold))
    run.note(impact_precision=precision, impact_recall=recall)
    told = len(place.replies) - len(untold)
    run.expect(told >= TOLD * len(place.replies), f"of {len(untold)} of {len(place.replies)} replies the record cannot tell")
    run.expect(precision == 1.0, f"the impact names {len(said - truth)} replies that were not held up")
    run.expect(recall == 1.0, f"the impact misses {len(truth - said)} replies that were held up")
    if drawn.trouble in ("own", "deploy"):
        run.expect(not await seen.public(place), "a trouble of nobody or of one account became public")
    if drawn.trouble == "deploy":
        run.expect(not affected, "a refused deploy held replies up")
        run.expect(all(one.reason != "bad_credentials" for one in found), "a refused deploy became an incident")
