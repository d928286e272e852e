"""Whatever claiming runs into, sending goes on once it is over."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from heliograph.bootstrap.metrics import Metrics
from heliograph.domain.delivery import State
from heliograph.ports.http import HttpResponse
from heliograph.ports.store import Claimed, Conflict, Unavailable
from heliograph.worker import delivering
from heliograph.worker.delivering import DeliveryLoop
from tests.services.test_troubles import Line, desk

TAKEN = HttpResponse(200, {}, b'{"ok":true,"result":{"message_id":7,"chat":{"id":5}}}')


@pytest.mark.parametrize("call", ["claim", "next_due"])
async def test_a_claim_that_fails_is_told_counted_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(delivering, "POLL", 0.01)
    monkeypatch.setattr(delivering, "PAUSE", 0.01)
    monkeypatch.setattr(delivering, "LONGEST_PAUSE", 0.02)
    made = await desk(tmp_path, "telegram", Line(lambda method, url: TAKEN))
    context, store = made.context, made.context.store
    metrics = Metrics(context.clock.now)
    observed: list[tuple[str, dict[str, Any]]] = []

    def observe(name: str, fields: Mapping[str, str | int | float]) -> None:
        observed.append((name, dict(fields)))
        metrics.observe(name, fields)

    context.observe = observe
    troubles = [trouble("canary") for trouble in (RuntimeError, Unavailable, KeyError, Conflict, ValueError)]
    whole, over = getattr(store, call), asyncio.Event()

    async def troubled(*positional: Any, **named: Any) -> list[Claimed] | int | None:
        if troubles:
            raise troubles.pop(0)
        over.set()
        found: list[Claimed] | int | None = await whole(*positional, **named)
        return found

    monkeypatch.setattr(store, call, troubled)
    loop = DeliveryLoop(context, made.application.holds, worker="w", concurrency=4, lease=60.0)
    store.on_touched = loop.wake
    running = asyncio.create_task(loop.run())
    try:
        async with asyncio.timeout(20):
            await over.wait()
            id = await made.say()
            while (found := await store.delivery(made.account, id)) is None or found.state is not State.ACCEPTED:
                await asyncio.sleep(0.005)
    finally:
        loop.stop()
        await running
    bugs = [fields for name, fields in observed if name == "claim_bug"]
    assert [each["error"] for each in bugs][:2] == ["RuntimeError", "KeyError"] and "ValueError" in bugs[-1]["error"]
    assert "canary" not in str(observed)
    page = (await metrics.render(store)).decode()
    assert f'heliograph_bugs_total{{place="claim"}} {float(len(bugs))}' in page
    await made.application.close()
