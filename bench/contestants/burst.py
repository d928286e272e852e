"""How long another account's reply takes while thousands of one account's wait on the same provider, and how long without them."""

from collections.abc import Iterator
from itertools import count

from bench.contestants.installation import Installation, install, running
from bench.contestants.steady import figures, waits, write_steadily
from bench.job import Job, Result, main
from bench.payload import Reply, text_of

#: Conversations of the account that writes much, and of the other one.
MANY, FEW = 2_000, 50


async def run(job: Job) -> Result:
    """`options`: "per_second" of the other account; "waiting", how many wait at least ("quick_waiting" in a quick run).

    The replies of the first account wait as after an incident, and go out once its channel is well. Before that, and while at least
    so many still wait, the other one writes at its steady rate.
    """
    per_second = float(job.options["per_second"])
    least = int(job.options["quick_waiting" if job.quick else "waiting"])
    async with running(job, database=job.postgres, work=False, as_shipped=True) as bench:
        first = await install(bench, job, [f"b{number:05d}" for number in range(MANY)], name="burst")
        other = await install(bench, job, [f"o{number:05d}" for number in range(FEW)], name="other")
        await first.hold()
        burst = [Reply(f"b{number % MANY:05d}", number // MANY + 1, text_of(number // MANY + 1)) for number in range(job.replies)]
        await first.accept(burst)
        bench.worker.start()
        numbers = count()
        before = await write_steadily(other, _few(other, numbers, int(per_second)), per_second=per_second)
        begun = len(before)
        await bench.until_recorded(begun + 100)

        def while_many_wait() -> Iterator[Reply]:
            while job.replies + begun - bench.recorded > least:
                yield from _few(other, numbers, 1)

        during = await write_steadily(other, while_many_wait(), per_second=per_second)
        left = job.replies + begun + len(during) - bench.recorded
        await bench.until_recorded(job.replies + begun + len(during))
    quiet, busy = await waits(job.provider, before), await waits(job.provider, during)
    name = "burst_postgres" if job.postgres else "burst"
    found = figures(f"{name}.latency_ms", busy) | {f"{name}.latency_ms.p99_without": quiet[int(len(quiet) * 0.99)]}
    return Result(figures=found | {f"{name}.replies": len(busy), f"{name}.left_waiting": left})


def _few(other: Installation, numbers: Iterator[int], how_many: int) -> Iterator[Reply]:
    for _ in range(how_many):
        number = next(numbers)
        yield Reply(f"o{number % FEW:05d}", number // FEW + 1, text_of(number // FEW + 1))


if __name__ == "__main__":
    main(run)
