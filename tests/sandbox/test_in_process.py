"""Behind the Http port: the same core without sockets, in virtual time, the same run twice."""

import asyncio
import base64
import heapq
import itertools
import json
import random
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest

from heliograph.ports.http import HttpResponse, MaybeSent, NotSent
from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.in_process import SandboxHttp
from heliograph.sandbox.outbox import Callback
from heliograph.sandbox.pulse import deliver
from heliograph.sandbox.world import Sandbox


class VirtualTime:
    """Sleeps that end in order, without waiting."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + int(seconds * 1_000_000), next(self._count), future))
        await future

    async def run(self, work: Awaitable[Any]) -> Any:
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(50):
                await asyncio.sleep(0)
            if not task.done() and self._sleepers:
                self.now, _, future = heapq.heappop(self._sleepers)
                if not future.done():
                    future.set_result(None)
        return task.result()


class Setup:
    """A sandbox behind the port, in virtual time."""

    def __init__(self, seed: int = 1) -> None:
        self.time = VirtualTime()
        self.sandbox = Sandbox(now=lambda: self.time.now, rand=random.Random(seed).random)
        self.demo = self.sandbox.seed_demo(webhook_url="http://desk.invalid/hook", webhook_secret="s")
        self.tasks: list[asyncio.Task[None]] = []
        self.http = SandboxHttp(self.sandbox, sleep=self.time.sleep, start=self.start)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def send(self, text: str, timeout: float = 10.0) -> HttpResponse:
        pair = base64.b64encode(f"{self.demo.key_id}:{self.demo.key_secret}".encode()).decode()
        url = f"http://sandbox.invalid/sc/v2/apps/{self.demo.app_id}/conversations/{self.demo.conversation_id}/messages"
        body = json.dumps({"author": {"type": "business"}, "content": {"type": "text", "text": text}}).encode()
        headers = {"Authorization": "Basic " + pair, "Content-Type": "application/json"}
        return await self.http.request("POST", url, headers=headers, body=body, timeout=timeout)

    def taken(self) -> list[str]:
        return [t.text for t in self.sandbox.tally.taken()]


@pytest.mark.parametrize(
    ("fault", "raised", "said", "is_taken"),
    [
        (Fault("sunshine", Mode.DOWN), NotSent, "connect", False),
        (Fault("sunshine", Mode.REQUEST_LOST), MaybeSent, "closed", False),
        (Fault("sunshine", Mode.ANSWER_LOST), MaybeSent, "closed", True),
        (Fault("sunshine", Mode.TRUNCATED), MaybeSent, "truncated", True),
        (Fault("sunshine", Mode.SLOW, delay=20.0), MaybeSent, "read_timeout", True),
        (Fault("sunshine", Mode.DRIP, delay=20.0), MaybeSent, "read_timeout", True),
    ],
)
async def test_faults_are_what_the_port_says(fault: Fault, raised: type[Exception], said: str, is_taken: bool) -> None:
    setup = Setup()
    setup.sandbox.faults.set(fault)
    with pytest.raises(raised, match=said):
        await setup.time.run(setup.send("x"))
    assert setup.taken() == (["x"] if is_taken else [])


async def test_what_is_taken_late_is_taken_after_the_caller_gave_up() -> None:
    setup = Setup()
    setup.sandbox.faults.set(Fault("sunshine", Mode.TAKEN_LATE, delay=60.0, count=1))
    began = setup.time.now
    with pytest.raises(MaybeSent, match="read_timeout"):
        await setup.time.run(setup.send("late"))
    assert (setup.time.now - began, setup.taken()) == (10_000_000, [])
    await setup.time.run(setup.tasks[0])
    assert (setup.time.now - began, setup.taken()) == (60_000_000, ["late"])


async def test_a_long_poll_ends_with_news_or_with_time() -> None:
    setup = Setup()
    url = f"http://sandbox.invalid/bot{setup.demo.bot_token}/getUpdates?timeout=30"

    async def poll() -> list[dict[str, Any]]:
        answer = await setup.http.request("GET", url, headers={}, timeout=40.0)
        return json.loads(answer.body)["result"]

    async def write_later() -> None:
        await setup.time.sleep(5.0)
        setup.sandbox.telegram.contacts.text(setup.demo.chat_id, "hi")

    began = setup.time.now
    assert await setup.time.run(poll()) == []
    assert setup.time.now - began == 30_000_000
    setup.start(write_later())
    assert [u["message"]["text"] for u in await setup.time.run(poll())] == ["hi"]
    assert setup.time.now - began == 35_000_000


async def run_for_a_while(seed: int) -> tuple[list[str], list[tuple[int, str, int]]]:
    setup = Setup(seed)
    calls: list[tuple[int, str, int]] = []
    for mode in (Mode.ANSWER_LOST, Mode.REQUEST_LOST, Mode.WEBHOOK_DUPLICATED, Mode.WEBHOOK_LATE):
        setup.sandbox.faults.set(Fault("sunshine", mode, probability=0.2))

    async def receive(call: Callback) -> int | None:
        await setup.time.sleep(0.1)
        calls.append((setup.time.now, call.body.decode()[-60:], len(call.body)))
        return 200 if len(calls) % 7 else 503

    async def work() -> None:
        for number in range(40):
            try:
                await setup.send(str(number))
            except MaybeSent:
                await setup.time.sleep(1.0)
        await setup.time.sleep(900.0)

    setup.start(deliver(setup.sandbox, receive, sleep=setup.time.sleep, start=setup.start))
    await setup.time.run(work())
    setup.tasks[0].cancel()
    return setup.taken(), calls


async def test_the_same_seed_gives_the_same_run() -> None:
    first, again, other = await run_for_a_while(3), await run_for_a_while(3), await run_for_a_while(4)
    assert first == again
    assert first[0] != other[0]
    assert len(first[1]) > 60
