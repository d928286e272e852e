"""What a running process says of itself to its successor and to the service manager."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from heliograph.bootstrap.notify import Notify
from heliograph.bootstrap.presence import Presence, present
from heliograph.bootstrap.process import Occupied, listen


def test_the_service_manager_is_told_and_nobody_where_there_is_none(tmp_path: Path) -> None:
    Notify({}).ready()
    assert Notify({"WATCHDOG_USEC": "30000000"}).interval == 0
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        notify = Notify({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())})
        notify.ready()
        notify.alive()
        notify.stopping()
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
        assert notify.interval == 15
    notify.ready()
    other = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}
    assert Notify(other).interval == 0


def test_who_runs_is_seen_by_others_until_it_ends_whatever_ends_it(tmp_path: Path) -> None:
    mine = Presence(tmp_path, ["up", "--port", "1"])
    assert present(tmp_path) == []
    code = f"from pathlib import Path\nfrom heliograph.bootstrap.presence import *\nprint(present(Path({str(tmp_path)!r})))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"pid={os.getpid()}" in seen and "'--port', '1'" in seen
    mine.withdraw()
    begin = f"import os\nfrom pathlib import Path\nfrom heliograph.bootstrap.presence import *\nPresence(Path({str(tmp_path)!r}), [])"
    dying = begin + "\nos._exit(9)"
    subprocess.run([sys.executable, "-c", dying], check=False)
    assert len(list((tmp_path / "running").iterdir())) == 1
    assert present(tmp_path) == [] and not list((tmp_path / "running").iterdir())


def test_an_address_is_shared_with_a_successor_only() -> None:
    first = listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(Occupied):
        listen("127.0.0.1", port)
    successor = listen("127.0.0.1", port, beside=True)
    # It does not listen yet: who connects reaches the first one.
    with socket.create_connection(("127.0.0.1", port)):
        first.settimeout(5)
        first.accept()[0].close()
    successor.listen()
    first.close()
    with socket.create_connection(("127.0.0.1", port)):
        successor.settimeout(5)
        successor.accept()[0].close()
    successor.close()
