"""An account sees its own rows and nothing else: by every read of the port, and on PostgreSQL by row-level security too."""

import inspect
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from heliograph.domain import events as ev
from heliograph.domain.health import well
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes, Fold, Loose, Store
from tests.storage.acts import NOW, found_account, reply, send_one
from tests.storage.engines import AnyStore, PostgresEngine, eventually

#: A read of the port for one account. In `fill` every account gets rows with the same ids.
READS: dict[str, Callable[[Store, str], Any]] = {
    "account": lambda store, a: store.account(a),
    "agent": lambda store, a: store.agent(a, "agt_1"),
    "agents": lambda store, a: store.agents(a),
    "channel": lambda store, a: store.channel(a, "chn_1"),
    "channels": lambda store, a: store.channels(a),
    "credential": lambda store, a: store.credential(a, "cre_1"),
    "contact": lambda store, a: store.contact(a, "con_1"),
    "handle": lambda store, a: store.handle(a, "chn_1", "uma1"),
    "conversation": lambda store, a: store.conversation(a, "cnv_chn_1_1"),
    "conversation_at": lambda store, a: store.conversation_at(a, "chn_1", "address-1"),
    "conversations_since": lambda store, a: store.conversations_since(a, "chn_1", 0),
    "ticket": lambda store, a: store.ticket(a, "tkt_chn_1_1"),
    "tickets": lambda store, a: store.tickets(a, state="open", before=None, limit=9),
    "comments": lambda store, a: store.comments(a, "tkt_chn_1_1"),
    "comment": lambda store, a: store.comment(a, "com_r1"),
    "delivery": lambda store, a: store.delivery(a, "r1.1"),
    "deliveries_of": lambda store, a: store.deliveries_of(a, "tkt_chn_1_1"),
    "deliveries_of_comment": lambda store, a: store.deliveries_of_comment(a, "com_r1"),
    "deliveries": lambda store, a: store.deliveries(a, state="queued", channel="", after="", limit=9),
    "delivery_by_provider_id": lambda store, a: store.delivery_by_provider_id(a, "chn_1", "p-r1.1"),
    "deliveries_up_to": lambda store, a: store.deliveries_up_to(a, "cnv_chn_1_1", NOW),
    "open_deliveries": lambda store, a: store.open_deliveries(a, "cnv_chn_1_1"),
    "deliveries_between": lambda store, a: store.deliveries_between(a, low="", high="~"),
    "troubles": lambda store, a: store.troubles(a, "chn_1", since=0, until=2**60),
    "health": lambda store, a: store.health(a, "channel", "chn_1"),
    "healths": lambda store, a: store.healths(a),
    "events": lambda store, a: store.events(a, stream="ticket", stream_id="tkt_chn_1_1", after=0, limit=99),
    "account_events": lambda store, a: store.account_events(a, after=0, limit=99),
    "seen": lambda store, a: store.seen(a, "chn_1", "evt_1"),
    "tokens": lambda store, a: store.tokens(a),
    "answer": lambda store, a: store.answer(a, "key-1"),
    "cursor": lambda store, a: store.cursor(a, "chn_1"),
    "file": lambda store, a: store.file(a, "fil_1"),
    "document": lambda store, a: store.document(a, "notice", "ntc_1"),
    "documents": lambda store, a: store.documents(a, "notice"),
    "counts": lambda store, a: store.counts(a),
    "written": lambda store, a: store.written(a),
    "waiting_of": lambda store, a: store.waiting_of(a),
}
TABLES = [
    "account",
    "agent",
    "token",
    "credential",
    "channel",
    "health",
    "contact",
    "handle",
    "conversation",
    "ticket",
    "comment",
    "body",
    "lane",
    "delivery",
    "event",
    "seen",
    "orphan",
    "answer",
    "cursor",
    "file",
    "document",
]


async def fill(store: AnyStore, account: str) -> None:
    """Rows in every table."""
    [place] = await found_account(store, account)
    act = Changes(account, NOW)
    act.puts += [
        rows.Agent(account, "agt_1", "Ann", "agent", NOW),
        rows.Token(account, "tok_1", f"digest {account}", "", "", NOW, 0, 0, "agt_1"),
        rows.Seen(account, "chn_1", "evt_1", NOW),
        rows.Orphan(account, "chn_1", "evt_2", "p", "{}", NOW),
        rows.Answer(account, "key-1", "d", 200, "", NOW),
        rows.Cursor(account, "chn_1", "c", NOW),
        rows.File(account, "fil_1", "n", "text/plain", 1, "k", NOW),
        rows.Document(account, "notice", "ntc_1", 1, NOW, "{}"),
    ]
    await store.commit(act)
    await store.commit(reply(place, "r1", parts=2))
    await send_one(store)
    fault = ev.HoldStarted(Reason.PROVIDER_DOWN, "", "send", NOW)
    trouble = Loose("ticket", place.ticket, ev.AttemptDeferred(1, Reason.PROVIDER_DOWN, "", NOW, 0), "chn_1")
    await store.commit(Changes(account, NOW, folds=[Fold(well(account, "channel", "chn_1"), [fault])], loose=[trouble]))


def account_reads() -> set[str]:
    """The reads of the port that take an account."""
    methods = inspect.getmembers(Store, inspect.iscoroutinefunction)
    return {name for name, method in methods if "account" in inspect.signature(method).parameters}


def test_every_read_for_an_account_is_tried() -> None:
    assert set(READS) == account_reads()


@pytest.mark.parametrize("name", sorted(READS))
async def test_a_read_returns_the_account_s_own_rows_only(store: AnyStore, name: str) -> None:
    for account in ("acc_a", "acc_b"):
        await fill(store, account)
    read = READS[name]
    own = await eventually(lambda: read(store, "acc_a"), bool)
    found = own if isinstance(own, list) else [own]
    assert {row.account for row in found if hasattr(row, "account")} <= {"acc_a"}
    other = await eventually(lambda: read(store, "acc_b"), bool)
    if isinstance(own, list):
        assert len(own) == len(other)
    assert not await read(store, "acc_c")
    assert not await read(store, "*")
    assert not await read(store, "")


async def test_the_other_account_is_not_changed_by_acts_on_the_same_ids(store: AnyStore) -> None:
    for account in ("acc_a", "acc_b"):
        await fill(store, account)
    before = {name: await read(store, "acc_b") for name, read in READS.items() if "event" not in name}
    act = Changes("acc_a", NOW + 1)
    act.puts += [
        rows.Throttle("acc_a", "chn_1", NOW + 9), rows.SetTicketState("acc_a", "tkt_chn_1_1", "solved", NOW + 1),
        rows.BlockHandle("acc_a", "chn_1", "uma1", 1), rows.SetControl("acc_a", "cnv_chn_1_1", "ours"),
        rows.RemoveConversation("acc_a", "cnv_chn_1_1"), rows.RevokeToken("acc_a", "tok_1", NOW), rows.Body("acc_a", "com_r1", "{}"),
        rows.DropOrphan("acc_a", "chn_1", "evt_2"), rows.Contact("acc_a", "con_1", "", NOW),
        rows.NameContact("acc_a", "con_1", "chn_1", "uma1", "Ida"), rows.PinIdentity("acc_a", "cre_1", "f1", "i"),
        rows.HeardFrom("acc_a", "cnv_chn_1_1", "t", NOW + 9), rows.TouchTicket("acc_a", "tkt_chn_1_1", NOW + 9),
    ]  # fmt: skip
    await store.commit(act)
    assert {name: await read(store, "acc_b") for name, read in READS.items() if "event" not in name} == before
    assert [orphan.account for orphan in await store.orphans(9)] == ["acc_b"]


# --- row-level security, behind the store's back ----------------------------------------------------


async def as_app(engine: PostgresEngine, account: str | None) -> Any:
    connection = await engine.connect()
    await connection.execute("SET ROLE heliograph_app")
    if account is not None:
        await connection.execute("SELECT set_config('heliograph.account', $1, false)", account)
    return connection


async def test_security_hides_other_accounts_from_a_bare_query(postgres: PostgresEngine) -> None:
    store = await postgres.open()
    for account in ("acc_a", "acc_b"):
        await fill(store, account)
    await store.close()
    connections = {account: await as_app(postgres, account) for account in ("acc_a", "*", "", "acc_c", None)}
    for table in TABLES:
        column = "id" if table == "account" else "account"
        found = {key: {row[0] for row in await one.fetch(f"SELECT {column} FROM {table}")} for key, one in connections.items()}
        assert found == {"acc_a": {"acc_a"}, "*": {"acc_a", "acc_b"}, "": set(), "acc_c": set(), None: set()}, table
    for connection in connections.values():
        await connection.close()


async def test_security_covers_every_table_that_names_an_account(postgres: PostgresEngine) -> None:
    found = await postgres.raw(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity FROM pg_class c "
        "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    of_no_account = {"installation", "schema_migration", "release_credential", "release_share"}
    assert {name for name, _ in found} == {*TABLES, *of_no_account}
    assert {name for name, secured in found if not secured} == of_no_account


async def test_the_app_role_can_neither_write_for_another_account_nor_touch_the_ledger(postgres: PostgresEngine) -> None:
    store = await postgres.open()
    for account in ("acc_a", "acc_b"):
        await fill(store, account)
    await store.close()
    connection = await as_app(postgres, "acc_a")
    assert await connection.execute("UPDATE ticket SET state = 'solved' WHERE account = 'acc_b'") == "UPDATE 0"
    assert await connection.execute("DELETE FROM comment WHERE account = 'acc_b'") == "DELETE 0"
    for statement in (
        "INSERT INTO body (account, id, data) VALUES ('acc_b', 'x', '')",
        "UPDATE body SET account = 'acc_b'",
        "UPDATE event SET kind = 'x'",
        "DELETE FROM event",
        "TRUNCATE event",
        "TRUNCATE delivery CASCADE",
        "DELETE FROM seen",
        "ALTER TABLE ticket DISABLE ROW LEVEL SECURITY",
        "DROP POLICY one_account ON ticket",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_an_act_for_one_account_cannot_carry_another_s_rows(postgres: PostgresEngine) -> None:
    store = await postgres.open()
    for account in ("acc_a", "acc_b"):
        await fill(store, account)
    with pytest.raises(ValueError, match="another account"):
        await store.commit(Changes("acc_a", NOW, puts=[rows.TouchTicket("acc_b", "tkt_chn_1_1", NOW + 1)]))
    row = await store.delivery("acc_b", "r1.2")
    assert row is not None
    with pytest.raises(ValueError, match="another account"):
        await store.commit(Changes("acc_a", NOW, folds=[Fold(row, [ev.ReplyCancelled()])]))
    await store.close()
