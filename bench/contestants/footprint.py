"""Time from starting the command until it is ready, and the memory of its processes after it has worked."""

import asyncio
import base64
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.contestants.installation import MASTER_KEY, install, running
from bench.job import Job, Result, main
from bench.payload import replies
from bench.provider_control import report

#: Seconds within which the command must be ready, and deliver, or the contestant gives up.
PATIENCE = 60.0


async def run(job: Job) -> Result:
    """An installation with waiting replies is written first; then `heliograph up` starts on it and sends them."""
    work = list(replies(job))
    async with running(job, work=False) as bench:
        installation = await install(bench, job, dict.fromkeys(one.conversation for one in work))
        await installation.accept(work)
    port = _free_port()
    environment = os.environ | {
        "HELIOGRAPH_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
        "HELIOGRAPH_ALLOW_NETWORKS": "127.0.0.0/8",
        "HELIOGRAPH_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "heliograph", "up", "--data", job.scratch, "--port", str(port), "--no-browser"]
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"))
        ready_s = time.perf_counter() - began
        await _until(lambda: report(job.provider).taken >= job.replies)
        memory = {pid: _resident_mb(pid) for pid in _family(process.pid)}
    finally:
        process.terminate()
        await process.wait()
    return Result(figures={"ready_s": ready_s, "memory_mb": sum(memory.values()), "memory_processes": len(memory)})


async def _until(done) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(done):
        if time.monotonic() > deadline:
            raise TimeoutError("heliograph up was not ready, or did not deliver, in time")
        await asyncio.sleep(0.01)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _family(pid: int) -> Iterator[int]:
    """A process and its descendants (Linux)."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main(run)
