"""Keeps one mirror running for each link to a desk, in the process whose turn it is."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from heliograph.domain.desk_events import DeskLinked
from heliograph.ports.desk import Desk
from heliograph.ports.store import Changes, Conflict, Unavailable
from heliograph.services import desk_links, desk_replies
from heliograph.services.context import Context
from heliograph.services.desk_links import Linked
from heliograph.services.desk_mirror import Mirror, Pauses

#: Seconds between looks at which links there are, and until a process whose turn it is not asks again.
LINKS_ROUND, TURN = 5.0, 5.0
#: Seconds for which acts that come together are awaited: each is one call to the desk.
GATHER = 0.05


class Desking:
    """One per working process. `url`: where people reach us, "" unknown."""

    def __init__(self, context: Context, desk: Desk, *, url: str, pauses: Pauses | None = None) -> None:
        self._context = context
        self._desk = desk
        self._url = url
        self._pauses = pauses or Pauses()
        self._looking: asyncio.Task[None] | None = None
        self._mirrors: dict[tuple[str, str], asyncio.Task[None]] = {}
        #: By account and channel, for both of its loops: set when something was committed there that the desk may have to hear of.
        self._wanted: dict[str, dict[str, tuple[asyncio.Event, asyncio.Event]]] = {}
        self._links_wanted = asyncio.Event()

    def noticed(self, changes: Changes) -> None:
        """An act was committed. Called for every act, so it is short."""
        if changes.loose or changes.folds or changes.queue:
            for both in self._wanted.get(changes.account, {}).values():
                for wanted in both:
                    wanted.set()
        if any(isinstance(loose.event, DeskLinked) for loose in changes.loose):
            self._links_wanted.set()

    def start(self) -> None:
        """Begin on the running event loop, also after a stop."""
        self._looking = asyncio.create_task(self._forever(), name="desks")

    async def stop(self) -> None:
        """End; what was handed over and not written down yet is handed over again by the next process, and taken once."""
        tasks = [*self._mirrors.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, channel in list(self._mirrors):
            await self._leave(channel)
        self._mirrors.clear()

    async def _forever(self) -> None:
        while True:
            self._links_wanted.clear()
            try:
                await self._look()
            except (Unavailable, Conflict) as passing:
                self._context.observe("round_failed", {"error": type(passing).__name__})
            except Exception as bug:
                self._context.observe("round_bug", {"error": type(bug).__name__})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINKS_ROUND):
                    await self._links_wanted.wait()

    async def _look(self) -> None:
        found = [linked for linked in await desk_links.all_links(self._context.store) if linked.link.desk == self._desk.name]
        wanted = {(linked.account, linked.channel): linked for linked in found if await self._has_work(linked)}
        for key in [key for key in self._mirrors if key not in wanted]:
            self._mirrors.pop(key).cancel()
            await self._leave(key[1])
        for key, linked in wanted.items():
            self._wanted.setdefault(linked.account, {}).setdefault(linked.channel, (asyncio.Event(), asyncio.Event()))
            if key not in self._mirrors or self._mirrors[key].done():
                self._mirrors[key] = asyncio.create_task(self._mirror(linked), name=f"desk-{linked.channel}")

    async def _has_work(self, linked: Linked) -> bool:
        # Replies that waited for files as the connection was removed are told about and made way for.
        return linked.link.standing != desk_links.REMOVED or bool(await desk_replies.pending(self._context, linked))

    async def _leave(self, channel: str) -> None:
        with contextlib.suppress(Unavailable):
            await self._context.store.end_turn(f"desk {channel}")

    async def _mirror(self, linked: Linked) -> None:
        """Until cancelled, or until the link is gone."""
        mirror = Mirror(self._context, self._desk, linked, url=self._url, pauses=self._pauses)
        wanted = self._wanted[linked.account][linked.channel]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(linked, mirror.round, wanted[0]))
            tasks.create_task(self._again_and_again(linked, mirror.files, wanted[1]))

    async def _again_and_again(self, linked: Linked, once: Callable[[Linked], Awaitable[float]], wanted: asyncio.Event) -> None:
        failures = 0
        while True:
            wanted.clear()
            try:
                if not await self._context.store.take_turn(f"desk {linked.channel}"):
                    await self._context.clock.sleep(TURN)
                    continue
                now = await desk_links.find(self._context.store, linked.account, linked.channel)
                if now is None:
                    return
                pause, failures = await once(now), 0
            except (Unavailable, Conflict) as passing:
                self._context.observe("round_failed", {"error": type(passing).__name__})
                pause, failures = self._again(failures)
            except Exception as bug:
                # Without a pause a round that raises would keep everything else from running.
                self._context.observe("round_bug", {"error": type(bug).__name__})
                pause, failures = self._again(failures)
            await self._wait(wanted, pause, hurried=pause == self._pauses.idle)

    def _again(self, failures: int) -> tuple[float, int]:
        return min(self._pauses.shortest * 2.0 ** min(failures, 16), self._pauses.longest), failures + 1

    async def _wait(self, wanted: asyncio.Event, pause: float, *, hurried: bool) -> None:
        """For so long, or while nothing is wrong until something happens."""
        if not hurried:
            await self._context.clock.sleep(pause)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await wanted.wait()
                await self._context.clock.sleep(GATHER)
