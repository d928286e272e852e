"""The board that a running server answers from: read anew when it may have changed, drawn once, kept while nothing has."""

import asyncio
import hashlib
from typing import NamedTuple

from heliograph.domain.retry import SECOND
from heliograph.ports.store import Unavailable
from heliograph.projections.public.board import Board
from heliograph.services import incidents
from heliograph.services.context import Context
from heliograph.services.outlets import Outlets
from heliograph.services.status_page import load_board
from heliograph.web.status.site import Made, draw

#: A board is read again after LOOK, and drawn again after DRAW even where nothing has changed: uptime and "written at" move on.
LOOK = 1 * SECOND
DRAW = 60 * SECOND


class File(NamedTuple):
    """A drawn file and the tag that tells its versions apart."""

    made: Made
    etag: str


class Live:
    """What a process knows of the public page. Where the store cannot be read, the last that is known is told."""

    def __init__(self, context: Context, outlets: Outlets) -> None:
        self.context = context
        self.outlets = outlets
        self._board: Board | None = None
        self._looked_at = 0
        self._files: dict[str, File | None] = {}
        self._looking = asyncio.Lock()

    async def board(self) -> Board:
        """The board as it is now, give or take a second. Raises Unavailable where nothing is known yet."""
        if (board := self._fresh()) is not None:
            return board
        # A crowd, which comes when something is wrong, costs the store one look and not one for each.
        async with self._looking:
            return self._fresh() or await self._look()

    def _fresh(self) -> Board | None:
        return self._board if self.context.clock.now() - self._looked_at < LOOK else None

    async def _look(self) -> Board:
        now = self.context.clock.now()
        try:
            found = await load_board(self.context, self.outlets, await incidents.incidents_of(self.context.store, ""))
        except Unavailable:
            if self._board is None:
                raise
            self._looked_at = now
            return self._board
        self._looked_at = now
        old = self._board
        if old is None or found.at - old.at >= DRAW or found._replace(at=old.at) != old:
            self._board, self._files = found, {}
        assert self._board is not None
        return self._board

    def forget(self) -> None:
        """Somebody here has just changed something: look before the next answer."""
        self._looked_at = 0

    async def file(self, path: str) -> File | None:
        """The public file at an address, or None. Raises Unavailable."""
        board = await self.board()
        if path not in self._files:
            made = draw(board, path)
            if made is None:
                return None
            self._files[path] = File(made, f'"{hashlib.blake2b(made.body, digest_size=12).hexdigest()}"')
        return self._files[path]
