"""What probes of an orchestrator and Prometheus see: local facts only."""

import asyncio
from typing import Any

from heliograph.ports.store import Unavailable
from heliograph.sandbox.faults import Fault, Mode
from heliograph.web import vitals
from tests.web.installation import House


async def code(here: House, path: str, **sent: str) -> int:
    return (await here.send("GET", path, None, by="", **sent)).code


async def test_alive_and_ready_whatever_the_provider_does(here: House) -> None:
    here.sandbox.sandbox.faults.set(Fault(service="sunshine", mode=Mode.DOWN))
    assert await code(here, "/livez") == 200
    assert await code(here, "/readyz") == 200


async def test_started_once_every_channel_was_probed_and_for_good(here: House) -> None:
    assert await code(here, "/startupz") == 503
    here.sandbox.sandbox.faults.set(Fault(service="sunshine", mode=Mode.REVOKED))
    await vitals.start(here.application, here.vitals)
    assert await code(here, "/startupz") == 200
    assert any(name == "probe_concluded" for name, _ in here.observed)
    assert await code(here, "/readyz") == 200


async def test_not_ready_while_draining(here: House) -> None:
    here.vitals.draining = True
    assert await code(here, "/readyz") == 503
    assert await code(here, "/livez") == 200


async def test_not_ready_while_the_store_does_not_answer(here: House, monkeypatch: Any) -> None:
    async def gone() -> None:
        raise Unavailable("gone")

    async def never() -> None:
        await asyncio.Event().wait()

    store = here.application.context.store
    monkeypatch.setattr(vitals, "PATIENCE", 0.05)
    for trouble in (gone, never):
        monkeypatch.setattr(store, "installation", trouble)
        assert await code(here, "/readyz") == 503
    assert await code(here, "/livez") == 200


async def test_the_numbers(here: House) -> None:
    await here.contact_writes("canary-in")
    await here.write((await here.ticket())["id"], "canary-out")
    answer = await here.send("GET", "/metrics", by="")
    assert answer.code == 200 and answer.headers["content-type"].startswith("text/plain")
    text = answer.body.decode()
    assert f'channel="{here.channel}"' in text and "heliograph_inbound" in text
    assert "canary" not in text


async def test_the_numbers_can_ask_for_a_token_of_their_own(here: House) -> None:
    here.vitals.metrics_token = "numbers"
    assert await code(here, "/metrics") == 401
    assert await code(here, "/metrics", authorization="Bearer wrong") == 401
    assert await code(here, "/metrics", authorization="Bearer numbers") == 200
