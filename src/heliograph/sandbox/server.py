"""The sandbox behind real sockets: aiohttp servers that carry out every outcome, connection faults included."""

import asyncio
import random
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

from heliograph.sandbox import control, pages
from heliograph.sandbox.carrying import through_sockets
from heliograph.sandbox.errands import carry_all
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.outbox import Callback
from heliograph.sandbox.pulse import changed, deliver
from heliograph.sandbox.wire import SECOND, Cut, Drip, Drop, Outcome, Park, Refuse, Reply, Request, Response, Upload
from heliograph.sandbox.world import Sandbox
from heliograph.sandbox.zendesk import control as zendesk_control, desk as zendesk_desk, pages as zendesk_pages

_BODY_LIMIT = 60 * 1_048_576
_CALLS_AT_ONCE = 8
#: Seconds after which a stream that has no news says that it is there.
BEAT = 3.0
#: What follows a listener's own address; with all others it is the service's name.
PREFIXES = {"sunshine": "/sc", "telegram": "", "zendesk": ""}


def now() -> int:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1000


def new_sandbox(seed: int | None = None) -> Sandbox:
    """A sandbox on the wall clock; `seed` makes ids and the dice of faults repeatable."""
    return Sandbox(now=now, rand=random.Random(seed).random)


@dataclass(slots=True)
class RunningSandbox:
    """A sandbox that listens. `url` serves everything, with the control API and the pages.

    `urls` has the address of each service's API, by name, at a listener of its own: only there does the fault "down" refuse
    connections; at `url` the connection is closed instead. Sunshine's is to be used with /v2/..., Telegram's with /bot<token>/... appended.
    """

    url: str
    urls: Mapping[str, str]
    sandbox: Sandbox = field(repr=False)
    _listeners: "list[_Listener]" = field(repr=False)
    _tasks: set[asyncio.Task[None]] = field(repr=False)
    _client: ClientSession = field(repr=False)

    @property
    def sunshine_url(self) -> str:
        """Sunshine Conversations."""
        return self.urls["sunshine"]

    @property
    def telegram_url(self) -> str:
        """Telegram."""
        return self.urls["telegram"]

    @property
    def origins(self) -> list[str]:
        """Scheme, host and port of each service's listener."""
        return [url.removesuffix(PREFIXES.get(name, f"/{name}")) for name, url in self.urls.items()]

    async def stop(self) -> None:
        """Close everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._listeners:
            await listener.close()
        await self._client.close()


async def start(*, host: str, port: int, sandbox: Sandbox, service_ports: Mapping[str, int] | None = None) -> RunningSandbox:
    """Listen on loopback; port 0 takes a free one. `service_ports` fixes ports by name. Raises OSError."""
    tasks: set[asyncio.Task[None]] = set()
    doors = {name: _Listener(host, (service_ports or {}).get(name, 0), _service_app(sandbox)) for name in sandbox.services}
    front = _Listener(host, port, _front_app(sandbox, doors))
    listeners = [*doors.values(), front]
    try:
        for listener in listeners:
            await listener.open()
    except OSError:
        for listener in listeners:
            await listener.close()
        raise
    client = ClientSession(connector=TCPConnector(limit=_CALLS_AT_ONCE * 2), trust_env=False)
    gate = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def receive(call: Callback) -> int | None:
        async with gate:
            return await _post(client, call)

    def keep(work: Coroutine[object, object, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(cast("Coroutine[Any, Any, None]", work))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    keep(deliver(sandbox, receive, sleep=_sleep, start=keep))
    keep(_watch_doors(sandbox, doors))
    sandbox.zendesk.center.base = doors["zendesk"].url
    keep(carry_all(sandbox.errands, sandbox.now, through_sockets(client), changed=lambda wait: changed(sandbox, _sleep, wait), start=keep))
    return RunningSandbox(front.url, _urls(doors), sandbox, listeners, tasks, client)


def _urls(doors: "Mapping[str, _Listener]") -> dict[str, str]:
    return {name: f"{door.url}{PREFIXES.get(name, f'/{name}')}" for name, door in doors.items()}


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _post(client: ClientSession, call: Callback) -> int | None:
    timeout = ClientTimeout(total=call.timeout)
    try:
        async with client.post(call.url, data=call.body, headers=call.headers, timeout=timeout, allow_redirects=False) as answer:
            await answer.read()
            return answer.status
    except (ClientError, TimeoutError, OSError):
        return None


# --- listening --------------------------------------------------------------------------------


class _Listener:
    """One listening socket that can be closed and opened again at the same port."""

    def __init__(self, host: str, port: int, app: web.Application) -> None:
        self.app = app
        self._host = host
        self._port = port
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handle_signals=False)
        self._site: web.TCPSite | None = None
        self._ready = False
        self._moving = asyncio.Lock()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def open(self) -> None:
        async with self._moving:
            if self._site is not None:
                return
            if not self._ready:
                await self._runner.setup()
                self._ready = True
            site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
            await site.start()
            self._site = site
            self._port = self._runner.addresses[0][1]

    async def shut(self) -> None:
        """Refuse connections and cut those that are open."""
        async with self._moving:
            if self._site is None:
                return
            await self._site.stop()
            self._site = None
            server = self._runner.server
            for connection in list(server.connections) if server else []:
                if connection.transport is not None:
                    connection.transport.abort()

    async def close(self) -> None:
        await self._runner.cleanup()


async def _watch_doors(sandbox: Sandbox, doors: Mapping[str, _Listener]) -> None:
    while True:
        await _set_doors(sandbox, doors)
        await changed(sandbox, _sleep, None)


async def _set_doors(sandbox: Sandbox, doors: Mapping[str, _Listener]) -> None:
    for name, door in doors.items():
        if sandbox.faults.is_on(name, Mode.DOWN):
            await door.shut()
        else:
            await door.open()


# --- answering --------------------------------------------------------------------------------


def _service_app(sandbox: Sandbox) -> web.Application:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await _carry_out(sandbox, sandbox.handle(await _read(request)), request)

    app = web.Application(client_max_size=_BODY_LIMIT)
    app.router.add_route("*", "/{path:.*}", serve)
    return app


def _front_app(sandbox: Sandbox, doors: Mapping[str, _Listener]) -> web.Application:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await _carry_out(sandbox, sandbox.handle(await _read(request)), request)

    async def steer(request: web.Request) -> web.StreamResponse:
        response = control.handle(sandbox, await _read(request))
        # A switch has worked when its answer is there.
        await _set_doors(sandbox, doors)
        return _plain(response)

    async def urls(request: web.Request) -> web.StreamResponse:
        return web.json_response(_urls(doors))

    async def page(request: web.Request) -> web.StreamResponse:
        return _plain(pages.page(request.path))

    async def watch_counts(request: web.Request) -> web.StreamResponse:
        return await _stream(sandbox, request, lambda: pages.strip_news(sandbox))

    async def watch_phone(request: web.Request) -> web.StreamResponse:
        return await _stream(sandbox, request, lambda: pages.phone_news(sandbox, request.query))

    app = web.Application(client_max_size=_BODY_LIMIT)
    for path in pages.PATHS:
        app.router.add_get(path, page)
    _add_zendesk(app, sandbox)
    app.router.add_get("/sandbox/urls", urls)
    app.router.add_get("/sandbox/counts/stream", watch_counts)
    app.router.add_get("/sandbox/phone/stream", watch_phone)
    app.router.add_route("*", "/sandbox", steer)
    app.router.add_route("*", "/sandbox/{path:.*}", steer)
    app.router.add_route("*", "/{path:.*}", serve)
    return app


def _add_zendesk(app: web.Application, sandbox: Sandbox) -> None:
    center = sandbox.zendesk.center

    async def page(request: web.Request) -> web.StreamResponse:
        return _plain(zendesk_pages.page(request.path))

    async def steer(request: web.Request) -> web.StreamResponse:
        return _plain(zendesk_control.handle(center, await _read(request)))

    async def watch(request: web.Request) -> web.StreamResponse:
        return await _stream(sandbox, request, lambda: zendesk_desk.news(center, request.query))

    for path in zendesk_pages.PATHS:
        app.router.add_get(path, page)
    app.router.add_get(zendesk_pages.STREAM, watch)
    app.router.add_route("*", zendesk_control.PREFIX + "/{path:.*}", steer)


async def _read(request: web.Request) -> Request:
    form: dict[str, str] = {}
    files: list[Upload] = []
    body = b""
    if request.content_type == "application/x-www-form-urlencoded":
        # Kept as it came, too: one official client calls the bytes of a file a form.
        body = await request.read()
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    elif request.content_type == "multipart/form-data":
        try:
            fields = await request.post()
        except ValueError:
            raise web.HTTPBadRequest(text="malformed form") from None
        for name, value in fields.items():
            if isinstance(value, web.FileField):
                files.append(Upload(name, value.filename, value.content_type, value.file.read()))
            else:
                form[name] = value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")
    else:
        body = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(request.method, request.rel_url.raw_path, dict(request.query), headers, body, form, tuple(files))


def _plain(response: Response) -> web.Response:
    return web.Response(status=response.code, body=response.body, headers=dict(response.headers))


async def _carry_out(sandbox: Sandbox, outcome: Outcome, request: web.Request) -> web.StreamResponse:
    while isinstance(outcome, Park):
        wait = max(0.0, (outcome.until - sandbox.now()) / SECOND)
        if outcome.wakeable:
            await changed(sandbox, _sleep, wait)
        else:
            await _sleep(wait)
        outcome = outcome.again()
    match outcome:
        case Reply(response=response, delay=delay):
            await _sleep(delay) if delay else None
            return _plain(response)
        case Drop(delay=delay):
            await _sleep(delay) if delay else None
            return _hang_up(request)
        case Refuse():
            return _hang_up(request)
        case Cut(response=response, keep=keep, delay=delay):
            await _sleep(delay) if delay else None
            return await _piecewise(request, response, [response.body[:keep]], 0.0)
        case Drip(response=response, chunk=chunk, interval=interval):
            pieces = [response.body[i : i + chunk] for i in range(0, len(response.body), chunk)]
            return await _piecewise(request, response, pieces, interval)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _piecewise(request: web.Request, response: Response, pieces: list[bytes], interval: float) -> web.StreamResponse:
    stream = web.StreamResponse(status=response.code, headers=dict(response.headers))
    stream.content_length = len(response.body)
    try:
        await stream.prepare(request)
        for number, piece in enumerate(pieces):
            if number:
                await _sleep(interval)
            await stream.write(piece)
    except ConnectionError:
        return stream
    if sum(map(len, pieces)) < len(response.body) and request.transport is not None:
        request.transport.close()
    return stream


async def _stream(sandbox: Sandbox, request: web.Request, news: pages.News) -> web.StreamResponse:
    stream = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
    shown, written_at = "", sandbox.now()
    try:
        await stream.prepare(request)
        while True:
            seen = sandbox.revision
            fresh = news()
            if fresh != shown:
                shown, written_at = fresh, sandbox.now()
                await stream.write(f"data: {fresh}\n\n".encode())
            elif sandbox.now() - written_at >= BEAT * SECOND:
                # Also while others are busy: a proxy takes silence for an end.
                written_at = sandbox.now()
                await stream.write(b": still here\n\n")
            elif seen == sandbox.revision:
                await changed(sandbox, _sleep, BEAT)
            # Many changes at once are shown as one.
            await _sleep(0.05)
    except ConnectionError:
        return stream
