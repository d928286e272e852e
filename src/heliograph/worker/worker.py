"""All loops of one working process: they only pace the services."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from heliograph.ports import rows
from heliograph.ports.provider import PollFailed
from heliograph.ports.store import Conflict, Unavailable
from heliograph.services import catch_up, probe, receipts, settle, sharing
from heliograph.services.context import Context
from heliograph.services.holds import Holds
from heliograph.services.traffic import Place, place_of
from heliograph.worker.delivering import DeliveryLoop
from heliograph.worker.errands import Errands
from heliograph.worker.polling import Poller

#: Seconds between rounds.
SETTLE_ROUND = 0.5
SWEEP_ROUND = 2.0
PROBE_ROUND = 0.5
ROUTINE_PROBE = 60.0
LISTEN_ROUND = 10.0
#: Look-ups that one round begins at most.
SETTLED_AT_ONCE = 100
#: Look-ups, probes for a reason and routine probes at one place at once, each: a tenth of the calls that a process has by default, so
#: that a place where a thousand channels hang holds few of them.
AT_ONE_PLACE = 10


class Worker:
    """Delivers, settles, sweeps, probes, polls and catches up until stopped. Start it once per process.

    A service that is polled answers one at a time: processes on one store take turns by themselves; `listens` False leaves polling to
    others for good. `beside`: other processes may send from the same store, and the paces of its channels are shared with them.
    """

    def __init__(
        self, context: Context, holds: Holds, *, name: str, concurrency: int, lease: float, listens: bool = True, beside: bool = False
    ) -> None:
        self._context = context
        self._name = name
        self._beside = beside
        self._listens = listens
        self.delivery = DeliveryLoop(context, holds, worker=name, concurrency=concurrency, lease=lease)
        self._tasks: list[asyncio.Task[None]] = []
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._settling, self._probing, self._routine = (Errands(self._run_errand, at_once=AT_ONE_PLACE) for _ in range(3))
        self._orphans = receipts.BEGINNING
        #: Channels that were caught up by this process, and so are marked as listening since.
        self._listening: set[str] = set()

    def start(self) -> None:
        """Begin all loops on the running event loop, also after a stop."""
        self.delivery.again()
        self._tasks = [
            asyncio.create_task(self.delivery.run(), name="deliver"),
            asyncio.create_task(self._forever(self._settle, SETTLE_ROUND), name="settle"),
            asyncio.create_task(self._forever(self._sweep, SWEEP_ROUND), name="sweep"),
            asyncio.create_task(self._probe(), name="probe"),
            asyncio.create_task(self._forever(self._probe_all, ROUTINE_PROBE), name="routine-probe"),
            asyncio.create_task(self._listen(), name="listen"),
        ]
        if self._beside:
            self._tasks.append(asyncio.create_task(self._forever(self._share, sharing.ROUND), name="share"))

    async def stop(self) -> None:
        """Finish the calls under way and end."""
        self.delivery.stop()
        for task in [*self._tasks[1:], *self._polls.values(), *self._errands()]:
            task.cancel()
        await asyncio.gather(*self._polls.values(), return_exceptions=True)
        # Calls under way may take long; what comes in need not wait for them.
        await self._leave(list(self._polls))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _errands(self) -> Iterator[asyncio.Task[None]]:
        for errands in (self._settling, self._probing, self._routine):
            yield from errands.tasks

    async def _forever(self, once: Callable[[], Awaitable[object]], pause: float) -> None:
        while True:
            await self._guarded(once)
            await self._context.clock.sleep(pause)

    async def _run_errand(self, once: Callable[[], Awaitable[object]]) -> None:
        await self._guarded(once)
        self.delivery.wake()

    async def _guarded(self, once: Callable[[], Awaitable[object]]) -> None:
        """A round that fails is noted and made again; it must not end the loop."""
        try:
            await once()
        except (Unavailable, Conflict) as passing:
            self._context.observe("round_failed", {"error": type(passing).__name__})
        except Exception as bug:
            self._context.observe("round_bug", {"error": type(bug).__name__})

    async def _settle(self) -> None:
        """Each look-up by itself: a provider that does not answer one must not keep the others' from being made."""
        found = await self._context.store.due_settlements(self._context.clock.now(), SETTLED_AT_ONCE + self._settling.number)
        for delivery in found:
            place = await self._place(delivery.account, delivery.channel)
            self._settling.start(delivery.id, partial(settle.settle, self._context, delivery), place=place)

    async def _place(self, account: str, channel: str) -> Place | None:
        """Where the channel's provider is reached; None where it is gone or cannot be opened, of which the errand itself will tell."""
        try:
            connected = await self._context.channels.known(account, channel)
        except Exception:
            return None
        return None if connected is None else place_of(connected)

    async def _share(self) -> None:
        await sharing.share(self._context, self.delivery.traffic, worker=self._name)

    async def _sweep(self) -> None:
        if await settle.expire(self._context):
            self.delivery.wake()
        self._orphans = await receipts.adopt_orphans(self._context, self._orphans)

    async def _probe(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_ROUND):
                    await self._context.probe_wanted.wait()
            await self._guarded(self._probe_due)

    async def _probe_due(self) -> None:
        suspected = set(self._context.suspects)
        for channel in await probe.due(self._context):
            started = self._probing.start(channel, partial(probe.probe, self._context, *channel), place=await self._place(*channel))
            if not started and channel in suspected:
                # Something has happened since that probe began: one more is made when it has ended.
                self._context.suspects.add(channel)

    async def _probe_all(self) -> None:
        for channel in await self._context.store.all_channels():
            key = (channel.account, channel.id)
            if channel.enabled and key not in self._probing:
                # Not among those for which there is a reason: they need not wait until all others were asked.
                self._routine.start(key, partial(probe.probe, self._context, *key), place=await self._place(*key))

    async def _listen(self) -> None:
        """Catch up, then keep noting that we listen, and keep one polling task per channel that wants it."""
        while True:
            self._context.channels_changed.clear()
            await self._guarded(self._keep_listening)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LISTEN_ROUND):
                    await self._context.channels_changed.wait()

    async def _caught_up(self, channel: rows.Channel) -> bool:
        """Whether what was missed before this process began is known; asked until the provider has answered."""
        if channel.id not in self._listening:
            try:
                await catch_up.catch_up(self._context, channel)
            except PollFailed:
                return False
            self._listening.add(channel.id)
        return True

    async def _keep_listening(self) -> None:
        wanted: dict[str, rows.Channel] = {}
        called: list[rows.Channel] = []
        for channel in await self._context.store.all_channels():
            if channel.enabled:
                # By itself: a channel that cannot be opened must not keep the others from being listened to.
                await self._guarded(partial(self._sort, channel, wanted, called))
        ended = [id for id in self._polls if id not in wanted]
        for id in ended:
            self._polls.pop(id).cancel()
        await self._leave(ended)
        for id, channel in wanted.items():
            if id not in self._polls or self._polls[id].done():
                self._polls[id] = asyncio.create_task(Poller(self._context, channel).run(), name=f"poll-{id}")
        await asyncio.gather(*(self._guarded(partial(self._be_called, channel)) for channel in called))

    async def _leave(self, channels: list[str]) -> None:
        for id in channels:
            await self._guarded(partial(self._context.store.end_turn, id))

    async def _sort(self, channel: rows.Channel, wanted: dict[str, rows.Channel], called: list[rows.Channel]) -> None:
        connected = await self._context.channels.get(channel.account, channel.id)
        if connected is None:
            return
        if "poll" not in connected.spec.capabilities:
            called.append(channel)
        elif self._listens:
            wanted[channel.id] = channel

    async def _be_called(self, channel: rows.Channel) -> None:
        if await self._caught_up(channel):
            await catch_up.mark_listening(self._context, channel)
