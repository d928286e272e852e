"""Which processes of an installation run on this machine, and how each was started: one locked file each in the data folder."""

import fcntl
import os
from pathlib import Path

import msgspec

FOLDER = "running"


class Present(msgspec.Struct):
    """A process that serves or works. `command`: its arguments, so that a successor can be started likewise."""

    pid: int
    command: list[str]


class Presence:
    """Says that this process runs, until `withdraw` or its end, whatever ends it."""

    def __init__(self, data: Path, command: list[str]) -> None:
        folder = data / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder on a network can be several machines', and a container's processes are all number 1.
        self._path = folder / f"{os.uname().nodename}.{os.getpid()}"
        self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self._lock, msgspec.json.encode(Present(os.getpid(), command)))

    def withdraw(self) -> None:
        """It ends."""
        self._path.unlink(missing_ok=True)
        os.close(self._lock)


def present(data: Path) -> list[Present]:
    """Those that run, but for this process; what dead ones left is removed."""
    found = []
    for path in sorted((data / FOLDER).glob(f"{os.uname().nodename}.*")):
        if path.name.endswith(f".{os.getpid()}"):
            continue
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append(msgspec.json.decode(os.read(file, 65536), type=Present))
        else:
            path.unlink(missing_ok=True)
        finally:
            os.close(file)
    return found
