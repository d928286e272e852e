"""Whether the store is the one that was left here: compared with a mark outside of it, in the data folder, and with the engine itself."""

import asyncio
import os
from pathlib import Path

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports.store import Conflict
from heliograph.services.context import Context
from heliograph.services.moved import PLACE, Place, doubt_all, settle_in
from heliograph.storage.glance import Glance

FILE = "place.json"
#: A store that was closed here, and is found elsewhere with nothing added within this time, was carried over, not restored.
CARRIED = 3600 * SECOND


class Mark(msgspec.Struct):
    """What the folder remembers: the store's epoch, its last event then, and whether all was closed after it."""

    installation: str
    epoch: str
    event: int
    at: int
    closed: bool = False


def read(data: Path) -> Mark | None:
    """The folder's mark; None where there is none or it is no mark."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=Mark)
    except (OSError, msgspec.MsgspecError):
        return None


def write(data: Path, mark: Mark) -> None:
    """Replace the mark, all or nothing."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = data / f".{FILE}.{os.getpid()}"
    beside.write_bytes(msgspec.json.encode(mark))
    beside.replace(data / FILE)


def verdict(seen: Glance, mark: Mark | None, *, now: int) -> str:
    """Why the store is not what was left: "" where it is; "older" than the folder knows it; "elsewhere": kept by another engine or file;
    "stranger": of an epoch that is neither the folder's nor one after it.
    """
    place = _place(seen)
    if place is None:
        return ""
    if mark is not None and mark.installation != seen.installation:
        # This folder belongs to another store: it says nothing about this one, and the gate will say so.
        mark = None
    if mark is not None and mark.epoch != place.epoch:
        # Whoever noticed a move has dealt with it; this folder only did not see it.
        return "" if mark.epoch in place.former and place.engine == seen.engine else "stranger"
    if mark is not None and seen.last_event < mark.event:
        return "older"
    if place.engine != seen.engine:
        carried = mark is not None and mark.closed and mark.event == seen.last_event and now - mark.at <= CARRIED
        return "" if carried else "elsewhere"
    return ""


def _place(seen: Glance) -> Place | None:
    return msgspec.json.decode(seen.notes[PLACE], type=Place) if PLACE in seen.notes else None


async def expect_same(context: Context, data: Path, seen: Glance) -> str:
    """Before anything is claimed: where the store has moved, doubt what waits in it. Returns the verdict. Raises Unavailable.

    `seen` is from before the store was opened. Of several processes that notice at once, all doubt and one writes it down.
    """
    mark = await asyncio.to_thread(read, data)
    why = verdict(seen, mark, now=context.clock.now())
    doubted = await doubt_all(context) if why else 0
    try:
        place = await settle_in(context, engine=seen.engine, why=why, doubted=doubted)
    except Conflict:
        place = await settle_in(context, engine=seen.engine, why="")
    if mark is None or mark.installation == seen.installation:
        await asyncio.to_thread(write, data, Mark(seen.installation, place.epoch, seen.last_event, context.clock.now()))
    if why:
        context.observe("store_moved", {"why": why, "doubted": doubted})
    return why


async def remember(data: Path, seen: Glance, *, now: int, closed: bool) -> None:
    """Note how far the store is, where it is still the one that the folder knows."""
    mark, place = await asyncio.to_thread(read, data), _place(seen)
    if place is not None and mark is not None and mark.epoch == place.epoch and place.engine == seen.engine:
        last = max(seen.last_event, mark.event)
        await asyncio.to_thread(write, data, Mark(mark.installation, mark.epoch, last, now, closed))
