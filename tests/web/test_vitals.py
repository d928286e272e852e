"""What probes of an orchestrator and Prometheus see: local facts only."""

import asyncio
from typing import Any

import pytest

from heliograph.bootstrap.metrics import Metrics
from heliograph.domain import gate
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


class Gate:
    """A release that was refused, until somebody lets it through."""

    row = gate.registered("rel_1")._replace(stage=gate.Stage.REFUSED, basis="witness_passes", subject="sun", variable="HELIOGRAPH_X")
    may_send = False


async def test_started_tells_why_the_release_may_not_send_and_latches_once_it_may(here: House) -> None:
    await vitals.start(here.application, here.vitals)
    refused = Gate()
    here.vitals.gate = refused
    answer = await here.send("GET", "/startupz", None, by="")
    assert answer.code == 503
    assert {"release": "rel_1", "stage": "refused", "subject": "sun", "variable": "HELIOGRAPH_X"}.items() <= answer.json().items()
    assert await code(here, "/readyz") == 200
    refused.may_send = True
    assert await code(here, "/startupz") == 200
    refused.may_send = False
    assert await code(here, "/startupz") == 200


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


async def from_elsewhere(here: House, host: str, *headers: tuple[bytes, bytes]) -> int:
    """Ask for the numbers from an address that no test can have; 0 stands for a socket without one."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/metrics",
        "raw_path": b"/metrics", "query_string": b"", "root_path": "", "headers": [(b"host", b"desk"), *headers],
        "client": (host, 1) if host else None, "server": ("127.0.0.1", 1), "state": {},
    }  # fmt: skip
    codes: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        codes.append(message.get("status", 0))

    await here.app(scope, receive, send)
    return codes[0]


@pytest.mark.parametrize("host", ["203.0.113.9", "10.0.0.7", "2001:db8::1", "::ffff:203.0.113.9", "testclient", ""])
async def test_the_numbers_are_for_this_machine_unless_somebody_says_otherwise(here: House, host: str) -> None:
    assert await from_elsewhere(here, host) == 403
    here.vitals.metrics_open = True
    assert await from_elsewhere(here, host) == 200
    here.vitals.metrics_open, here.vitals.metrics_token = False, "numbers"
    assert await from_elsewhere(here, host) == 401
    assert await from_elsewhere(here, host, (b"authorization", b"Bearer numbers")) == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
async def test_a_proxy_on_this_machine_asks_for_others(here: House, host: str) -> None:
    assert await from_elsewhere(here, host) == 200
    for name in (b"x-forwarded-for", b"x-real-ip", b"forwarded", b"via"):
        assert await from_elsewhere(here, host, (name, b"127.0.0.1")) == 403


async def test_who_asks_for_the_numbers_together_shares_one_count(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    store = here.application.context.store
    counted, times, gone = store.waiting, [0], [False]
    now = [1_000_000]

    async def counting() -> Any:
        times[0] += 1
        if gone[0]:
            raise Unavailable("gone")
        await asyncio.sleep(0.05)
        return await counted()

    monkeypatch.setattr(store, "waiting", counting)
    metrics = Metrics(lambda: now[0])
    first = asyncio.create_task(metrics.render(store))
    others = [asyncio.create_task(metrics.render(store)) for _ in range(9)]
    await asyncio.sleep(0.01)
    # Whoever asked first and hung up takes nothing away from the others.
    first.cancel()
    pages = set(await asyncio.gather(*others))
    now[0] += 900_000
    pages.add(await metrics.render(store))
    assert (len(pages), times) == (1, [1])
    now[0] += 200_000
    await metrics.render(store)
    assert times == [2]
    # A count that failed is nobody's a moment later.
    gone[0], now[0] = True, now[0] + 2_000_000
    with pytest.raises(Unavailable):
        await metrics.render(store)
    gone[0] = False
    await metrics.render(store)
    assert times == [4]
