"""Writes the public files into a folder on each change, so that the page outlives the server: any plain file server can serve it."""

import asyncio
import os
from pathlib import Path

from heliograph.domain.retry import SECOND
from heliograph.ports.store import Unavailable
from heliograph.projections.public.board import Board
from heliograph.services.context import Context
from heliograph.web.status.live import Live
from heliograph.web.status.site import ROOT, draw, paths

#: Seconds between two looks at whether something has changed.
ROUND = 1.0
#: Also where nothing has changed, so that a reader can tell a calm page from a forgotten one.
HEARTBEAT = 300 * SECOND


def place(path: str, media_type: str) -> str:
    """Where a public file lies, relative to the folder: a page is its address's index.html, so that the address works as it is."""
    return f"{path.lstrip('/')}/index.html" if media_type.startswith("text/html") else path.lstrip("/")


def write_site(board: Board, folder: Path) -> int:
    """Write everything that differs from what is there; returns how many files were written. Raises OSError.

    Each file is replaced as a whole; what pages refer to comes before them, and the front page last. What is not public any more is
    removed.
    """
    wanted: set[Path] = set()
    written = 0
    for path in paths(board):
        made = draw(board, path)
        assert made is not None, path
        file = folder / place(path, made.media_type)
        wanted.add(file)
        written += _replace(file, made.body)
    for file in (folder / ROOT.lstrip("/")).rglob("*"):
        if file.is_file() and file not in wanted and "incidents" in file.parts and not file.name.endswith(".json"):
            file.unlink()
    return written


def _replace(file: Path, body: bytes) -> bool:
    if file.exists() and file.read_bytes() == body:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        fresh.write_bytes(body)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    return True


class Publishing:
    """Keeps the folder up to date while the process runs, and leaves it as it is afterwards."""

    def __init__(self, context: Context, live: Live, folder: Path) -> None:
        self._context = context
        self._live = live
        self._folder = folder
        self._written: Board | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin on the running event loop."""
        self._task = asyncio.create_task(self._forever(), name="status export")

    async def stop(self) -> None:
        """Write what is new, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self.round()

    async def round(self) -> bool:
        """Write if something has changed or the copy grows old; returns whether it did. Trouble is noted and tried again."""
        try:
            board = await self._live.board()
            last = self._written
            if last is not None and board.at - last.at < HEARTBEAT and board._replace(at=last.at) == last:
                return False
            await asyncio.to_thread(write_site, board, self._folder)
        except Unavailable:
            return False
        except OSError as broken:
            self._context.observe("status_export_failed", {"error": type(broken).__name__, "errno": broken.errno or 0})
            return False
        except Exception as bug:
            # One page that cannot be drawn must not end the copy for good.
            self._context.observe("status_export_failed", {"error": type(bug).__name__, "errno": 0})
            return False
        self._written = board
        return True

    async def _forever(self) -> None:
        while True:
            await self.round()
            await self._context.clock.sleep(ROUND)
