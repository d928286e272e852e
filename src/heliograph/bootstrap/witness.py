"""Tells the sandbox's judge what was written, so that it can say from its own side what was lost, doubled or overtaken."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

import msgspec

from heliograph.domain import events as ev
from heliograph.domain.delivery import Delivery
from heliograph.ports import rows
from heliograph.ports.store import Changes, Unavailable
from heliograph.providers.line import retry_key
from heliograph.sandbox.tally import BadReport, Tally
from heliograph.services.context import Context

#: Services in which our id of a reply is nowhere to be seen: there its text tells it.
WITHOUT_KEY = frozenset({"telegram"})
#: What a service sees of our id, where that is not the id itself.
SEEN: Mapping[str, Callable[[str], str]] = {"line": retry_key}
GIVEN_UP = (ev.AttemptRefused, ev.ReceiptFailed)


class Witness:
    """Follows the acts of this process. `services` maps channels to the sandbox's service; others are none of the judge's business."""

    def __init__(self, context: Context, tally: Tally, services: Mapping[str, str]) -> None:
        self._context = context
        self._tally = tally
        self._services = services
        self._acts: asyncio.Queue[Changes] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop, beside whoever listens to the store already."""
        before = self._context.store.on_committed

        def noticed(changes: Changes) -> None:
            if before is not None:
                before(changes)
            if changes.queue or changes.folds:
                self._acts.put_nowait(changes)

        self._context.store.on_committed = noticed
        self._task = asyncio.create_task(self._follow(), name="witness")

    async def stop(self) -> None:
        """Report nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            changes = await self._acts.get()
            with contextlib.suppress(Unavailable, BadReport):
                await self._report(changes)

    async def _report(self, changes: Changes) -> None:
        bodies = {put.id: put.data for put in changes.puts if isinstance(put, rows.Body)}
        for new in changes.queue:
            await self._written(changes.account, new.channel, new.lane, new.id, bodies.get(new.id, ""))
        for fold in changes.folds:
            if not isinstance(fold.row, Delivery):
                continue
            for event in fold.events:
                if isinstance(event, GIVEN_UP):
                    await self._claimed(fold.row, "failed")
                elif isinstance(event, ev.ReplyCancelled):
                    await self._claimed(fold.row, "cancelled")

    async def _written(self, account: str, channel: str, lane: str, key: str, body: str) -> None:
        service, address = await self._place(account, channel, lane)
        if service in WITHOUT_KEY:
            self._tally.write(service=service, conversation=address, text=_text(body))
        elif service:
            self._tally.write(service=service, conversation=address, key=_seen(service, key))

    async def _claimed(self, row: Delivery, claim: str) -> None:
        service, address = await self._place(row.account, row.channel, row.lane)
        if service and service not in WITHOUT_KEY:
            self._tally.claim(service=service, conversation=address, key=_seen(service, row.key), claim=claim)

    async def _place(self, account: str, channel: str, lane: str) -> tuple[str, str]:
        service = self._services.get(channel, "")
        conversation = await self._context.store.conversation(account, lane) if service else None
        return (service, conversation.address) if conversation is not None else ("", "")


def _seen(service: str, key: str) -> str:
    return SEEN[service](key) if service in SEEN else key


def _text(body: str) -> str:
    payload = msgspec.json.decode(body)["payload"] if body else {}
    return str(payload.get("text") or payload.get("caption") or "(no text)")
