"""SQLite's log is copied into the database while writing goes on, begins anew, and stays whole where it cannot be copied."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.storage.sqlite import writer
from heliograph.storage.sqlite.store import SqliteStore, open_sqlite

PAGE = 4096


def opened(path: Path) -> SqliteStore:
    return open_sqlite(path / "heliograph.db", now=1, new_id="ins_1", release="dev")


async def many(store: SqliteStore, begin: int, number: int) -> None:
    """Written by several at once."""

    async def one(n: int) -> None:
        await store.commit(Changes(f"acc_{n}", 1, puts=[rows.Account(f"acc_{n}", "x" * 900, "en", "ask", 1)]))

    for first in range(begin, begin + number, 20):
        await asyncio.gather(*map(one, range(first, first + 20)))


async def test_it_does_not_grow_for_ever_while_writing_never_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT", 50)
    store = opened(tmp_path)
    await many(store, 0, 4000)
    assert (tmp_path / "heliograph.db-wal").stat().st_size < 400 * PAGE
    assert (tmp_path / "heliograph.db").stat().st_size > 500 * PAGE
    assert len(await store.accounts()) == 4000
    await store.close()


async def test_where_it_cannot_be_copied_nothing_is_lost_and_writing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT", 50)
    failed = 0

    def full(connection: apsw.Connection) -> None:
        nonlocal failed
        failed += 1
        raise apsw.FullError("disk full")

    store = opened(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(writer.Writer, "_copy_log", staticmethod(full))
        async with asyncio.timeout(30):
            await many(store, 0, 600)
        assert failed
    await many(store, 600, 600)
    await store.close()
    store = opened(tmp_path)
    assert len(await store.accounts()) == 1200
    await store.close()


async def test_killed_in_the_middle_of_copying_it_has_everything(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from heliograph.storage.sqlite import writer
from tests.storage.test_log import many, opened
writer.CHECKPOINT = 20
async def main():
    store = opened(Path({str(tmp_path)!r}))
    for n in range(0, 10**9, 100):
        await many(store, n, 100)
        print(n + 100, flush=True)
asyncio.run(main())
"""
    writing = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert writing.stdout is not None
    told = [int(writing.stdout.readline()) for _ in range(15)]
    writing.send_signal(signal.SIGKILL)
    told += [int(line) for line in writing.stdout.read().split()]
    writing.wait()
    store = opened(tmp_path)
    assert {f"acc_{n}" for n in range(told[-1])} <= {account.id for account in await store.accounts()}
    await store.close()
