"""One process writes on a SQLite file: who has lost the role can not, whatever it believes, and the next one goes on."""

from pathlib import Path

import pytest

from heliograph.ports import rows
from heliograph.ports.store import Changes, Moving, Unavailable
from heliograph.storage.sqlite.role import WriterElsewhere
from heliograph.storage.sqlite.store import SqliteStore, open_sqlite


def opened(path: Path, *, release: str = "dev") -> SqliteStore:
    return open_sqlite(path / "heliograph.db", now=1, new_id="ins_1", release=release)


def account(id: str) -> Changes:
    return Changes(id, 1, puts=[rows.Account(id, "Lighthouse", "en", "ask", 1)])


async def test_the_role_is_handed_over_and_back_and_reads_go_on(tmp_path: Path) -> None:
    old = opened(tmp_path)
    await old.commit(account("acc_1"))
    await old.give_up_role()
    with pytest.raises(Moving) as moving:
        await old.commit(account("acc_2"))
    assert moving.value.retry_after == 1
    new = opened(tmp_path)
    await new.commit(account("acc_3"))
    assert [each.id for each in await old.accounts()] == ["acc_1", "acc_3"]
    with pytest.raises(WriterElsewhere):
        old.take_role(now=2)
    await new.give_up_role()
    old.take_role(now=2)
    await old.commit(account("acc_4"))
    assert [each.id for each in await new.accounts()] == ["acc_1", "acc_3", "acc_4"]
    await new.close()
    await old.close()


async def test_a_process_whose_lock_is_gone_writes_nothing_once_another_one_has_begun(tmp_path: Path) -> None:
    old = opened(tmp_path)
    # As where somebody tidies up the lock, or the file system knows none.
    (tmp_path / "heliograph.db.writer").unlink()
    new = opened(tmp_path)
    for _ in range(2):
        with pytest.raises(Unavailable, match="taken over"):
            await old.commit(account("acc_stale"))
    await new.commit(account("acc_1"))
    assert [each.id for each in await new.accounts()] == ["acc_1"]
    await old.close()
    await new.close()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="reads /proc/locks")
async def test_taking_the_role_back_keeps_the_lock_that_says_somebody_reads(tmp_path: Path) -> None:
    """Without it another process whose connection is the last to close would take the log away under this one."""
    store = opened(tmp_path)
    await store.commit(account("acc_1"))
    file = f":{(tmp_path / 'heliograph.db').stat().st_ino} "

    def locked() -> bool:
        return any(file in line and " READ " in line for line in Path("/proc/locks").read_text().splitlines())

    before = locked()
    await store.give_up_role()
    store.take_role(now=2)
    await store.commit(account("acc_2"))
    assert before and locked()
    await store.close()
