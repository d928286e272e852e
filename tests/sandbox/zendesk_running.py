"""The simulated Zendesk behind real sockets, and an integration service beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

from heliograph.sandbox.pulse import changed
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start
from heliograph.sandbox.zendesk.center import Center
from heliograph.sandbox.zendesk.state import Instance
from tests.sandbox.zendesk_world import MANIFEST


@dataclass
class Running:
    """Zendesk at `url` (everything) and `api` (alone); the service answers by `answers`, which a test changes."""

    sandbox: RunningSandbox
    http: ClientSession
    service_url: str = ""
    #: What the service was sent: path and form or events.
    asked: list[tuple[str, Any]] = field(default_factory=list)
    #: Code and body by path.
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.sandbox.url

    @property
    def api(self) -> str:
        return self.sandbox.urls["zendesk"]

    @property
    def center(self) -> Center:
        return self.sandbox.sandbox.zendesk.center

    @property
    def instance(self) -> Instance:
        return next(iter(self.center.instances.values()))

    async def until(self, want: Callable[[], Any], seconds: float = 10) -> None:
        """Wait until `want()` holds."""
        async with asyncio.timeout(seconds):
            while not want():
                await changed(self.sandbox.sandbox, asyncio.sleep, 0.05)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, f"{self.url}/sandbox/zendesk/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def add_account(self) -> None:
        """Register the service, and go through its admin page as a browser does."""
        made = await self.control("POST", "act/register", {"manifest_url": self.service_url + "/manifest"})
        await self.until(lambda: self.center.integrations[made["integration"]].manifest)
        form = await self.control("GET", f"account?integration={made['integration']}&as=json")
        async with self.http.post(form["address"], data=form["fields"]) as page:
            assert page.status == 200
        back = {"name": "Shop", "metadata": '{"link":"l","secret":"s"}', "state": ""}
        async with self.http.post(form["fields"]["return_url"], data=back) as saved:
            assert saved.status == 200, await saved.text()

    async def push(self, *items: dict[str, Any]) -> list[str]:
        body = {"instance_push_id": self.instance.push_id, "external_resources": list(items)}
        headers = {"authorization": f"Bearer {self.instance.token}"}
        async with self.http.post(f"{self.api}/api/v2/any_channel/push.json", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return [each["status"]["code"] for each in (await answer.json())["results"]]


@asynccontextmanager
async def running_zendesk() -> AsyncIterator[Running]:
    """All of it, until the block ends."""
    sandbox = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(seed=1))
    async with ClientSession() as http:
        made = Running(sandbox, http)
        runner = web.AppRunner(_service(made), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.service_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield made
        finally:
            await sandbox.stop()
            await runner.cleanup()


def _service(made: Running) -> web.Application:
    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/manifest":
            return web.json_response(MANIFEST)
        if request.content_type == "application/json":
            made.asked.append((path, await request.json()))
        else:
            made.asked.append((path, list((await request.post()).items())))
        if path == "/channelback" and path not in made.answers:
            return web.json_response({"external_id": f"ours-{dict(made.asked[-1][1])['request_unique_identifier']}"})
        code, body = made.answers.get(path, (200, {"external_resources": []} if path == "/pull" else {}))
        return web.Response(status=code, body=body) if isinstance(body, bytes) else web.json_response(body, status=code)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app
