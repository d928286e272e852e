"""Checks of what is here: settings, the data folder, its disk and the clock."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from heliograph.bootstrap.checks.rules import Finding, found
from heliograph.bootstrap.settings import Settings
from heliograph.bootstrap.system import SystemClock
from heliograph.domain.retry import SECOND

#: Bytes that must be left, and that should be.
FULL, LITTLE = 64 << 20, 1 << 30
#: A difference of clocks, microseconds, that is noted, and that is an error.
NOTED, WRONG = 5 * SECOND, 60 * SECOND


def of_deploying(settings: Settings, *, pinned: bool) -> Iterator[Finding]:
    """What a release in production should have. `pinned`: it is known which store is the right one."""
    if not settings.public_url:
        yield found("HG.W001", "HELIOGRAPH_PUBLIC_URL")
    elif not settings.public_url.startswith("https://"):
        yield found("HG.W002", "HELIOGRAPH_PUBLIC_URL")
    if not settings.release:
        yield found("HG.W003", "HELIOGRAPH_RELEASE")
    if not pinned:
        yield found("HG.W004", "HELIOGRAPH_INSTALLATION")
    if settings.networks:
        yield found("HG.W005", "HELIOGRAPH_ALLOW_NETWORKS")
    if settings.log_level == "debug":
        yield found("HG.W006", "HELIOGRAPH_LOG_LEVEL")
    if not (settings.operators or settings.alertmanager_url):
        yield found("HG.W007", "HELIOGRAPH_OPERATORS")


def of_folder(folder: Path, *, deploy: bool) -> Iterator[Finding]:
    """Whether the data folder can be written, has room and is closed to others. It leaves nothing behind; without a folder, its parent."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
        yield found("HG.E010", "data folder", f"{there} cannot be written.")
        return
    left = shutil.disk_usage(there).free
    inodes = os.statvfs(there)
    if left < FULL or (inodes.f_files and not inodes.f_favail):
        yield found("HG.E011", "disk", f"{left >> 20} MiB are left for {folder}.")
    elif left < LITTLE:
        yield found("HG.W010", "disk", f"{left >> 20} MiB are left for {folder}.")
    else:
        yield found("HG.I010", "data folder")
    if deploy and folder.exists() and folder.stat().st_mode & 0o077:
        yield found("HG.W011", "data folder", f"{folder} has mode {folder.stat().st_mode & 0o777:03o}.")


def file_clock(folder: Path) -> int | None:
    """How far the clock of the disk under the folder is ahead of ours, microseconds; None where that cannot be told."""
    try:
        before = SystemClock().now()
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-") as file:
            file.write(b"?")
            file.flush()
            written = os.fstat(file.fileno()).st_mtime_ns // 1000
        return 0 if before - SECOND <= written <= SystemClock().now() + SECOND else written - before
    except OSError:
        return None


def of_clock(ahead: dict[str, int], *, last_write_at: int) -> Iterator[Finding]:
    """`ahead`: how far other clocks are ahead of ours, microseconds, by whose they are. What is recorded lies in the past."""
    if last_write_at:
        future = last_write_at - SystemClock().now()
        ahead = ahead | ({"what is recorded": future} if future > 0 else {})
    worst = max(ahead, key=lambda name: abs(ahead[name]), default="")
    difference = ahead.get(worst, 0)
    if abs(difference) <= NOTED:
        yield found("HG.I012", "clock", f"Compared with: {', '.join(sorted(ahead)) or 'nothing'}.")
        return
    words = "behind" if difference > 0 else "ahead of"
    yield found(
        "HG.E012" if abs(difference) > WRONG else "HG.W012", "clock", f"It is {abs(difference) / SECOND:.0f} s {words} {_the(worst)}."
    )


def _the(whose: str) -> str:
    return whose if whose == "what is recorded" else f"the clock of {whose}"
