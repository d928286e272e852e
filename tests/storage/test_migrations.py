"""The schema is reached from every earlier one, once, and from no foreign one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import apsw
import asyncpg
import pytest

from heliograph.storage.migrations import Migration, MigrationError, available
from heliograph.storage.postgres import store as postgres_store
from heliograph.storage.sqlite import store as sqlite_store
from heliograph.storage.sqlite.role import WriterElsewhere
from tests.storage.acts import found_account
from tests.storage.engines import Engine, PostgresEngine, SqliteEngine

MODULES: dict[str, Any] = {"sqlite": sqlite_store, "postgres": postgres_store}
Migrate = Callable[..., Awaitable[list[int]]]


@pytest.fixture(params=["sqlite", "postgres"])
def bare(request: pytest.FixtureRequest) -> Engine:
    """An engine on a database without a schema."""
    if request.param == "sqlite":
        found: Engine = request.getfixturevalue("sqlite")
        return found
    return PostgresEngine(request.getfixturevalue("empty_database"))


@pytest.fixture
def migrate(bare: Engine) -> Migrate:
    """Bring the bare database forward."""

    async def run(**options: Any) -> list[int]:
        if isinstance(bare, SqliteEngine):
            connection = apsw.Connection(str(bare.path))
            try:
                return sqlite_store.migrate(connection, now=1, **options)
            finally:
                connection.close()
        assert isinstance(bare, PostgresEngine)
        owner = await asyncpg.connect(bare.dsn)
        try:
            return await postgres_store.migrate(owner, now=1, **options)
        finally:
            await owner.close()

    return run


async def schema(engine: Engine) -> list[Any]:
    """All that the schema consists of, in one order."""
    if engine.name == "sqlite":
        return await engine.raw("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")
    return [
        await engine.raw(sql)
        for sql in (
            "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
            "ORDER BY 1, 2",
            "SELECT tablename, policyname, qual FROM pg_policies ORDER BY 1, 2",
            "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'heliograph_app' ORDER BY 1, 2",
        )
    ]


@pytest.fixture
def fresh(bare: Engine, request: pytest.FixtureRequest) -> Engine:
    """Another database of the same engine."""
    if isinstance(bare, SqliteEngine):
        return SqliteEngine(bare.path.with_name("fresh.db"))
    found: Engine = request.getfixturevalue("postgres")
    return found


async def test_every_earlier_schema_leads_to_the_same_one(bare: Engine, fresh: Engine, migrate: Migrate) -> None:
    await (await fresh.open()).close()
    numbers = [step.number for step in available(bare.name)]
    done = []
    for number in numbers:
        done += await migrate(up_to=number, phase="contract")
        assert done == numbers[: len(done)]
        assert await migrate(up_to=number, phase="contract") == []
    assert done == numbers
    assert await schema(bare) == await schema(fresh)
    await (await bare.open()).close()


async def test_a_store_that_is_opened_again_keeps_what_is_in_it(bare: Engine) -> None:
    first = await bare.open()
    await found_account(first)
    await first.close()
    again = await bare.open()
    assert [account.id for account in await again.accounts()] == ["acc_a"]
    assert (await again.installation()).id == "ins_1"
    await again.close()


async def test_a_changed_step_is_refused(bare: Engine) -> None:
    await (await bare.open()).close()
    await bare.raw("UPDATE schema_migration SET checksum = 'tampered' WHERE number = 1")
    with pytest.raises(MigrationError, match="was changed after it had been applied"):
        await bare.open()


async def test_a_newer_store_is_refused(bare: Engine) -> None:
    await (await bare.open()).close()
    await bare.raw("INSERT INTO schema_migration (number, phase, name, checksum, applied_at) VALUES (9999, 'expand', 'later', 'x', 1)")
    with pytest.raises(MigrationError, match="newer"):
        await bare.open()


async def test_contraction_waits_for_its_phase(bare: Engine, migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    real = available(bare.name)
    last = real[-1].number
    later = [
        Migration(last + 1, "expand", "new_column", "ALTER TABLE contact ADD COLUMN extra INTEGER", "c1"),
        Migration(last + 2, "contract", "old_column", "ALTER TABLE contact DROP COLUMN extra", "c2"),
        Migration(last + 3, "expand", "newer_column", "ALTER TABLE contact ADD COLUMN more INTEGER", "c3"),
    ]
    monkeypatch.setattr(MODULES[bare.name], "available", lambda engine: real + later)
    assert (await migrate())[-1] == last + 1
    assert await migrate() == []
    assert await migrate(phase="contract") == [last + 2, last + 3]
    await bare.raw("SELECT more FROM contact")


async def test_a_step_that_fails_leaves_nothing_behind(bare: Engine, migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    real = available(bare.name)
    broken = Migration(real[-1].number + 1, "expand", "broken", "CREATE TABLE half (id INTEGER); SELECT * FROM nowhere", "c")
    monkeypatch.setattr(MODULES[bare.name], "available", lambda engine: [*real, broken])
    with pytest.raises((apsw.SQLError, asyncpg.PostgresError)):
        await migrate()
    with pytest.raises((apsw.SQLError, asyncpg.PostgresError)):
        await bare.raw("SELECT * FROM half")
    with pytest.raises((apsw.SQLError, asyncpg.PostgresError)):
        await bare.raw("SELECT * FROM account")


async def test_processes_that_start_together_migrate_once(empty_database: str) -> None:
    engine = PostgresEngine(empty_database)
    stores = await asyncio.gather(*(engine.open(release=f"rel_{n}") for n in range(4)))
    assert len({(await store.installation()).id for store in stores}) == 1
    [(steps,)] = await engine.raw("SELECT count(*) FROM schema_migration")
    assert steps == len(available("postgres"))
    for store in stores:
        await store.close()


async def test_a_second_writer_on_a_file_is_told_so(sqlite: SqliteEngine) -> None:
    first = await sqlite.open()
    with pytest.raises(WriterElsewhere, match=r"another process is working on heliograph\.db.*PostgreSQL"):
        await sqlite.open()
    await first.close()
    await (await sqlite.open()).close()
