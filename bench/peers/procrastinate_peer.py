"""procrastinate on PostgreSQL, with a lock for each conversation: the nearest thing to this job in Python."""

import asyncio
import time

import aiohttp
import procrastinate

from bench.client import post, session
from bench.job import Job, Result, main, versions_of
from bench.payload import Reply, replies

BATCH = 100


def _app(job: Job, http: aiohttp.ClientSession, all_done: asyncio.Event) -> tuple[procrastinate.App, procrastinate.tasks.Task]:  # type: ignore[type-arg]
    connector = procrastinate.PsycopgConnector(
        conninfo=job.postgres, min_size=int(job.options["connections"]), max_size=int(job.options["connections"])
    )
    app = procrastinate.App(connector=connector)
    left = job.replies

    @app.task(name="deliver", queue="replies")
    async def deliver(conversation: str, sequence: int, text: str) -> None:
        nonlocal left
        await post(http, job, Reply(conversation, sequence, text))
        left -= 1
        if not left:
            all_done.set()

    return app, deliver


async def _accept(app: procrastinate.App, deliver: procrastinate.tasks.Task, job: Job) -> None:  # type: ignore[type-arg]
    """Defer in batches, the fastest way offered; a job cannot be acknowledged to its author before its batch is."""
    batch: list[procrastinate.jobs.Job] = []
    for one in replies(job):
        arguments = {"conversation": one.conversation, "sequence": one.sequence, "text": one.text}
        batch.append(deliver.configure(lock=one.conversation, task_kwargs=arguments).job)
        if len(batch) == BATCH:
            await app.job_manager.batch_defer_jobs_async(batch)
            batch = []
    if batch:
        await app.job_manager.batch_defer_jobs_async(batch)


async def _recorded(app: procrastinate.App, total: int) -> int:
    """Wait until `total` jobs are recorded as succeeded, or nothing has changed for ten seconds."""
    seen, changed = 0, time.monotonic()
    while seen < total and time.monotonic() - changed < 10:
        row = await app.connector.execute_query_one_async("select count(*) as done from procrastinate_jobs where status = 'succeeded'")
        if row["done"] != seen:
            seen, changed = row["done"], time.monotonic()
        await asyncio.sleep(0.01)
    return seen


async def run(job: Job) -> Result:
    """One worker in this process, as deep as `concurrency`; replies are deferred while it works."""
    all_done = asyncio.Event()
    async with session(job.concurrency) as http:
        app, deliver = _app(job, http, all_done)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            # The shortest interval that does not flood the database; new jobs are announced by NOTIFY anyway.
            workers = [
                asyncio.create_task(
                    app.run_worker_async(concurrency=job.concurrency, fetch_job_polling_interval=0.05, install_signal_handlers=False)
                )
                for _ in range(int(job.options["workers"]))
            ]
            await asyncio.sleep(0.5)  # let it register before the clock starts
            started = time.monotonic_ns()
            await _accept(app, deliver, job)
            accepted = time.monotonic_ns()
            done = asyncio.create_task(all_done.wait())
            await asyncio.wait([done, *workers], return_when=asyncio.FIRST_COMPLETED)
            recorded = await _recorded(app, job.replies)
            finished = time.monotonic_ns()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
    return Result(
        recorded=recorded,
        started_ns=started,
        accepted_ns=accepted,
        finished_ns=finished,
        configuration=f"lock per conversation, asyncio worker with concurrency {job.concurrency}, "
        f"{job.options['connections']} connections, batch_defer of {BATCH}",
        versions=versions_of("procrastinate", "psycopg", "aiohttp"),
    )


if __name__ == "__main__":
    main(run)
