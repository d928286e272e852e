"""The interface between the frame and a contestant: a job goes in, a result comes out."""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MARK = "RESULT "


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one contestant is asked to do, once.

    Accept `replies` replies durably, spread evenly over `conversations`, deliver each in order within its
    conversation to the provider at `provider` (base URL), record the result. `concurrency` calls may be open
    at once. `scratch` is an empty directory of the contestant's own; `postgres` and `redis` are addresses of
    an empty database, or "" where the registry did not ask for one. `options` are the registry's own words
    to the module (for example {"workers": 2}).
    """

    name: str
    replies: int
    conversations: int
    concurrency: int
    provider: str
    scratch: str
    app: str = "bench"
    postgres: str = ""
    redis: str = ""
    quick: bool = False
    options: dict[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a contestant says it did. Times are CLOCK_MONOTONIC nanoseconds, comparable between processes.

    `started_ns`: just before the first reply was accepted, workers being up. `accepted_ns`: every reply was
    durable. `finished_ns`: every result was recorded. The provider's own count is the judge; these are not.
    `figures` are flat keys for the JSON report (for example {"latency_ms.p50": 3.1}). A contestant that only
    measures figures leaves `recorded` 0 and is not judged by the provider. `not_measured`, when not empty,
    says why the contestant could not run here.
    """

    recorded: int = 0
    started_ns: int = 0
    accepted_ns: int = 0
    finished_ns: int = 0
    configuration: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    memory_mb: float = 0.0
    cpu_s: float = 0.0
    not_measured: str = ""


def versions_of(*packages: str) -> dict[str, str]:
    """Installed versions of `packages`; one that is not installed is left out."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def main(run: Callable[[Job], Awaitable[Result]]) -> None:
    """Serve as `python -m bench.….NAME`: read the job from stdin, run it on uvloop, print the result."""
    import uvloop  # not needed by the frame, which imports this module too

    job = Job(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = asdict(runner.run(_awaited(run, job)))
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    result["memory_mb"] = result["memory_mb"] or own.ru_maxrss / 1024
    result["cpu_s"] = sum(usage.ru_utime + usage.ru_stime for usage in (own, children))
    result["versions"] = {"python": ".".join(map(str, sys.version_info[:3])), **result["versions"]}
    print(MARK + json.dumps(result), flush=True)
    # Some libraries leave non-daemon threads behind; the result is out, so nothing is lost by not waiting for them.
    os._exit(0)


async def _awaited(run: Callable[[Job], Awaitable[Result]], job: Job) -> Result:
    return await run(job)


def parse_result(stdout: str) -> Result:
    """The result in a contestant's output. Raises ValueError when it printed none."""
    for line in reversed(stdout.splitlines()):
        if line.startswith(MARK):
            return Result(**json.loads(line.removeprefix(MARK)))
    raise ValueError("the contestant printed no result")


def in_scratch(job: Job, name: str) -> Path:
    """A path inside the job's scratch directory."""
    return Path(job.scratch) / name
