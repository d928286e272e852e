"""Where tests keep their files: on a disk in memory where the system has one with room, since thousands of tests wait for each sync.

What is killed leaves there what it leaves on any disk. What a machine without power leaves behind, no test can see either way.
"""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2 << 30

#: SCRATCH=disk takes the disk all the same, as the CI does for tests that kill.
KIND = "SCRATCH"


def place() -> None:
    """Decide, once for all processes of a run: what one of them fills must not make another one choose otherwise."""
    if KIND not in os.environ:
        roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM
        os.environ[KIND] = "memory" if roomy else "disk"
    if in_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def in_memory() -> bool:
    """Whether tests keep their files in memory."""
    return os.environ.get(KIND) == "memory"


def folder() -> Path | None:
    """Where to make temporary folders; None is where the system makes them."""
    return MEMORY if in_memory() else None


def describe() -> str:
    """One line for the person who runs the tests."""
    return "files of tests: in memory" if in_memory() else "files of tests: on the disk"
