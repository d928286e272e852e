"""Heliograph in one process: replies are accepted in process, as the peers enqueue, delivered and recorded."""

import asyncio
import time
from contextlib import AsyncExitStack

from bench.contestants.installation import Bench, Installation, install, running
from bench.contestants.second_worker import another_worker
from bench.job import Job, Result, main, versions_of
from bench.payload import replies


async def run(job: Job) -> Result:
    """SQLite where the registry gave no PostgreSQL."""
    work = list(replies(job))
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(running(job, database=job.postgres))
        for number in range(int(job.options.get("workers", 1)) - 1):
            await stack.enter_async_context(another_worker(job, number))
        installation = await install(bench, job, dict.fromkeys(one.conversation for one in work))
        started = time.monotonic_ns()
        recording = asyncio.create_task(_all_recorded(bench, installation, job))
        await installation.accept(work)
        accepted = time.monotonic_ns()
        await recording
        finished = time.monotonic_ns()
        counts = await bench.application.context.store.counts(installation.account)
    workers = int(job.options.get("workers", 1))
    engine = f"PostgreSQL, {workers} worker{'s' * (workers > 1)}" if job.postgres else "SQLite, synced before anybody is told"
    return Result(
        recorded=counts.get("accepted", 0),
        started_ns=started,
        accepted_ns=accepted,
        finished_ns=finished,
        configuration=f"{engine}, group commit, {job.concurrency} calls at once",
        versions=versions_of("apsw", "asyncpg", "aiohttp", "uvloop"),
    )


async def _all_recorded(bench: Bench, installation: Installation, job: Job) -> None:
    """Alone, the process counts for itself; with others at work the store is asked."""
    if int(job.options.get("workers", 1)) == 1:
        await bench.until_recorded(job.replies)
        return
    while (await bench.application.context.store.counts(installation.account)).get("accepted", 0) < job.replies:
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    main(run)
