"""The benchmark's long past is written for the store as it is now."""

from pathlib import Path

import apsw

from bench.contestants.history import write_history
from heliograph.bootstrap.application import Config, build


async def test_a_long_past_fits_the_store(tmp_path: Path) -> None:
    application = await build(Config(tmp_path, b"k" * 32, release="test"))
    await application.close()
    database = tmp_path / "heliograph.db"
    assert write_history(database, "acc_0", "chn_0", 120) == 120
    store = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    counted = [store.execute(f"SELECT count(*) FROM {table}").get for table in ("lane", "delivery", "event")]
    store.close()
    assert counted[:2] == [2, 40] and counted[2] >= 120
