"""The API keeps to its own description: generated requests, good and bad, never meet a fault of ours."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from heliograph.web.policy import API, POLICY, Need
from tests.web.installation import House, house

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: Examples of one route; all routes together stay below a minute.
EXAMPLES = 12


class Running:
    """A house on a loop of its own thread, since the generator is not asynchronous."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="house")
        self.here: House
        self.ids: dict[str, str] = {}

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        async with house(self._folder) as self.here:
            await self.here.contact_writes("hello")
            ticket = (await self.here.ticket())["id"]
            saved = await self.here.write(ticket, "answer")
            file = (await self.here.send("POST", f"{API}/files?name=a.txt", b"text", content_type="text/plain")).json()
            self.ids = {"ticket": ticket, "delivery": saved["deliveries"][0], "channel": self.here.channel, "file": file["id"]}
            self._ready.set()
            await self._over.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("described"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def schema(running: Running) -> Any:
    return schemathesis.openapi.from_url(f"{running.here.url}{API}/openapi.json")


ROUTES = sorted(route for route, need in POLICY.items() if need is not Need.OPEN)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route))
def test_generated_requests_are_answered_as_described(running: Running, schema: Any, route: tuple[str, str]) -> None:
    method, path = route
    operation = schema[path][method]
    headers = {"authorization": f"Bearer {running.here.tokens['admin']}"}
    good, bad = (operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    strategy = st.one_of(good, bad)

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=strategy, real=st.booleans())
    def check(case: Any, real: bool) -> None:
        for name, value in running.ids.items():
            # Half of the requests speak of something that exists.
            if real and name in (case.path_parameters or {}):
                case.path_parameters[name] = value
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=10)

    check()
