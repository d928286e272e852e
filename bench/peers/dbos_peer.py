"""DBOS on PostgreSQL, with a queue partitioned by conversation, one workflow of a partition at a time."""

import asyncio
import time

import aiohttp
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from dbos._queue import Queue

from bench.client import post, session
from bench.job import Job, Result, main, versions_of
from bench.payload import Reply, by_conversation

_http: aiohttp.ClientSession
_job: Job
_left: int
_all_done: asyncio.Event
_loop: asyncio.AbstractEventLoop


@DBOS.step()
async def send(conversation: str, sequence: int, text: str) -> str:
    """The provider call is a step, as DBOS asks of everything that touches the world."""
    return (await post(_http, _job, Reply(conversation, sequence, text))).decode()


@DBOS.workflow()
async def deliver(conversation: str, sequence: int, text: str) -> None:
    global _left
    await send(conversation, sequence, text)
    _left -= 1
    if not _left:
        _loop.call_soon_threadsafe(_all_done.set)


async def _accept(queue: Queue, job: Job) -> None:
    """Enqueue conversation by conversation at once, in order within each: DBOS has no batch enqueue."""
    room = asyncio.Semaphore(int(job.options["enqueuers"]))

    async def converse(replies: list[Reply]) -> None:
        for one in replies:
            async with room:
                with SetWorkflowID(one.key), SetEnqueueOptions(queue_partition_key=one.conversation):
                    await queue.enqueue_async(deliver, one.conversation, one.sequence, one.text)

    await asyncio.gather(*map(converse, by_conversation(job)))


async def _recorded(total: int) -> int:
    """Wait until `total` workflows are recorded as successful, or nothing has changed for ten seconds."""
    seen, changed = 0, time.monotonic()
    while seen < total and time.monotonic() - changed < 10:
        count = len(await DBOS.list_workflows_async(status="SUCCESS", load_input=False, load_output=False))
        if count != seen:
            seen, changed = count, time.monotonic()
        await asyncio.sleep(0.02)
    return seen


async def run(job: Job) -> Result:
    """One process; the queue is polled every `poll_s` instead of every second, and claims whole rounds of partitions."""
    global _http, _job, _left, _all_done, _loop
    _job, _left, _all_done, _loop = job, job.replies, asyncio.Event(), asyncio.get_running_loop()
    address = job.postgres.replace("postgresql://", "postgresql+psycopg://")
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": address,
        "sys_db_pool_size": int(job.options["connections"]),
        "log_level": "WARNING",
    }
    DBOS(config=config)
    async with session(job.concurrency) as _http:
        DBOS.launch()
        queue = await DBOS.register_queue_async(
            "replies", partition_concurrency=1, worker_concurrency=job.concurrency, polling_interval_sec=float(job.options["poll_s"])
        )
        await asyncio.sleep(1.5)  # the queue manager looks for new queues once a second
        started = time.monotonic_ns()
        await _accept(queue, job)
        accepted = time.monotonic_ns()
        await _all_done.wait()
        recorded = await _recorded(job.replies)
        finished = time.monotonic_ns()
    return Result(
        recorded=recorded,
        started_ns=started,
        accepted_ns=accepted,
        finished_ns=finished,
        configuration=f"partition per conversation, partition_concurrency 1, worker_concurrency {job.concurrency}, "
        f"polled every {job.options['poll_s']} s, {job.options['enqueuers']} enqueuers, provider call as an async step",
        versions=versions_of("dbos", "sqlalchemy", "psycopg", "aiohttp"),
    )


if __name__ == "__main__":
    main(run)
