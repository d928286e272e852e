"""How long after its acceptance a reply reaches the provider, at a steady rate."""

import asyncio
import time

from bench.contestants.installation import install, running
from bench.job import Job, Result, main
from bench.payload import replies
from bench.provider_control import arrivals


async def run(job: Job) -> Result:
    """`options`: "per_second". Measured from the moment the reply was durable to its arrival at the provider."""
    pause = 1 / float(job.options["per_second"])
    work = list(replies(job))
    accepted: dict[tuple[str, int], int] = {}
    async with running(job) as bench:
        installation = await install(bench, job, dict.fromkeys(one.conversation for one in work))

        async def write(number: int) -> None:
            await installation.accept_one(work[number])
            accepted[(work[number].conversation, work[number].sequence)] = time.monotonic_ns()

        begin = time.monotonic()
        tasks = []
        for number in range(len(work)):
            await asyncio.sleep(max(0.0, begin + number * pause - time.monotonic()))
            tasks.append(asyncio.create_task(write(number)))
        await asyncio.gather(*tasks)
        await bench.until_recorded(job.replies)
    seen = await asyncio.to_thread(arrivals, job.provider)
    waits = sorted((seen[key] - at) / 1e6 for key, at in accepted.items())
    return Result(
        figures={
            "latency_ms.p50": waits[len(waits) // 2],
            "latency_ms.p99": waits[int(len(waits) * 0.99)],
            "latency_ms.highest": waits[-1],
        }
    )


if __name__ == "__main__":
    main(run)
