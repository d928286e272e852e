"""A socket in the data folder through which the command line reaches the process that holds the writer role.

Whoever may read the folder may use it; it is not on the network. One JSON object a line each way.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.operations import BY_NAME, Answer, NotDone, operate
from heliograph.ports.store import Unavailable

FILE = "control.sock"
_LIMIT = 4 * 1024 * 1024
#: Longest path of a socket that every system takes.
_LONGEST = 100


class NobodyThere(Exception):
    """No process listens."""


class Control:
    """The listening side. Start it only while holding the writer role: it replaces what a dead process has left."""

    def __init__(self, application: Application, data: Path) -> None:
        self._application = application
        self._path = data / FILE
        self._server: asyncio.AbstractServer | None = None
        #: What this process does beside the operations on its application, by the class of the question.
        self.more: dict[type[msgspec.Struct], Callable[[Any], Awaitable[Answer]]] = {}

    def move(self, file: str) -> None:
        """Go on listening under another name, so that a successor can take this one."""
        if self._server is not None:
            self._path = self._path.rename(self._path.with_name(file))

    async def start(self) -> bool:
        """Listen. False where the folder's path is too long for a socket: commands then ask for the process to be stopped."""
        if len(os.fsencode(self._path)) > _LONGEST:
            return False
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=_LIMIT)
        finally:
            os.umask(before)
        return True

    async def stop(self) -> None:
        """Close and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._answer(await reader.readline())
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        except (ValueError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            asked = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            ((name, raw),) = asked.items()
            wanted = msgspec.json.decode(raw, type={**BY_NAME, **{kind.__name__: kind for kind in self.more}}[name])
        except (ValueError, KeyError):
            return {"not_done": "The running Heliograph is of another version and does not understand this command."}
        try:
            if type(wanted) in self.more:
                return {"done": await self.more[type(wanted)](wanted)}
            return {"done": await operate(self._application, wanted)}
        except NotDone as refused:
            return {"not_done": str(refused)}
        except Unavailable:
            return {"not_done": "The store cannot write now. Nothing was changed."}


async def ask(data: Path, wanted: msgspec.Struct, *, file: str = FILE) -> Answer:
    """Have the running process do it. Raises NobodyThere or NotDone."""
    path = data / file
    try:
        if len(os.fsencode(path)) > _LONGEST:
            raise NobodyThere
        reader, writer = await asyncio.open_unix_connection(str(path), limit=_LIMIT)
    except (FileNotFoundError, ConnectionError) as nobody:
        raise NobodyThere from nobody
    try:
        writer.write(msgspec.json.encode({type(wanted).__name__: wanted}) + b"\n")
        await writer.drain()
        answer = msgspec.json.decode(await reader.readline(), type=dict[str, object])
    except (ValueError, ConnectionError) as cut:
        raise NotDone("The running Heliograph did not answer. Look with: heliograph status") from cut
    finally:
        writer.close()
    done = answer.get("done")
    if isinstance(done, dict):
        return done
    raise NotDone(str(answer.get("not_done", "It was not done.")))
