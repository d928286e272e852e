"""Who may start the next attempt: one worker per lane, heads only, and nothing on what is held."""

import asyncio
from collections import Counter

import apsw
import pytest

from heliograph.domain import decide, events as ev
from heliograph.domain.delivery import State
from heliograph.domain.health import Health, well
from heliograph.domain.outcomes import Accepted, DedupeClass, Deferred, ReceiptLevel, Refused, Unknown
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import SWEEPER, Changes, Fenced, Fold, Release, Room
from heliograph.storage.sqlite.store import SqliteStore
from tests.storage.acts import ASKS, LEASE, LOOKS_UP, NOW, Place, claim, folding, found_account, opening, reply, result, send_one
from tests.storage.engines import AnyStore, inside


async def set_health(store: AnyStore, kind: str, subject: str, *events: ev.Event, account: str = "acc_a") -> Health:
    row = await store.health(account, kind, subject) or well(account, kind, subject)
    await store.commit(Changes(account, NOW, folds=[Fold(row, events)]))
    after = await store.health(account, kind, subject)
    assert after is not None
    return after


HELD = ev.HoldStarted(Reason.BAD_CREDENTIALS, "401", "send", NOW)
TRIAL = ev.TrialStarted()
WELL = ev.HoldEnded(1)


async def replies(store: AnyStore, places: list[Place], *, each: int = 1) -> None:
    await asyncio.gather(*(store.commit(reply(place, f"r{i}_{n}")) for i, place in enumerate(places) for n in range(each)))


async def test_a_claim_carries_all_that_an_attempt_needs(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [claimed] = await claim(store)
    assert claimed[:3] == (place.lane, 1, NOW + LEASE)
    assert claimed[4:] == ("address-1", "uma1", "", '"part 1 of r1"', "f1", "cre_1", 0)
    row = claimed.delivery
    assert (row.state, row.attempt, row.attempt_open, row.started_at) == (State.SENDING, 1, 1, NOW)
    assert await store.delivery(place.account, "r1.1") == row


async def test_only_the_head_of_a_lane_is_claimed_and_the_next_only_when_it_is_done(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1", parts=3))
    for part in (1, 2, 3):
        [claimed] = await claim(store)
        assert claimed.delivery.seq == part
        assert await claim(store, worker="w2") == []
        await store.commit(result(claimed, Accepted(f"p{part}")))
    assert await claim(store) == []


async def test_a_deferred_head_blocks_its_lane_until_its_time(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1", parts=2))
    [claimed] = await claim(store)
    await store.commit(result(claimed, Deferred(Reason.PROVIDER_DOWN, after=5.0)))
    assert await claim(store, now=NOW + 5 * SECOND - 1) == []
    assert await store.next_due(NOW) == NOW + 5 * SECOND
    [again] = await claim(store, now=NOW + 5 * SECOND)
    assert (again.delivery.id, again.delivery.attempt, again.fence) == ("r1.1", 2, 2)


async def test_a_pause_after_a_send_holds_the_lane_back(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1", parts=2))
    [claimed] = await claim(store)
    act = result(claimed, Accepted("p1"))
    act.releases = [Release(place.lane, "w1", claimed.fence, not_before=NOW + SECOND)]
    await store.commit(act)
    assert await claim(store, now=NOW + SECOND - 1) == []
    assert await store.next_due(NOW) == NOW + SECOND
    assert [c.delivery.seq for c in await claim(store, now=NOW + SECOND)] == [2]


@pytest.mark.parametrize("policy", [ASKS, LOOKS_UP], ids=["asking", "unknown"])
async def test_an_unproved_head_blocks_its_own_lane_only(store: AnyStore, policy: decide.Policy) -> None:
    places = await found_account(store, lanes=2)
    await replies(store, places, each=2)
    first, second = await claim(store)
    await store.commit(result(first, Unknown(Reason.NO_ANSWER), policy=policy))
    await store.commit(result(second, Accepted("p")))
    later = await claim(store, now=NOW + 3600 * SECOND)
    assert [c.lane for c in later] == [second.lane]
    assert len(await store.due_settlements(NOW + 10 * SECOND, 10)) == (1 if policy is LOOKS_UP else 0)
    assert await store.due_settlements(NOW + 10 * SECOND - 1, 10) == []


async def test_many_claimers_never_get_the_same_lane(store: AnyStore) -> None:
    places = await found_account(store, channels=3, lanes=20)
    await replies(store, places)
    found = await asyncio.gather(*(claim(store, worker=f"w{n}", limit=7) for n in range(20)))
    lanes = Counter(claimed.lane for batch in found for claimed in batch)
    assert lanes == Counter(place.lane for place in places)


async def test_channels_share_a_claim_fairly(store: AnyStore) -> None:
    places = await found_account(store, channels=3, lanes=30)
    await replies(store, [place for place in places if place.channel != "chn_3"] + [p for p in places if p.channel == "chn_3"][:2])
    got = Counter(claimed.delivery.channel for claimed in await claim(store, limit=30))
    assert got["chn_3"] == 2
    assert min(got["chn_1"], got["chn_2"]) >= 10
    # What one leaves over goes to the others, at the latest with the next claim.
    got.update(claimed.delivery.channel for claimed in await claim(store, limit=60))
    assert got == {"chn_1": 30, "chn_2": 30, "chn_3": 2}


async def test_every_channel_comes_first_in_turn(store: AnyStore) -> None:
    places = await found_account(store, channels=3, lanes=5)
    await replies(store, places)
    first = [(await claim(store, limit=1))[0].delivery.channel for _ in range(6)]
    assert Counter(first) == {"chn_1": 2, "chn_2": 2, "chn_3": 2}


@pytest.mark.parametrize(("kind", "subject", "waits"), [("channel", "chn_1", {"chn_1"}), ("credential", "cre_1@f1", {"chn_1", "chn_2"})])
async def test_what_is_held_waits_and_goes_in_order_when_well(store: AnyStore, kind: str, subject: str, waits: set[str]) -> None:
    places = await found_account(store, channels=2, lanes=2, shared=True)
    await replies(store, places, each=2)
    await set_health(store, kind, subject, HELD)
    held = {place.lane for place in places if place.channel in waits}
    assert {claimed.lane for claimed in await claim(store)} == {place.lane for place in places} - held
    assert await claim(store, now=NOW + 1) == []
    await set_health(store, kind, subject, WELL)
    back = await claim(store, now=NOW + 2)
    assert {claimed.lane for claimed in back} == held
    assert {claimed.delivery.seq for claimed in back} == {1}


async def test_a_version_that_nobody_uses_any_more_holds_nothing(store: AnyStore) -> None:
    places = await found_account(store)
    await replies(store, places)
    await set_health(store, "credential", "cre_1@old", HELD)
    assert len(await claim(store)) == 1


@pytest.mark.parametrize(("kind", "subject"), [("channel", "chn_1"), ("credential", "cre_1@f1")])
async def test_a_trial_yields_one_lane_at_a_time(store: AnyStore, kind: str, subject: str) -> None:
    places = await found_account(store, channels=2, lanes=3, shared=kind == "credential")
    await replies(store, [place for place in places if kind == "credential" or place.channel == "chn_1"])
    await set_health(store, kind, subject, HELD)
    await set_health(store, kind, subject, TRIAL)
    batches = await asyncio.gather(*(claim(store, worker=f"w{n}") for n in range(6)))
    [(worker, only)] = [(f"w{n}", claimed) for n, batch in enumerate(batches) for claimed in batch]
    assert only.trial == 1
    assert await claim(store) == []
    await store.commit(result(only, Deferred(Reason.PROVIDER_DOWN, after=60.0), worker=worker))
    [another] = await claim(store)
    assert another.lane != only.lane
    await store.commit(result(another, Accepted("p")))
    await set_health(store, kind, subject, WELL)
    assert len(await claim(store)) == (4 if kind == "credential" else 1)


async def test_a_throttled_or_disabled_channel_waits(store: AnyStore) -> None:
    places = await found_account(store, channels=2)
    await replies(store, places)
    until = NOW + 7 * SECOND
    await store.commit(Changes("acc_a", NOW, puts=[rows.Throttle("acc_a", "chn_1", until), rows.Throttle("acc_a", "chn_1", NOW + 1)]))
    disabled = await store.channel("acc_a", "chn_2")
    assert disabled is not None
    await store.commit(Changes("acc_a", NOW, puts=[disabled._replace(enabled=0)]))
    assert await claim(store, now=until - 1) == []
    assert await store.next_due(NOW) == until
    assert [claimed.delivery.channel for claimed in await claim(store, now=until)] == ["chn_1"]


async def test_what_waits_on_hold_costs_a_claim_nothing(store: AnyStore) -> None:
    places = await found_account(store, channels=2)
    await replies(store, places)
    await set_health(store, "channel", "chn_1", HELD)
    assert [claimed.delivery.channel for claimed in await claim(store)] == ["chn_2"]
    few = await effort_of_looking(store)
    many = Changes("acc_a", NOW)
    for n in range(1000, 1500):
        opened, place = opening(n)
        written = reply(place, f"r{n}")
        many.puts += opened.puts + written.puts
        many.queue += written.queue
    await store.commit(many)
    assert await effort_of_looking(store) <= few * 1.2


async def effort_of_looking(store: AnyStore, room: Room | None = None) -> int:
    """What a claim that finds nothing has to go through, in the engine's own unit."""
    if isinstance(store, SqliteStore):
        # What is remembered of channels is asked anew after each act that may concern them, however many lanes wait.
        assert await store.claim(worker="w1", now=NOW, lease_until=NOW + LEASE, limit=10, room=room) == []
        steps: list[int] = []
        watch = apsw.SQLITE_TRACE_PROFILE
        store._connection.trace_v2(watch, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]), id=store)
        assert await store.claim(worker="w1", now=NOW, lease_until=NOW + LEASE, limit=10, room=room) == []
        store._connection.trace_v2(0, None, id=store)
        assert steps
        return sum(steps)
    sql = store._queries.sql["runnable_channels"].replace("$1", str(NOW)).replace("$2", "'rel_1'")
    plan = [row[0] for row in await inside(store, f"EXPLAIN (ANALYZE, TIMING OFF) {sql}")]
    scans = [line for line in plan if " on lane" in line]
    assert scans, plan
    assert not [line for line in scans if "Seq Scan" in line], plan
    removed = sum(int(line.split(":")[1]) for line in plan if "Rows Removed" in line)
    return removed + sum(int(float(line.split("actual rows=")[1].split()[0]) * int(line.split("loops=")[1].rstrip(")"))) for line in scans)


async def test_a_lease_that_is_over_goes_to_the_sweeper_once(store: AnyStore) -> None:
    places = await found_account(store, lanes=2)
    await replies(store, places)
    claimed = {one.lane: one for one in await claim(store)}
    over = NOW + LEASE + 1
    assert await store.expire(now=NOW + LEASE) == []
    taken = await store.expire(now=over)
    assert {lane: (account, fence) for account, lane, fence, _ in taken} == {place.lane: ("acc_a", 2) for place in places}
    assert {head.id for _, _, _, head in taken if head is not None} == {one.delivery.id for one in claimed.values()}
    assert await store.expire(now=over) == []
    _, lane, fence, head = taken[0]
    assert head is not None
    assert head.state is State.SENDING
    with pytest.raises(Fenced):
        await store.commit(result(claimed[lane], Accepted("p"), at=over))
    act = folding(head, decide.interrupted(head, ASKS, now=over), at=over)
    act.releases.append(Release(lane, SWEEPER, fence))
    await store.commit(act)
    row = await store.delivery("acc_a", head.id)
    assert row is not None
    assert (row.state, row.reason) == (State.ASKING, "interrupted")
    # The other one's sweeper dies too.
    assert [(lane, fence) for _, lane, fence, _ in await store.expire(now=over + 31 * SECOND)] == [(taken[1][1], 3)]


async def test_a_worker_prolongs_its_own_living_leases(store: AnyStore) -> None:
    places = await found_account(store, lanes=3)
    await replies(store, places)
    await claim(store, worker="w1", limit=1)
    await claim(store, worker="w1", now=NOW + 10 * SECOND, limit=1)
    [foreign] = await claim(store, worker="w2", limit=1)
    late = NOW + LEASE + 1
    await store.extend(worker="w1", now=late, lease_until=late + LEASE)
    over = await store.expire(now=NOW + 10 * SECOND + LEASE + 1)
    assert len(over) == 2
    assert foreign.lane in {lane for _, lane, _, _ in over}
    assert len(await store.expire(now=late + LEASE + 1)) == 1


async def test_cancelling_in_the_middle_lets_the_lane_go_on(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1", parts=3))
    rows_ = await store.open_deliveries(place.account, place.lane)
    await store.commit(folding(rows_[1], decide.cancel(rows_[1])))
    assert (await send_one(store)).delivery.seq == 1
    assert (await send_one(store)).delivery.seq == 3
    assert await claim(store) == []


async def test_resending_an_earlier_reply_makes_it_the_head_again(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1", parts=3))
    [claimed] = await claim(store)
    await store.commit(result(claimed, Refused(Reason.TOO_LARGE, "413")))
    [second] = await claim(store)
    assert second.delivery.seq == 2
    failed = await store.delivery(place.account, "r1.1")
    assert failed is not None
    await store.commit(folding(failed, decide.resend(failed)))
    assert await claim(store) == [], "the lane is in other hands"
    await store.commit(result(second, Accepted("p2")))
    [again] = await claim(store)
    assert (again.delivery.seq, again.delivery.key) == (1, "r1.1.1")


async def test_a_reply_that_was_handed_back_and_overtaken_asks(store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1", parts=2))
    first = await send_one(store)
    row = await store.delivery(place.account, first.delivery.id)
    assert row is not None
    returned = ev.ReceiptReturned(Reason.NOT_PERMITTED, "x", row.provider_id)
    await store.commit(folding(row, [returned]))
    [again] = await claim(store)
    assert again.delivery.id == row.id, "nothing has overtaken it yet"
    await store.commit(result(again, Accepted("p1b")))
    await send_one(store)
    row = await store.delivery(place.account, first.delivery.id)
    assert row is not None
    await store.commit(folding(row, [returned]))
    assert await claim(store) == []
    row = await store.delivery(place.account, first.delivery.id)
    assert row is not None
    assert (row.state, row.question) == (State.ASKING, "overtaken")
    assert await claim(store) == []


@pytest.mark.parametrize("standing", decide.Standing.ALL)
async def test_proof_that_came_before_the_lease_was_over_leaves_nothing_to_decide(store: AnyStore, standing: str) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, "r1"))
    [claimed] = await claim(store)
    await store.commit(folding(claimed.delivery, [ev.ReceiptReceived(ReceiptLevel.DELIVERED, "p1")]))
    [(account, lane, fence, head)] = await store.expire(now=NOW + LEASE + 1)
    assert head is not None
    policy = decide.Policy(DedupeClass.NONE, settle=0, standing=standing)
    act = folding(head, decide.interrupted(head, policy, now=NOW + LEASE + 1))
    act.releases.append(Release(lane, SWEEPER, fence))
    await store.commit(act)
    row = await store.delivery(account, head.id)
    assert row is not None
    assert (row.state, row.rank, row.question, row.epoch) == (State.DELIVERED, 2, "", 0)


async def test_nothing_is_due_where_nothing_waits(store: AnyStore) -> None:
    assert await store.next_due(NOW) is None
    assert await store.expire(now=NOW) == []
    await found_account(store)
    assert await store.next_due(NOW) is None
    await set_health(store, "channel", "chn_1", ev.HoldStarted(Reason.PROVIDER_DOWN, "", "check", NOW + 3))
    assert await store.next_due(NOW) == NOW + 3


async def test_an_open_attempt_that_nobody_holds_stops_no_other_lane(store: AnyStore) -> None:
    """No act of ours leaves such a lane; a restored or mended database may."""
    stuck, other = await found_account(store, lanes=2)
    await store.commit(reply(stuck, "r1"))
    row = await store.delivery(stuck.account, "r1.1")
    assert row is not None
    await store.commit(folding(row, [ev.AttemptStarted(1, "f")]))
    await store.commit(reply(other, "r2"))
    assert [claimed.delivery.id for claimed in await claim(store)] == ["r2.1"]
    taken = await store.expire(now=NOW + 2 * LEASE)
    assert stuck.lane in {lane for _, lane, _, _ in taken}


async def test_what_was_written_adds_up_to_what_is_in_some_state(store: AnyStore) -> None:
    for number, place in enumerate(await found_account(store, lanes=3)):
        await store.commit(reply(place, f"r{number}", parts=number + 1))
    first, *_ = await claim(store)
    await store.commit(result(first, Accepted("p1")))
    assert await store.written("acc_a") == sum((await store.counts("acc_a")).values()) == 6


def room(left: dict[str, int], *, strangers: int = 0, apps: tuple[str, ...] = ()) -> Room:
    """Channels 1 to 3 of account A, each with a bulkhead of its own and all with their account's; `apps` share one more."""
    bulkheads = {("acc_a", f"chn_{n}"): (f"chn_{n}", "acc_a", *(("app",) if f"chn_{n}" in apps else ())) for n in (1, 2, 3)}
    return Room(bulkheads, lambda bulkhead: left.get(bulkhead, 1000), strangers)


async def taken(store: AnyStore, limit: int, room: Room) -> Counter[str]:
    found = await store.claim(worker="w1", now=NOW, lease_until=NOW + LEASE, limit=limit, room=room)
    return Counter(claimed.delivery.channel for claimed in found)


async def test_a_claim_takes_no_more_of_a_channel_than_there_is_room_for_and_all_else_goes_to_the_others(store: AnyStore) -> None:
    places = await found_account(store, channels=3, lanes=20)
    await replies(store, places)
    assert await taken(store, 30, room({"chn_1": 0, "chn_2": 3})) == {"chn_2": 3, "chn_3": 20}
    assert await taken(store, 30, room({"chn_1": 5, "acc_a": 9})) == {"chn_1": 5, "chn_2": 4}
    assert await taken(store, 100, room({})) == {"chn_1": 15, "chn_2": 13}


async def test_channels_of_one_app_share_its_room_in_turns(store: AnyStore) -> None:
    places = await found_account(store, channels=3, lanes=20)
    await replies(store, places)
    got = await taken(store, 20, room({"app": 1}, apps=("chn_1", "chn_2")))
    assert got["chn_1"] + got["chn_2"] == 1 and got["chn_3"] == 19
    got += await taken(store, 20, room({"app": 1, "chn_3": 0}, apps=("chn_1", "chn_2")))
    assert (got["chn_1"], got["chn_2"]) == (1, 1)


async def test_of_channels_that_a_worker_has_never_used_it_takes_one_lane_each(store: AnyStore) -> None:
    places = await found_account(store, channels=3, lanes=5)
    await replies(store, places)
    unknown = Room({}, lambda bulkhead: 1000, 2)
    assert sorted((await taken(store, 20, unknown)).values()) == [1, 1]
    assert sum((await taken(store, 20, unknown)).values()) == 2
    assert await taken(store, 20, Room({}, lambda bulkhead: 1000, 0)) == {}


async def test_what_waits_for_room_is_not_due(store: AnyStore) -> None:
    places = await found_account(store, channels=2)
    await replies(store, places)
    assert await store.next_due(NOW, room({"chn_1": 0, "chn_2": 0})) is None


async def test_a_claim_that_finds_no_room_goes_through_no_lane_that_waits(store: AnyStore) -> None:
    places = await found_account(store, channels=2)
    await replies(store, places)
    assert await taken(store, 10, room({"chn_1": 0})) == {"chn_2": 1}
    many = Changes("acc_a", NOW)
    for n in range(1000, 1500):
        opened, place = opening(n)
        written = reply(place, f"r{n}")
        many.puts += opened.puts + written.puts
        many.queue += written.queue
    few = await effort_of_looking(store, room({"chn_1": 0}))
    await store.commit(many)
    assert await effort_of_looking(store, room({"chn_1": 0})) <= few * 1.2


async def test_channels_that_have_nothing_left_take_nobody_s_place(store: AnyStore) -> None:
    places = await found_account(store, channels=6)
    await replies(store, places[:5])
    for claimed in await claim(store):
        await store.commit(result(claimed, Accepted(f"p{claimed.delivery.id}")))
    await store.commit(reply(places[5], "last"))
    assert [claimed.delivery.id for claimed in await claim(store, limit=2)] == ["last.1"]


async def test_channels_whose_lanes_are_not_ready_take_nobody_s_place(store: AnyStore) -> None:
    places = await found_account(store, channels=6)
    await replies(store, places[:5])
    for claimed in await claim(store):
        await store.commit(result(claimed, Deferred(Reason.RATE_LIMITED, after=60.0)))
    await store.commit(reply(places[5], "last"))
    assert [claimed.delivery.id for claimed in await claim(store, limit=2)] == ["last.1"]
