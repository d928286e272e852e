"""A drill that is stopped, or killed, leaves nothing running."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PATIENCE = 60.0


async def seen(ask: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not ask():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def of_folder(folder: Path) -> list[int]:
    """Processes that were told the folder's name."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in command.read_bytes():
                found.append(int(command.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_server_ends_with_whoever_needed_it(server_folder: Path, number: signal.Signals) -> None:
    # Not the folder itself: the server that other tests share may be running there.
    folder = server_folder / number.name.lower()
    folder.mkdir()
    text = "import sys\nfrom tools.postgres import postgres\nwith postgres() as address: print(address, flush=True); sys.stdin.read()"
    user = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    try:
        assert user.stdout is not None and user.stdout.readline().startswith(b"postgresql://")
        assert of_folder(folder) and any(folder.glob("heliograph-*"))
        user.send_signal(number)
        await seen(lambda: not of_folder(folder) and not any(folder.glob("heliograph-*")))
    finally:
        user.kill()
        user.communicate()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads /proc")
async def test_a_drill_that_is_stopped_stops_its_processes(tmp_path: Path) -> None:
    drill = subprocess.Popen(
        [sys.executable, "-m", "heliograph", "drill", "D", "--keep", str(tmp_path / "kept"), "--build", str(tmp_path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        # The drill itself, and a desk of its own.
        await seen(lambda: len(of_folder(tmp_path)) > 1)
        drill.send_signal(signal.SIGTERM)
        assert drill.wait(PATIENCE)
        assert not of_folder(tmp_path)
    finally:
        drill.kill()
        drill.wait()
