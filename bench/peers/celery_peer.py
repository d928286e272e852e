"""Celery on Redis: what most Python teams already have. It keeps no order; its users live with that, or build locks."""

import asyncio
import os
import subprocess
import sys
import time

from bench.job import Job, Result, in_scratch, main, versions_of
from bench.payload import replies


def _environment(job: Job) -> dict[str, str]:
    return {"BENCH_REDIS": job.redis, "BENCH_PROVIDER": job.provider, "BENCH_PREFETCH": str(job.options["prefetch"])}


def _start_workers(job: Job) -> subprocess.Popen[bytes]:
    options = job.options
    command = [sys.executable, "-m", "celery", "-A", "bench.peers.celery_tasks", "worker", "--pool", str(options["pool"])]
    command += ["--concurrency", str(options["slots"]), "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with in_scratch(job, "celery.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _work(job: Job) -> tuple[int, int, int, int]:
    """Returns recorded, started, accepted, finished."""
    from bench.peers.celery_tasks import app, deliver  # reads its addresses from the environment when imported

    client = app.backend.client
    workers = _start_workers(job)
    try:
        deadline = time.monotonic() + 30
        while not app.control.ping(timeout=0.2):
            if workers.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the Celery worker did not start: " + in_scratch(job, "celery.log").read_text()[-2000:])
        before = client.dbsize()
        started = time.monotonic_ns()
        with app.producer_pool.acquire(block=True) as producer:
            for one in replies(job):
                deliver.apply_async((one.conversation, one.sequence, one.text), producer=producer)
        accepted = time.monotonic_ns()
        recorded, changed = 0, time.monotonic()
        while recorded < job.replies and time.monotonic() - changed < 10:
            # A scan would slow Redis down; the size of the database is one integer, read off at once.
            count = client.dbsize() - before
            if count != recorded:
                recorded, changed = count, time.monotonic()
            time.sleep(0.01)
        finished = time.monotonic_ns()
        recorded = sum(1 for _ in client.scan_iter("celery-task-meta-*", count=1000))
    finally:
        workers.terminate()
        workers.wait(20)
    return recorded, started, accepted, finished


async def run(job: Job) -> Result:
    """Workers in processes of their own; replies are published one by one, as an application does."""
    os.environ |= _environment(job)
    recorded, started, accepted, finished = await asyncio.to_thread(_work, job)
    return Result(
        recorded=recorded,
        started_ns=started,
        accepted_ns=accepted,
        finished_ns=finished,
        configuration=f"{job.options['pool']} pool of {job.options['slots']}, acks late, prefetch {job.options['prefetch']}, "
        "results in Redis, Redis appendfsync always; keeps no order",
        versions=versions_of("celery", "kombu", "redis", "gevent"),
    )


if __name__ == "__main__":
    main(run)
