"""Heliograph in one process: replies are accepted in process, as the peers enqueue, delivered and recorded."""

import time

from bench.contestants.installation import install, running
from bench.job import Job, Result, main, versions_of
from bench.payload import replies


async def run(job: Job) -> Result:
    """SQLite where the registry gave no PostgreSQL."""
    async with running(job, database=job.postgres) as (application, _):
        addresses = dict.fromkeys(one.conversation for one in replies(job))
        installation = await install(application, job, addresses)
        work = list(replies(job))
        started = time.monotonic_ns()
        recording = installation.until_recorded(job.replies)
        import asyncio
        waiting = asyncio.create_task(recording)
        await installation.accept(work)
        accepted = time.monotonic_ns()
        await waiting
        finished = time.monotonic_ns()
        recorded = await installation.accepted()
    engine = "PostgreSQL" if job.postgres else "SQLite, synchronous=FULL"
    return Result(
        recorded=recorded,
        started_ns=started,
        accepted_ns=accepted,
        finished_ns=finished,
        configuration=f"{engine}, group commit, {job.concurrency} calls at once",
        versions=versions_of("apsw", "asyncpg", "aiohttp", "uvloop"),
    )


if __name__ == "__main__":
    main(run)
