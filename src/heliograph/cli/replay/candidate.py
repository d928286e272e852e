"""A release with other settings, at work beside the one that runs: it proves itself, is judged, and sends where it is let through."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from heliograph.bootstrap.application import Application, worker_name
from heliograph.bootstrap.second import Second, second_release
from heliograph.domain.gate import Release
from heliograph.services.proving import Expected
from heliograph.worker.gatekeeper import Gatekeeper
from heliograph.worker.worker import Worker

#: Calls at once, and seconds of a lease; how long its end may take.
CONCURRENCY, LEASE, PATIENCE = 8, 60.0, 3.0


class Candidate:
    """One deploy. Start it once, stop it once."""

    def __init__(self, first: Application, changed: Mapping[str, str], *, host: str) -> None:
        self._store = first.context.store
        self._second: Second = second_release(first, changed)
        self.id = self._second.identity.id
        context = self._second.context
        # The first one listens to what is polled.
        self._worker = Worker(context, self._second.holds, name=worker_name(), concurrency=CONCURRENCY, lease=LEASE, listens=False)
        self.keeper = Gatekeeper(
            context, self._second.identity, Expected(), process=worker_name(), host=host, shares=False, admitted=self._worker.delivery.wake
        )
        self._second.noticing.append(self.keeper.noticed)
        context.store.on_touched = self._worker.delivery.wake
        self._before: Callable[[], None] | None = None

    @property
    def row(self) -> Release | None:
        """How the gate sees it."""
        return self.keeper.row

    async def start(self) -> None:
        """Register, prove, and work as far as the gate lets it."""
        self._before = self._store.on_touched
        self._store.on_touched = self._touched
        await self.keeper.register()
        self.keeper.start()
        self._worker.start()

    def _touched(self) -> None:
        if self._before is not None:
            self._before()
        self._worker.delivery.wake()

    async def stop(self) -> None:
        """End, as a process ends."""
        self._store.on_touched = self._before
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._worker.stop()
        await self.keeper.stop()
        await self._second.close()
