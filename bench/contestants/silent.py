"""A provider that answers for a while and then hangs: it takes every request and never says a word again."""

import asyncio

from bench.provider import Book, Connection


class Silent(Connection):
    """Answers as the benchmark's provider does until `hangs` is set."""

    hangs: asyncio.Event

    def data_received(self, data: bytes) -> None:
        if not self.hangs.is_set():
            super().data_received(data)


class SilentProvider:
    """Listens on a free loopback port until it is closed."""

    def __init__(self) -> None:
        self.hangs = asyncio.Event()
        self.book = Book()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Returns its base URL."""

        def connection() -> Silent:
            made = Silent(self.book)
            made.hangs = self.hangs
            return made

        self._server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, backlog=1024)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()
