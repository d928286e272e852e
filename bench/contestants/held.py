"""What 100,000 replies that are held on one channel cost the replies of another: two stores, in turns, in one process."""

from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.contestants.installation import Bench, install, running
from bench.contestants.turns import seconds_per_reply
from bench.job import Job, Result, main
from bench.payload import Reply

#: Conversations over which the held replies are spread.
HELD_CONVERSATIONS = 10_000
#: Nobody listens there, so that the held channel's probes never pass.
NOBODY = "http://127.0.0.1:9"


async def run(job: Job) -> Result:
    """`options`: "held", how many replies are held ("quick_held" in a quick run); "turns", how often each store is measured."""
    turns, held = int(job.options["turns"]), int(job.options["quick_held" if job.quick else "held"])
    per_turn = job.replies // (2 * turns)
    jobs = {name: replace(job, scratch=str(Path(job.scratch) / name)) for name in ("without", "with")}
    async with running(jobs["without"]) as plain, running(jobs["with"]) as burdened:
        await _burden(burdened, job, held)
        installations = {
            name: await install(bench, job, [f"{name}{number:05d}" for number in range(job.conversations)])
            for name, bench in (("without", plain), ("with", burdened))
        }
        costs = await seconds_per_reply(installations, turns=turns, per_turn=per_turn)
        waiting = sum(row.number for row in await burdened.application.context.store.waiting())
    with_held, without = median(costs["with"]), median(costs["without"])
    return Result(
        figures={
            "held_100k.cost": with_held / without - 1,
            "held_100k.replies_per_s": 1 / with_held,
            "held_100k.replies_per_s_without": 1 / without,
            "held_100k.waiting": waiting,
        }
    )


async def _burden(bench: Bench, job: Job, held: int) -> None:
    """A second account whose channel is on hold with `held` replies waiting."""
    addresses = [f"h{number:05d}" for number in range(min(held, HELD_CONVERSATIONS))]
    other = await install(bench, job, addresses, provider=NOBODY, name="held")
    await other.hold()
    await other.accept(Reply(addresses[number % len(addresses)], number // len(addresses) + 1, "waiting") for number in range(held))


if __name__ == "__main__":
    main(run)
