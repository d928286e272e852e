"""Another working process on the same PostgreSQL: claims, delivers and records beside the first."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

import uvloop

from bench.contestants.installation import running
from bench.job import Job


@asynccontextmanager
async def another_worker(job: Job, number: int) -> AsyncIterator[None]:
    """Up and working when the block begins, gone when it ends."""
    its_job = replace(job, scratch=str(Path(job.scratch) / f"worker-{number + 2}"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, json.dumps(asdict(its_job)), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        if await process.stdout.readline() != b"at work\n":
            raise RuntimeError("the second worker did not start")
        yield
    finally:
        process.stdin.close()
        await process.wait()


async def _work(job: Job) -> None:
    """Until the parent closes our standard input."""
    async with running(job, database=job.postgres):
        print("at work", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_work(Job(**json.loads(sys.argv[1]))))
