"""Behind sockets: connection faults are real ones, and the control API steers everything."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from heliograph.sandbox.server import RunningSandbox, new_sandbox, start


@dataclass
class Setup:
    """A running sandbox, its demo and a client."""

    running: RunningSandbox
    http: aiohttp.ClientSession
    demo: dict[str, str]

    async def control(self, method: str, path: str, body: Any = None, code: int = 200) -> Any:
        async with self.http.request(method, f"{self.running.url}/sandbox/{path}", json=body) as answer:
            assert answer.status == code, await answer.text()
            return await answer.json()

    async def send(self, text: str, key: str | None = None, *, url: str = "") -> int:
        path = f"/v2/apps/{self.demo['app_id']}/conversations/{self.demo['conversation_id']}/messages"
        pair = f"{self.demo['key_id']}:{self.demo['key_secret']}".encode()
        body = {"author": {"type": "business"}, "content": {"type": "text", "text": text}, "metadata": {"id": key} if key else {}}
        headers = {"authorization": "Basic " + base64.b64encode(pair).decode()}
        async with self.http.post((url or self.running.sunshine_url) + path, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def accepted(self) -> list[str]:
        return [a["text"] for a in (await self.control("GET", "accepted"))["accepted"]]


@asynccontextmanager
async def running_sandbox(**seed: str) -> AsyncIterator[Setup]:
    running = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(seed=1))
    # A fresh connection for every request, so that what happens to it is the sandbox's doing alone.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as http:
        setup = Setup(running, http, {})
        setup.demo = await setup.control("POST", "seed", seed)
        yield setup
    await running.stop()


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with running_sandbox() as made:
        yield made


async def test_lost_answers_and_requests_close_the_connection(setup: Setup) -> None:
    await setup.control("POST", "faults", {"service": "sunshine", "mode": "answer_lost", "count": 1})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await setup.send("taken")
    await setup.control("POST", "faults", {"service": "sunshine", "mode": "request_lost", "count": 1})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await setup.send("not taken")
    assert await setup.accepted() == ["taken"]
    outcomes = [r["outcome"] for r in (await setup.control("GET", "requests?operation=send"))["requests"]]
    assert outcomes == ["dropped_after", "dropped_before"]


async def test_down_refuses_connections_and_comes_back_at_the_same_address(setup: Setup) -> None:
    assert await setup.send("before") == 201
    await setup.control("POST", "faults", {"service": "sunshine", "mode": "down"})
    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectorError):
            await setup.send("while down")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await setup.send("while down", url=setup.running.url + "/sc")
    await setup.control("DELETE", "faults")
    assert await setup.send("after") == 201
    assert await setup.accepted() == ["before", "after"]


async def test_truncated_garbled_and_dripping_answers(setup: Setup) -> None:
    await setup.control("POST", "faults", {"service": "sunshine", "mode": "truncated", "count": 1})
    with pytest.raises(aiohttp.ClientPayloadError):
        await setup.send("a")
    await setup.control("POST", "faults", {"service": "sunshine", "mode": "garbage", "count": 1})
    assert await setup.send("b") == 200
    await setup.control("POST", "faults", {"service": "sunshine", "mode": "drip", "count": 1, "delay": 0.001})
    assert await setup.send("c") == 201
    assert await setup.accepted() == ["a", "b", "c"]


async def test_taken_late_is_taken_although_the_caller_gave_up(setup: Setup) -> None:
    await setup.control("POST", "faults", {"service": "sunshine", "mode": "taken_late", "count": 1, "delay": 0.3})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(setup.send("late"), 0.05)
    assert await setup.accepted() == []
    async with asyncio.timeout(10):
        while await setup.accepted() != ["late"]:
            await asyncio.sleep(0.02)


async def test_keys_are_revoked_and_restored_one_by_one(setup: Setup) -> None:
    await setup.control("POST", "keys/revoke", {"key_id": setup.demo["key_id"]})
    assert await setup.send("x") == 401
    assert await setup.send("y") == 401
    late = await setup.control("GET", "requests?operation=send&after_first=401")
    assert [r["outcome"] for r in late["requests"]] == ["401"]
    await setup.control("POST", "keys/restore", {"key_id": setup.demo["key_id"]})
    assert await setup.send("x") == 201
    bot = setup.demo["bot_token"].partition(":")[0]
    await setup.control("POST", "keys/revoke", {"key_id": bot})
    async with setup.http.get(f"{setup.running.telegram_url}/bot{setup.demo['bot_token']}/getMe") as answer:
        assert answer.status == 401


async def test_the_judge_over_http(setup: Setup) -> None:
    place = {"conversation": setup.demo["conversation_id"]}
    await setup.control("POST", "written", [{**place, "key": "r1"}, {**place, "key": "r2"}, {**place, "key": "r3"}])
    await setup.send("one", "r1")
    await setup.send("one", "r1")
    await setup.send("three", "r3")
    await setup.control("POST", "terminal", {**place, "key": "r2"})
    counts = await setup.control("GET", "counts")
    named = {n: counts[n] for n in ("written", "delivered", "waiting", "lost", "doubled", "overtaken")}
    assert named == {"written": 3, "delivered": 2, "waiting": 0, "lost": 1, "doubled": 1, "overtaken": 0}


async def test_counts_are_streamed_as_they_change(setup: Setup) -> None:
    async with setup.http.get(f"{setup.running.url}/sandbox/counts/stream") as stream:
        assert stream.content_type == "text/event-stream"
        assert json.loads((await stream.content.readline()).removeprefix(b"data: "))["accepted"] == 0
        await setup.send("x")
        async with asyncio.timeout(10):
            while (line := await stream.content.readline()) and not line.startswith(b"data: "):
                pass
        assert json.loads(line.removeprefix(b"data: "))["accepted"] == 1


async def test_webhooks_are_delivered_and_repeated() -> None:
    seen: list[dict[str, Any]] = []
    arrived = asyncio.Event()

    async def hook(request: web.Request) -> web.Response:
        assert request.headers["x-api-key"] == "s3cret"
        seen.extend((await request.json())["events"])
        if any(e["type"] == "conversation:message" for e in seen):
            arrived.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    async with running_sandbox(webhook_url=url, webhook_secret="s3cret") as setup:
        await setup.control("POST", "contact/text", {"conversation": setup.demo["conversation_id"], "text": "hi"})
        await asyncio.wait_for(arrived.wait(), 10)
        log = await setup.control("GET", "webhooks")
        assert [c["code"] for c in log["calls"]][:1] == [200]
    await runner.cleanup()


async def test_contacts_act_for_both_services(setup: Setup) -> None:
    here = {"conversation": setup.demo["conversation_id"]}
    chat = {"service": "telegram", "conversation": setup.demo["chat_id"]}
    for place in (here, chat):
        await setup.control("POST", "contact/text", {**place, "text": "hi"})
        await setup.control("POST", "contact/location", {**place, "latitude": 1.5, "longitude": 2})
        form = aiohttp.FormData({"service": "sunshine", **place})
        form.add_field("file", b"\x89PNG", filename="a.png", content_type="image/png")
        async with setup.http.post(f"{setup.running.url}/sandbox/contact/file", data=form) as answer:
            assert answer.status == 200, await answer.text()
        await setup.control("POST", "contact/read", place)
        query = "&".join(f"{k}={v}" for k, v in place.items())
        phone = await setup.control("GET", f"phone?{query}")
        assert [bool(m["mine"]) for m in phone["messages"]] == [True] * 3
        url = phone["messages"][2]["media"]["url"]
        async with setup.http.get(url if url.startswith("http") else setup.running.url + url) as file:
            assert await file.read() == b"\x89PNG"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("faults", {"service": "sunshine", "mode": "nonsense"}, 400),
        ("contact/text", {"conversation": "nobody", "text": "x"}, 404),
        ("contact/dance", {"conversation": "nobody"}, 404),
        ("contact/text", {"conversation": 1}, 400),
        ("keys/revoke", {"key_id": "nobody"}, 404),
        ("written", [1], 400),
        ("written", {"conversation": "c"}, 400),
        ("settings", {"batch": "x"}, 400),
        ("sunshine/contacts", {"app_id": "nobody"}, 404),
        ("nonsense", {}, 404),
    ],
)
async def test_bad_control_requests_have_a_reason(setup: Setup, path: str, body: Any, code: int) -> None:
    assert (await setup.control("POST", path, body, code))["error"]


async def test_nothing_forbids_framing(setup: Setup) -> None:
    for path in ("phone", "strip"):
        async with setup.http.get(f"{setup.running.url}/{path}") as answer:
            assert answer.status == 200
            assert "x-frame-options" not in answer.headers
            assert "frame-ancestors" not in answer.headers["content-security-policy"]


async def test_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heliograph.sandbox", "--port", "0", "--seed-demo", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            url = (await process.stdout.readline()).decode().strip()
            demo = json.loads(await process.stdout.readline())
            async with aiohttp.ClientSession() as http, http.get(f"{demo['telegram_url']}/bot{demo['bot_token']}/getMe") as answer:
                assert (await answer.json())["ok"] is True
            assert url.startswith("http://127.0.0.1:")
    finally:
        process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0
