"""Files on a disk, by key, written so that a crash leaves either the whole file or none."""

import asyncio
import os
import re
import secrets
from pathlib import Path

KEY = re.compile(r"^[a-z0-9_]{1,80}$")


class DiskFiles:
    """`ports.runtime.Files` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, key: str) -> Path:
        if not KEY.match(key):
            raise KeyError(key)
        return self._folder / key[-2:] / key

    async def put(self, key: str, data: bytes) -> None:
        """See ports.runtime.Files."""
        await asyncio.to_thread(self._write, self._path(key), data)

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def get(self, key: str) -> bytes:
        """See ports.runtime.Files."""
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError as gone:
            raise KeyError(key) from gone
