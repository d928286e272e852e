"""How long after its acceptance a reply reaches the provider, at a steady rate."""

from bench.contestants.installation import install, running
from bench.contestants.steady import figures, waits, write_steadily
from bench.job import Job, Result, main
from bench.payload import replies


async def run(job: Job) -> Result:
    """`options`: "per_second". Measured from the moment the reply was durable to its arrival at the provider."""
    work = list(replies(job))
    async with running(job) as bench:
        installation = await install(bench, job, dict.fromkeys(one.conversation for one in work))
        accepted = await write_steadily(installation, work, per_second=float(job.options["per_second"]))
        await bench.until_recorded(job.replies)
    return Result(figures=figures("latency_ms", await waits(job.provider, accepted)))


if __name__ == "__main__":
    main(run)
