"""The limit: the bare aiohttp client, nothing stored. Order is kept by one task for each conversation."""

import asyncio
import time

from bench.client import post, session
from bench.job import Job, Result, main, versions_of
from bench.payload import Reply, by_conversation


async def run(job: Job) -> Result:
    """Send all replies; "recorded" is an answer held in memory."""
    open_calls = asyncio.Semaphore(job.concurrency)
    answers: list[bytes] = []
    async with session(job.concurrency) as http:

        async def converse(replies: list[Reply]) -> None:
            for one in replies:
                async with open_calls:
                    answers.append(await post(http, job, one))

        conversations = by_conversation(job)
        started = time.monotonic_ns()
        await asyncio.gather(*map(converse, conversations))
        finished = time.monotonic_ns()
    return Result(
        recorded=len(answers),
        started_ns=started,
        accepted_ns=started,
        finished_ns=finished,
        configuration=f"aiohttp on uvloop, {job.concurrency} calls at once, nothing stored",
        versions=versions_of("aiohttp", "uvloop"),
    )


if __name__ == "__main__":
    main(run)
