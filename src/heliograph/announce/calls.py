"""Alertmanager and an outgoing heartbeat: the services outside that are told by one HTTP call."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from heliograph.ports.alarm import Alert
from heliograph.ports.announce import NotTold


class Calls:
    """One HTTP client for them. An address may hold a secret: it is not repeated."""

    def __init__(self, *, timeout: float = 4.0) -> None:
        self._timeout = ClientTimeout(total=timeout)
        self._session: ClientSession | None = None

    async def call(self, method: str, url: str, data: Any = None) -> None:
        """One call. Raises NotTold unless it is answered with a 2xx; final where it is refused as malformed."""
        if self._session is None:
            self._session = ClientSession(timeout=self._timeout)
        try:
            async with self._session.request(method, url, json=data, allow_redirects=False) as answer:
                code = answer.status
        except (ClientError, TimeoutError, OSError) as broken:
            raise NotTold(f"could not be reached: {type(broken).__name__}") from None
        if not 200 <= code < 300:
            raise NotTold(f"answered {code}", final=code in (400, 404, 405, 410))

    async def close(self) -> None:
        """Give the connections up."""
        if self._session is not None:
            await self._session.close()


class Alertmanager:
    """Prometheus' Alertmanager, API v2. `url` is its base address. Source: prometheus.io/docs/alerting/latest/alerts_api."""

    def __init__(self, url: str, calls: Calls) -> None:
        self._address = f"{url.rstrip('/')}/api/v2/alerts"
        self._calls = calls

    async def alert(self, alerts: Sequence[Alert]) -> None:
        """Tell all of them. Raises NotTold."""
        data = [
            {
                "labels": dict(alert.labels), "annotations": dict(alert.annotations), "startsAt": _moment(alert.starts_at),
                "endsAt": _moment(alert.ends_at),
            }
            for alert in alerts
        ]  # fmt: skip
        await self._calls.call("POST", self._address, data)


class Pulse:
    """A service such as a dead man's switch, which expects a call now and then."""

    def __init__(self, url: str, calls: Calls) -> None:
        self._url = url
        self._calls = calls

    async def beat(self) -> None:
        """We are well. Raises NotTold."""
        await self._calls.call("GET", self._url)


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
