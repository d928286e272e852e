"""Scenarios under strain: what a bad release costs the healthy one's lanes, and how fast a backlog goes out under a rate limit."""

import asyncio
import time
from collections.abc import Iterable
from statistics import median

import asyncpg

from heliograph.bootstrap.application import Application
from heliograph.domain.gate import Stage
from heliograph.drill import seen
from heliograph.drill.deploys import NAMED, WRONG, force
from heliograph.drill.place import Place
from heliograph.drill.processes import command
from heliograph.drill.scenario import Run
from heliograph.drill.toll import Toll, toll_gate
from heliograph.drill.truth import SECOND
from heliograph.services.releases import Kept

#: Rounds without (False) and with the bad release, so that a machine that gets slower or faster is unjust to neither.
ROUNDS = (False, True, True, False, False, True)
#: Replies that are written in each conversation for a round, and seconds that the service takes for one, while they are written and then.
DEEP, PATIENT, LATENCY = 50, 2.0, 0.25
#: Seconds after which the bad release must have tried and been fenced, so that somebody sends on its half.
HALF = 5.0
#: Most that the healthy release's lanes may lose of their throughput.
FALL = 0.05
#: Messages a second that the service takes, replies that are held back, and how often: the first time the limit is not yet known.
LIMIT, HELD, DRAINS = 20, 300, 2
#: Most that a drain may last, of what the limit allows.
OPTIMUM = 1.2


async def written(place: Place, each: int) -> None:
    """So many replies in every conversation, in all of them at once."""
    few = asyncio.Semaphore(12)

    async def one(number: int) -> None:
        talk = place.talks[number]
        for _ in range(each):
            async with few:
                await place.say(talk)

    await asyncio.gather(*(one(number) for number in range(len(place.talks))))


async def takes(place: Place, seconds: float) -> None:
    """From now on the service takes so long for each message; what it is at takes as long as before."""
    await place.sandbox.ask("DELETE", "faults")
    await place.sandbox.ask("POST", "faults", {"service": "sunshine", "mode": "slow", "operation": "send", "delay": seconds})


async def backlog(place: Place) -> float:
    """A backlog in every conversation, which goes out as fast as the service answers. Since when it does (seconds, wall clock)."""
    await takes(place, PATIENT)
    await written(place, DEEP)
    await takes(place, LATENCY)
    await asyncio.sleep(PATIENT)
    return time.time()


async def half(place: Place) -> set[str]:
    """Conversations, as the service calls them, that stay with the healthy release when the other one is given 50 of 100 buckets."""
    connection = await asyncpg.connect(place.database)
    try:
        found = await connection.fetch(
            "SELECT c.address FROM lane l JOIN conversation c ON c.account = l.account AND c.id = l.id WHERE l.bucket >= 50"
        )
    finally:
        await connection.close()
    return {row["address"] for row in found}


async def throughput(place: Place, conversations: set[str], since: float) -> float:
    """Messages a second that the service took on these conversations from `since` (seconds, wall clock) to the last of them."""
    taken = (await place.sandbox.ask("GET", "accepted"))["accepted"]
    times = [m["at"] / SECOND for m in taken if m["conversation"] in conversations and m["at"] / SECOND > since]
    return len(times) / (max(times) - since) if times else 0.0


async def half_the_lanes(run: Run) -> None:
    """(K) Half of the lanes are forced onto a bad release: the healthy one's lanes go on as if nothing were.

    Every conversation has a backlog. Rounds with and without the bad release take turns, in the same installation.
    """
    async with run.begun(agents=4, talks=3) as (application, old):
        place = run.place
        for talk in place.talks:
            await place.say(talk)
        healthy = await half(place)
        rates: dict[bool, list[float]] = {False: [], True: []}
        fences: list[float] = []
        for number, bad in enumerate(ROUNDS):
            if bad:
                rate, fence = await _with_bad(run, application, old, number, healthy)
                fences.append(fence)
            else:
                rate = await _without(place, healthy)
            rates[bad].append(rate)
            run.timeline.append((number, f"{'with' if bad else 'without'} the bad release {rate:.1f}/s"))
        without, with_ = median(rates[False]), median(rates[True])
        run.note(lanes=len(place.talks), healthy_lanes=len(healthy), seconds_to_fence=_told(fences, 2))
        run.note(per_second_without=_told(rates[False]), per_second_with=_told(rates[True]), throughput_fall=1 - with_ / without)
        run.expect(max(fences) <= HALF, f"the bad release kept its half for {max(fences):.1f} s, in which nobody sent there")
        run.expect(with_ >= (1 - FALL) * without, f"the healthy release's lanes lost more than {FALL:.0%} of their throughput")
        await run.settle()


def _told(rates: Iterable[float], digits: int = 1) -> str:
    return " ".join(f"{rate:.{digits}f}" for rate in rates)


async def _without(place: Place, healthy: set[str]) -> float:
    since = await backlog(place)
    # What the other rounds do, too: a command is a process, and costs its share of the machine.
    await command("release", "list", "--data", str(place.data), variables=place.variables())
    await place.drained(seconds=120)
    return await throughput(place, healthy, since)


async def _with_bad(run: Run, application: Application, old: Kept, number: int, healthy: set[str]) -> tuple[float, float]:
    """Throughput, and how many seconds the bad release had its half."""
    place = run.place
    child = await place.process(place.variables(key_secret=f"{WRONG['key_secret']}-{number}"), name=f"bad-{number}")
    new = await seen.release(application, seen.staged(Stage.REFUSED, other_than=old.row.id), "the refusal", seconds=40)
    since = await backlog(place)
    code, said = await force(place, new.row.id, "--share", "50")
    run.expect(code == 0, f"it could not be forced: {said}")
    fenced = await seen.release(application, lambda kept: kept.row.id == new.row.id and kept.row.stage is Stage.FENCED, "the fence")
    run.expect(fenced.row.variable == NAMED, "the fence does not name the variable")
    await place.drained(seconds=120)
    rate = await throughput(place, healthy, since)
    await child.stop()
    story = await seen.events(application, place)
    spent = seen.attempts(story, new.row.id)
    run.expect(bool(spent), "the forced release made no attempt: nothing was drilled")
    forced = next(e.recorded_at for e in story if e.kind == "release_forced" and e.stream_id == new.row.id)
    return rate, (fenced.row.ended_at - forced) / SECOND


async def drained_at_a_limit(run: Run) -> None:
    """(L) What was held goes out as fast as the service takes it, and, once its limit is known, without being told off."""
    place = run.place
    async with toll_gate((await place.sandbox.ask("GET", "urls"))["sunshine"], rate=LIMIT) as toll:
        place.service = toll.url
        async with run.begun(agents=2, talks=4):
            for number in range(1, DRAINS + 1):
                await _drain(run, toll, number)
            await run.settle()


async def _drain(run: Run, toll: Toll, number: int) -> None:
    place = run.place
    await place.sandbox.ask("POST", "keys/revoke", {"key_id": place.key_id})
    began = len(place.replies)
    await place.say(place.talks[0])
    await asyncio.sleep(1)
    await written(place, HELD // len(place.talks))
    held = len(place.replies) - began
    await place.sandbox.ask("POST", "keys/restore", {"key_id": place.key_id})
    mended = time.time()
    await place.drained(seconds=10 * held / LIMIT)
    taken = (await place.sandbox.ask("GET", "accepted"))["accepted"]
    times = sorted(m["at"] / SECOND for m in taken if m["at"] / SECOND > mended)
    run.expect(len(times) == held, f"{held - len(times)} held replies did not go out")
    if not times:
        return
    seconds, ratio = times[-1] - times[0], (times[-1] - times[0]) / (held / LIMIT)
    refused = toll.refused_between(mended, times[-1])
    run.note(**{f"drain_{number}": seconds, f"drain_{number}_of_optimum": ratio, f"refused_429_{number}": refused})
    run.note(held_back=held, limit=LIMIT, **{f"seconds_to_resume_{number}": times[0] - mended})
    run.expect(ratio <= OPTIMUM, f"drain {number} lasted {ratio:.2f} times what the limit allows")
    # The service publishes no limit: somebody must be told off for it to be learnt.
    run.expect(number == 1 or not refused, f"{refused} calls of drain {number} were refused for coming too fast")
