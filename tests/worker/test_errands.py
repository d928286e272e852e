"""Errands at a place that hangs keep a few calls, whatever their number, and those elsewhere go on."""

import asyncio
from pathlib import Path

from heliograph.ports.http import HttpResponse
from heliograph.worker.errands import Errands
from heliograph.worker.worker import AT_ONE_PLACE, Worker
from tests.storage.engines import SqliteEngine
from tests.worker.test_traffic import town

CHANNELS = 3 * AT_ONE_PLACE


async def test_a_few_run_at_one_place_and_one_about_each_thing() -> None:
    over, begun = asyncio.Event(), list[str]()
    errands = Errands(lambda errand: errand(), at_once=2)  # type: ignore[arg-type, return-value]

    async def one(name: str) -> None:
        begun.append(name)
        await over.wait()

    for n in range(5):
        assert errands.start(n, lambda n=n: one(f"here {n}"), place="here")  # type: ignore[misc]
        assert not errands.start(n, lambda: one("again"), place="there")
    assert errands.start("x", lambda: one("there"), place="there")
    await asyncio.sleep(0)
    assert (sorted(begun), errands.number) == (["here 0", "here 1", "there"], 6)
    over.set()
    await asyncio.gather(*errands.tasks)
    await asyncio.sleep(0)
    assert (len(begun), errands.number, 0 in errands) == (6, 0, False)


async def test_what_is_stopped_before_its_first_step_may_begin_again() -> None:
    errands = Errands(lambda errand: errand(), at_once=1)  # type: ignore[arg-type, return-value]
    assert errands.start("x", lambda: asyncio.sleep(0), place="here")
    for task in errands.tasks:
        task.cancel()
    await asyncio.gather(*errands.tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert errands.start("x", lambda: asyncio.sleep(0), place="here")
    await asyncio.gather(*errands.tasks)


async def test_routine_probes_at_a_place_that_hangs_leave_room_for_a_probe_for_a_reason_and_for_other_places(
    tmp_path: Path, sqlite: SqliteEngine
) -> None:
    async with town(tmp_path, sqlite) as made:
        over = asyncio.Event()

        async def never() -> HttpResponse:
            await over.wait()
            return HttpResponse(503, {}, b"")

        async def at_once() -> HttpResponse:
            await asyncio.sleep(0)
            return HttpResponse(200, {}, b"{}")

        made.line.hosts = {"hangs.example": never, "well.example": at_once}
        for _ in range(CHANNELS):
            await made.found("hangs.example", 0)
        await made.found("well.example", 0)
        context = made.application.context
        worker = Worker(context, made.application.holds, name="w", concurrency=8, lease=60.0)
        worker.start()
        try:
            while made.line.calls("hangs.example") < AT_ONE_PLACE or not made.line.calls("well.example"):
                await asyncio.sleep(0.01)
            assert made.line.calls("hangs.example") == AT_ONE_PLACE
            channel = (await context.store.all_channels())[CHANNELS - 1]
            context.suspect(channel.account, channel.id)
            while made.line.calls("hangs.example") == AT_ONE_PLACE:
                await asyncio.sleep(0.01)
            assert made.line.calls("hangs.example") == AT_ONE_PLACE + 1
            over.set()
            while made.line.calls("hangs.example") < CHANNELS:
                await asyncio.sleep(0.01)
        finally:
            await worker.stop()
