"""Tells open pages that something of their account has changed, so that they ask again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from heliograph.domain.delivery import Delivery
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services.names import NAMES

#: Changes that a slow page may leave unread before it is told to reload everything.
BACKLOG = 256


class Live:
    """A hub of per-account queues of names of changed things: "ticket:<id>", "health", "notices", or "all" after an overflow."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[str]]] = {}

    @contextmanager
    def subscribe(self, account: str) -> Iterator[asyncio.Queue[str]]:
        """A queue of what changes in this account while the block is open."""
        queue: asyncio.Queue[str] = asyncio.Queue(BACKLOG)
        self._queues.setdefault(account, set()).add(queue)
        try:
            yield queue
        finally:
            self._queues[account].discard(queue)
            if not self._queues[account]:
                del self._queues[account]

    def noticed(self, changes: Changes) -> None:
        """An act was committed by this process."""
        queues = self._queues.get(changes.account)
        if not queues:
            return
        names = _names(changes)
        for queue in queues:
            for name in names:
                self._put(queue, name)

    def everything(self) -> None:
        """Another process has written: everybody asks again."""
        for queues in self._queues.values():
            for queue in queues:
                self._put(queue, "all")

    def _put(self, queue: asyncio.Queue[str], name: str) -> None:
        if queue.full():
            while not queue.empty():
                queue.get_nowait()
            name = "all"
        queue.put_nowait(name)


def _names(changes: Changes) -> set[str]:
    names = {f"ticket:{fold.row.ticket}" if isinstance(fold.row, Delivery) else "health" for fold in changes.folds}
    names |= {f"ticket:{new.ticket}" for new in changes.queue}
    names |= {f"ticket:{loose.stream_id}" for loose in changes.loose if loose.stream == "ticket"}
    if any(isinstance(put, (rows.Channel, rows.Throttle)) for put in changes.puts):
        names.add("health")
    if any(isinstance(put, (rows.Document, rows.DropDocument)) and put.kind == "notice" for put in changes.puts):
        names.add("notices")
    # A contact's name may have come in.
    names |= {f"ticket:{put.id}" for put in changes.puts if isinstance(put, rows.DropDocument) and put.kind == NAMES.kind}
    return names
