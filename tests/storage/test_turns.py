"""One process polls a channel, and another one takes over when it is gone."""

from pathlib import Path

import pytest

from heliograph.ports.store import Unavailable
from tests.storage.engines import PostgresEngine, SqliteEngine


async def test_one_of_two_processes_has_the_turn(postgres: PostgresEngine) -> None:
    first, second = await postgres.open(), await postgres.open()
    assert [await first.take_turn("chn_1") for _ in range(3)] == [True] * 3
    assert not await second.take_turn("chn_1")
    assert await second.take_turn("chn_2") and not await first.take_turn("chn_2")
    await first.end_turn("chn_1")
    assert await second.take_turn("chn_1") and not await first.take_turn("chn_1")
    # What was never ours cannot be ended.
    await first.end_turn("chn_1")
    assert not await first.take_turn("chn_1")
    await second.close()
    assert await first.take_turn("chn_1") and await first.take_turn("chn_2")
    await first.close()


async def test_a_turn_ends_with_its_session_and_the_process_knows(postgres: PostgresEngine) -> None:
    first, second = await postgres.open(), await postgres.open()
    assert await first.take_turn("chn_1") and await first.take_turn("chn_2")
    # As when the process is killed: nobody says goodbye.
    await postgres.raw("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert await second.take_turn("chn_1")
    try:
        assert not await first.take_turn("chn_1")
    except Unavailable:
        assert not await first.take_turn("chn_1")
    assert await first.take_turn("chn_2") and not await second.take_turn("chn_2")
    await first.close()
    await second.close()


async def test_turns_of_two_databases_have_nothing_to_do_with_each_other(postgres: PostgresEngine, empty_database: str) -> None:
    here, there = await postgres.open(), await PostgresEngine(empty_database).open()
    assert await here.take_turn("chn_1") and await there.take_turn("chn_1")
    await here.close()
    await there.close()


async def test_a_database_that_is_gone_gives_no_turn(postgres: PostgresEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await postgres.open()
    assert await store.take_turn("chn_1")
    monkeypatch.setattr(store._turns, "_dsn", "postgresql://nobody@127.0.0.1:1/none")
    await postgres.raw("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await store.take_turn("chn_1")
    await store.close()


async def test_who_holds_the_file_has_every_turn(tmp_path: Path) -> None:
    store = await SqliteEngine(tmp_path / "heliograph.db").open()
    assert await store.take_turn("chn_1")
    await store.end_turn("chn_1")
    await store.close()
