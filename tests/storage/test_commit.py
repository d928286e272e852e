"""An act is written as a whole or not at all, and is told exactly why not."""

import asyncio
from typing import Any

import pytest

from heliograph.domain import decide, events as ev
from heliograph.domain.delivery import Delivery, Question, State
from heliograph.domain.health import Condition, Health, Schedule, well
from heliograph.domain.outcomes import Accepted
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.rows import EventRead
from heliograph.ports.store import Changes, Conflict, Duplicate, Fenced, Fold, Loose, NewDelivery, Probe, Release
from tests.storage.acts import NOW, claim, folding, found_account, opening, reply, result, send_one
from tests.storage.engines import AnyStore, Engine, eventually

COLUMNS: dict[str, Any] = {
    "account": rows.Account, "agent": rows.Agent, "token": rows.Token, "credential": rows.Credential, "channel": rows.Channel,
    "contact": rows.Contact, "handle": rows.Handle, "conversation": rows.Conversation, "ticket": rows.Ticket, "comment": rows.Comment,
    "body": rows.Body, "seen": rows.Seen, "orphan": rows.Orphan, "answer": rows.Answer, "cursor": rows.Cursor, "file": rows.File,
    "event": EventRead, "delivery": Delivery, "health": Health, "installation": rows.Installation,
}  # fmt: skip
#: Columns that belong to the engine alone.
OWN = {"account": {"next_number"}, "event": {"txid"}}


async def outcomes(*acts: Any) -> list[type[BaseException] | None]:
    """Run concurrently; what each came to."""
    found = await asyncio.gather(*acts, return_exceptions=True)
    return [None if not isinstance(one, BaseException) else type(one) for one in found]


async def test_a_reply_is_written_in_all_its_rows(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1", parts=2))
    first, second = await store.deliveries_of(place.account, place.ticket)
    assert (first.id, first.seq, first.state, second.id, second.seq) == ("r1.1", 1, State.QUEUED, "r1.2", 2)
    [comment] = await store.comments(place.account, place.ticket)
    assert (comment.id, comment.body) == ("com_r1", '"r1"')
    history = await eventually(
        lambda: store.events(place.account, stream="ticket", stream_id=place.ticket, after=0, limit=9), lambda found: len(found) == 2
    )
    assert [(event.kind, event.subject, event.position, event.actor) for event in history] == [
        ("reply_queued", "r1.1", 1, "agent:agt_1"),
        ("reply_queued", "r1.2", 1, "agent:agt_1"),
    ]


async def test_nothing_remains_of_an_act_that_fails(store: AnyStore) -> None:
    [place] = await found_account(store)
    broken = reply(place, "r1")
    broken.queue.append(NewDelivery("r1.2", place.ticket, "com_missing", place.channel, place.lane, 2, 2))
    with pytest.raises(Exception) as caught:
        await store.commit(broken)
    assert not isinstance(caught.value, Conflict | Duplicate)
    assert await store.comments(place.account, place.ticket) == []
    assert await store.counts(place.account) == {}


async def test_an_act_that_fails_takes_no_other_with_it(store: AnyStore) -> None:
    places = await found_account(store, lanes=7)
    acts = [reply(place, f"r{n}") for n, place in enumerate(places)]
    acts[3].queue.append(NewDelivery("bad", places[3].ticket, "com_missing", places[3].channel, places[3].lane, 2, 2))
    found = await asyncio.gather(*(store.commit(act) for act in acts), return_exceptions=True)
    assert [isinstance(one, Exception) for one in found] == [n == 3 for n in range(7)]
    assert await store.counts("acc_a") == {"queued": 6}


async def test_a_row_that_changed_since_it_was_read_is_a_conflict(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [row] = await store.deliveries_of(place.account, place.ticket)
    await store.commit(folding(row, decide.cancel(row)))
    with pytest.raises(Conflict):
        await store.commit(folding(row, decide.cancel(row)))
    missing = folding(row._replace(id="dlv_missing"), [ev.ReplyCancelled()])
    with pytest.raises(Conflict):
        await store.commit(missing)


async def test_of_two_acts_at_once_on_one_row_one_wins(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [row] = await store.deliveries_of(place.account, place.ticket)
    act = folding(row, decide.cancel(row))
    assert await outcomes(*(store.commit(act) for _ in range(5))) == [None, Conflict, Conflict, Conflict, Conflict]


async def test_a_conflict_writes_nothing_of_its_act(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [row] = await store.deliveries_of(place.account, place.ticket)
    act = reply(place, "r2")
    act.folds.append(Fold(row._replace(version=7), [ev.ReplyCancelled()]))
    assert await outcomes(store.commit(reply(place, "r3")), store.commit(act)) == [None, Conflict]
    assert [d.id for d in await store.deliveries_of(place.account, place.ticket)] == ["r1.1", "r3.1"]


async def test_health_begins_with_its_first_event_and_conflicts_like_any_row(store: AnyStore) -> None:
    [place] = await found_account(store)
    fresh = well(place.account, "channel", place.channel)

    def held() -> Changes:
        return Changes(place.account, NOW, folds=[Fold(fresh, [ev.HoldStarted(Reason.PROVIDER_DOWN, "503", "send", NOW)])])

    assert await outcomes(store.commit(held()), store.commit(held())) == [None, Conflict]
    health = await store.health(place.account, "channel", place.channel)
    assert health is not None
    assert (health.condition, health.reason, health.version) == (Condition.HELD, "provider_down", 1)
    await store.commit(Changes(place.account, NOW, probes=[Probe(health, Schedule(5, NOW + 5))]))
    [due] = await store.due_probes(NOW + 5)
    assert (due.interval, due.trial_at, due.version) == (5, NOW + 5, 1)
    assert await store.due_probes(NOW + 4) == []


async def test_an_old_fence_writes_nothing(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [claimed] = await claim(store)
    late = result(claimed, Accepted("p1"))
    late.releases = [Release(place.lane, "w1", claimed.fence - 1)]
    with pytest.raises(Fenced):
        await store.commit(late)
    stranger = result(claimed, Accepted("p1"), worker="w2")
    with pytest.raises(Fenced):
        await store.commit(stranger)
    [row] = await store.deliveries_of(place.account, place.ticket)
    assert (row.state, row.version) == (State.SENDING, 2)
    good = result(claimed, Accepted("p1"))
    assert await outcomes(store.commit(good), store.commit(good)) == [None, Fenced]


async def test_the_same_inbound_event_is_taken_once(store: AnyStore) -> None:
    [place] = await found_account(store)

    def inbound(n: int) -> Changes:
        act = Changes(place.account, NOW, actor="contact")
        act.puts += [
            rows.Seen(place.account, place.channel, "evt_1", NOW),
            rows.Comment(place.account, f"com_in{n}", place.ticket, "contact", "con_1", 1, "m1", NOW, NOW),
        ]
        return act

    assert await outcomes(store.commit(inbound(1)), store.commit(inbound(2))) == [None, Duplicate]
    with pytest.raises(Duplicate):
        await store.commit(inbound(3))
    assert [comment.id for comment in await store.comments(place.account, place.ticket)] == ["com_in1"]
    assert await store.seen(place.account, place.channel, "evt_1")
    assert not await store.seen(place.account, place.channel, "evt_2")


async def test_an_idempotency_key_is_answered_once(store: AnyStore) -> None:
    await found_account(store)
    answer = rows.Answer("acc_a", "key-1", "digest", 202, "{}", NOW)
    act = Changes("acc_a", NOW, puts=[answer])
    assert await outcomes(store.commit(act), store.commit(act)) == [None, Duplicate]
    assert await store.answer("acc_a", "key-1") == answer


async def test_two_acts_that_create_one_row_conflict(store: AnyStore) -> None:
    await found_account(store)
    acts = [opening(7)[0], opening(7)[0]]
    assert await outcomes(*(store.commit(act) for act in acts)) == [None, Conflict]


async def test_puts_keep_their_order_within_an_act_and_between_acts(store: AnyStore) -> None:
    [place] = await found_account(store)
    act = Changes(place.account, NOW + 9)
    moved = rows.Conversation(place.account, "cnv_new", place.channel, "address-1", "con_1", place.ticket, "", NOW, 0, NOW)
    act.puts += [rows.Readdress(place.account, place.lane, "address-1", 2), moved, rows.SetControl(place.account, "cnv_new", "ours")]
    solved = Changes(place.account, NOW + 5, puts=[rows.SetTicketState(place.account, place.ticket, "solved", NOW + 5)])
    touched = Changes(place.account, NOW + 6, puts=[rows.TouchTicket(place.account, place.ticket, NOW + 6)])
    await asyncio.gather(store.commit(act), store.commit(solved), store.commit(touched))
    current = await store.conversation_at(place.account, place.channel, "address-1")
    assert current is not None
    assert (current.id, current.control) == ("cnv_new", "ours")
    ticket = await store.ticket(place.account, place.ticket)
    assert ticket is not None
    assert (ticket.state, ticket.updated_at) == ("solved", NOW + 6)


async def test_many_replies_at_once_keep_the_order_of_their_commits(store: AnyStore) -> None:
    places = await found_account(store, lanes=3)
    finished: dict[str, list[str]] = {place.lane: [] for place in places}

    async def write(n: int) -> None:
        place = places[n % 3]
        await store.commit(reply(place, f"r{n:03}"))
        finished[place.lane].append(f"r{n:03}.1")

    await asyncio.gather(*(write(n) for n in range(90)))
    for place in places:
        lane = await store.open_deliveries(place.account, place.lane)
        assert [row.id for row in lane] == finished[place.lane] == sorted(finished[place.lane])
        assert [row.seq for row in lane] == list(range(1, 31))


async def test_tickets_are_numbered_without_gaps_per_account(store: AnyStore) -> None:
    for account in ("acc_a", "acc_b"):
        await found_account(store, account, lanes=0)
    acts = [opening(n, account=account)[0] for n in range(1, 21) for account in ("acc_a", "acc_b")]
    spoiled = opening(99)[0]
    spoiled.puts.append(rows.Comment("acc_a", "com_x", "tkt_missing", "agent", "agt_1", 1, "", NOW, NOW))
    await asyncio.gather(*(store.commit(act) for act in [*acts[:20], spoiled, *acts[20:]]), return_exceptions=True)
    for account in ("acc_a", "acc_b"):
        listed = await store.tickets(account, state="open", before=None, limit=100)
        assert sorted(ticket.number for ticket in listed) == list(range(1, 21))


async def test_the_ledger_only_grows(engine: Engine, store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(Changes(place.account, NOW, loose=[Loose("ticket", place.ticket, ev.TicketSolved(), place.channel)]))
    for statement in ("UPDATE event SET kind = 'x'", "DELETE FROM event"):
        with pytest.raises(Exception, match="append-only"):
            await engine.raw(statement)
    [event] = await eventually(lambda: store.account_events(place.account, after=0, limit=9), lambda found: len(found) == 1)
    assert (event.kind, event.stream_id, event.position, event.channel) == ("ticket_solved", place.ticket, None, place.channel)
    assert await store.account_events(place.account, after=event.seq, limit=9) == []


async def test_columns_are_the_fields_of_the_rows(engine: Engine, store: AnyStore) -> None:
    for table, cls in COLUMNS.items():
        if engine.name == "sqlite":
            found = [row[0] for row in await engine.raw("SELECT name FROM pragma_table_info($1)", table)]
        else:
            sql = "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position"
            found = [row[0] for row in await engine.raw(sql, table)]
        assert [name for name in found if name not in OWN.get(table, set())] == list(cls._fields), table


async def test_observers_hear_of_what_was_committed_and_of_nothing_else(store: AnyStore) -> None:
    [place] = await found_account(store)
    heard: list[str] = []
    store.on_touched = lambda: heard.append("lanes")
    store.on_committed = lambda changes: heard.append(changes.actor)
    await store.commit(Changes(place.account, NOW, actor="quiet", puts=[rows.TouchTicket(place.account, place.ticket, NOW + 1)]))
    assert heard == ["quiet"]
    await store.commit(reply(place, "r1"))
    assert heard == ["quiet", "lanes", "agent:agt_1"]
    with pytest.raises(Conflict):
        await store.commit(reply(place, "r1"))
    assert len(heard) == 3


async def test_a_question_and_its_answer_in_one_act_are_one_fold(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [row] = await store.deliveries_of(place.account, place.ticket)
    await store.commit(folding(row, [ev.QuestionRaised(Question.EXHAUSTED), ev.Resent(standing=True)]))
    [row] = await store.deliveries_of(place.account, place.ticket)
    assert (row.state, row.epoch, row.version, row.key) == (State.QUEUED, 1, 3, "r1.1.1")
    twice = Changes(place.account, NOW, folds=[Fold(row, [ev.ReplyCancelled()]), Fold(row, [ev.ReplyCancelled()])])
    with pytest.raises(ValueError, match="twice"):
        await store.commit(twice)


async def test_a_sent_reply_is_found_by_what_the_provider_calls_it(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    await send_one(store)
    found = await store.delivery_by_provider_id(place.account, place.channel, "p-r1.1")
    assert found is not None
    assert (found.id, found.state, found.accepted_at) == ("r1.1", State.ACCEPTED, NOW)
    assert await store.delivery_by_provider_id(place.account, place.channel, "") is None
