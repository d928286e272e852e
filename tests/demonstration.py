"""A demonstration as `heliograph up` starts it, in this process."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from heliograph.bootstrap.demo import Demo, demo_config, discard, plan_demo, start_demo
from heliograph.bootstrap.process import listen
from heliograph.cli.assembly import Process, Roles, assemble
from heliograph.cli.pages import demonstration_pages
from heliograph.cli.replay.replay import Replay


@dataclass
class Demonstration:
    """What runs, and where."""

    url: str
    process: Process
    demo: Demo
    replay: Replay


@contextlib.asynccontextmanager
async def demonstration(*, database: str = "") -> AsyncIterator[Demonstration]:
    """Start it, and end all of it. `database` is an empty PostgreSQL's address; without one it is on SQLite."""
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    plan = plan_demo(url)
    config = replace(demo_config(plan, release="test"), database=database)
    process = await assemble(config, Roles(listening, work=True, concurrency=20, lease=60.0))
    demo = await start_demo(process.application, plan)
    assert process.gatekeeper is not None
    replay = Replay(process.application, demo, process.gatekeeper)
    await process.serve(demonstration_pages(demo, replay))
    await process.work()
    try:
        yield Demonstration(url, process, demo, replay)
    finally:
        await replay.stop()
        await process.close()
        await demo.stop()
        discard(config)
