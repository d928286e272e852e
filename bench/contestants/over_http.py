"""Heliograph in one process, with its web: replies come in over the JSON API from another process."""

import asyncio
import json
import sys
import time
from dataclasses import asdict

from bench.contestants.installation import Bench, install, running
from bench.job import Job, Result, main, versions_of
from bench.payload import replies
from heliograph.bootstrap.metrics import Metrics
from heliograph.bootstrap.process import WebServer, listen
from heliograph.bootstrap.system import SystemClock
from heliograph.services.configure import issue_token
from heliograph.services.tokens import new_text
from heliograph.web.app import create_app
from heliograph.web.vitals import Vitals


async def run(job: Job) -> Result:
    """The client is `bench.contestants.api_client`; every reply is one request with a key of its own."""
    work = list(replies(job))
    async with running(job) as bench:
        installation = await install(bench, job, dict.fromkeys(one.conversation for one in work))
        secret = new_text(bench.application.context.rng)
        await issue_token(
            bench.application.context,
            installation.account,
            "bench",
            scopes="write",
            agent=installation.agent,
            secret=secret,
            actor="operator",
        )
        listening = listen("127.0.0.1", 0)
        server = WebServer(create_app(bench.application, vitals=Vitals(metrics=Metrics(SystemClock().now))), listening)
        await server.start()
        errand = {
            "url": f"http://127.0.0.1:{listening.getsockname()[1]}",
            "token": secret,
            "tickets": installation.tickets,
            "job": asdict(job),
        }
        started, accepted, finished = await _measure(bench, job, errand)
        counts = await bench.application.context.store.counts(installation.account)
        await server.stop()
    return Result(
        recorded=counts.get("accepted", 0),
        started_ns=started,
        accepted_ns=accepted,
        finished_ns=finished,
        configuration=f"SQLite, one process with its web; client in another, {job.concurrency} requests at once",
        versions=versions_of("litestar", "uvicorn", "apsw", "aiohttp"),
    )


async def _measure(bench: Bench, job: Job, errand: dict[str, object]) -> tuple[int, int, int]:
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.contestants.api_client", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(json.dumps(errand).encode() + b"\n")
    await client.stdout.readline()
    started = time.monotonic_ns()
    client.stdin.write(b"go\n")
    if await client.stdout.readline() != b"done\n":
        raise RuntimeError("the client was refused")
    accepted = time.monotonic_ns()
    await bench.until_recorded(job.replies)
    finished = time.monotonic_ns()
    await client.wait()
    return started, accepted, finished


if __name__ == "__main__":
    main(run)
