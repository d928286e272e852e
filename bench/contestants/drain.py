"""How fast 10,000 held replies go out once the channel is well again, from the first probe to the last record."""

import time

from bench.contestants.installation import install, running
from bench.job import Job, Result, main
from bench.payload import replies


async def run(job: Job) -> Result:
    """The hold ends as in real life: the worker's own probe finds the provider well, one lane tries, the rest follows."""
    work = list(replies(job))
    async with running(job, work=False) as bench:
        installation = await install(bench, job, dict.fromkeys(one.conversation for one in work))
        await installation.hold()
        await installation.accept(work)
        began = time.perf_counter()
        bench.worker.start()
        await bench.until_recorded(job.replies)
        seconds = time.perf_counter() - began
    return Result(figures={"drain_10k.seconds": seconds, "drain_10k.replies_per_s": job.replies / seconds})


if __name__ == "__main__":
    main(run)
