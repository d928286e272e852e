"""The sandbox behind the Http port, without sockets: for simulations in virtual time."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from heliograph.ports.http import HttpFile, HttpResponse, MaybeSent, NotSent
from heliograph.sandbox.pulse import Sleep, Start, changed
from heliograph.sandbox.wire import SECOND, Cut, Drip, Drop, Outcome, Park, Refuse, Reply, Request, Response, Upload
from heliograph.sandbox.world import Sandbox


class SandboxHttp:
    """Implements `heliograph.ports.http.Http` by calling the sandbox. `sleep` runs on the simulation's clock, `start` starts a task."""

    def __init__(self, sandbox: Sandbox, *, sleep: Sleep, start: Start) -> None:
        self._sandbox = sandbox
        self._sleep = sleep
        self._start = start

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (),
        timeout: float,
        max_bytes: int = 1_048_576,
    ) -> HttpResponse:
        """As the port says. A parked outcome is carried through even if the caller's deadline passes first."""
        parts = urlsplit(url)
        asked = Request(
            method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)),
            {**{k.lower(): v for k, v in headers.items()}, "host": parts.netloc}, body or b"", dict(form or {}),
            tuple(Upload(f.field, f.name, f.media_type, f.data) for f in files),
        )  # fmt: skip
        deadline = self._sandbox.now() + int(timeout * SECOND)
        outcome = self._sandbox.handle(asked)
        while isinstance(outcome, Park):
            left = (deadline - self._sandbox.now()) / SECOND
            wait = (outcome.until - self._sandbox.now()) / SECOND
            if wait >= left and not outcome.wakeable:
                self._start(self._later(outcome))
            if left <= 0 or (wait >= left and not outcome.wakeable):
                await self._sleep(max(left, 0.0))
                raise MaybeSent("read_timeout")
            if outcome.wakeable:
                await changed(self._sandbox, self._sleep, max(0.0, min(wait, left)))
            else:
                await self._sleep(max(wait, 0.0))
            outcome = outcome.again()
        return await self._answer(outcome, (deadline - self._sandbox.now()) / SECOND, max_bytes)

    async def _later(self, outcome: Outcome) -> None:
        while isinstance(outcome, Park):
            await self._sleep(max(0.0, (outcome.until - self._sandbox.now()) / SECOND))
            outcome = outcome.again()

    async def _answer(self, outcome: Reply | Drop | Refuse | Drip | Cut, left: float, max_bytes: int) -> HttpResponse:
        match outcome:
            case Refuse():
                raise NotSent("connect")
            case Reply(response=response, delay=delay):
                await self._wait(delay, left)
                return _whole(response, max_bytes)
            case Drop(delay=delay):
                await self._wait(delay, left)
                raise MaybeSent("closed")
            case Cut(delay=delay):
                await self._wait(delay, left)
                raise MaybeSent("truncated")
            case Drip(response=response, chunk=chunk, interval=interval):
                await self._wait(interval * (len(response.body) // chunk), left)
                return _whole(response, max_bytes)

    async def _wait(self, delay: float, left: float) -> None:
        if delay >= left:
            await self._sleep(left)
            raise MaybeSent("read_timeout")
        if delay:
            await self._sleep(delay)


def _whole(response: Response, max_bytes: int) -> HttpResponse:
    if len(response.body) > max_bytes:
        raise MaybeSent("too_large")
    return HttpResponse(response.code, response.headers, response.body)
