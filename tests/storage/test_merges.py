"""Conversations that the provider merges have one order: that in which their replies were written."""

import asyncio
import random

import pytest

from heliograph.domain import decide, events as ev
from heliograph.domain.delivery import State
from heliograph.domain.outcomes import Accepted, Deferred, ReceiptLevel, Unknown
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Merge, Release
from tests.storage.acts import LEASE, LOOKS_UP, NOW, Place, claim, folding, found_account, opening, reply, result, send_one
from tests.storage.engines import AnyStore, Engine
from tests.storage.law import check_all

LATER = NOW + 3600 * SECOND


def merging(gone: Place, kept: Place, *, at: int = NOW) -> Changes:
    """The provider merged conversation `gone` into `kept`."""
    changes = Changes(gone.account, at)
    changes.puts.append(rows.Readdress(gone.account, gone.lane, f"address-{kept.lane[-1]}", 2))
    changes.merges.append(Merge(gone.lane, kept.lane, gone.channel))
    return changes


async def write(store: AnyStore, place: Place, id: str, *, after: int, parts: int = 1) -> None:
    await store.commit(reply(place, id, at=NOW + after * SECOND, parts=parts))


async def drain(store: AnyStore, *, now: int = LATER) -> list[str]:
    """Send all that may go, one after the other, and never two at once."""
    sent = []
    while claimed := await claim(store, now=now):
        [one] = claimed
        sent.append(one.delivery.id)
        await store.commit(result(one, Accepted(f"p-{one.delivery.key}"), at=now))
        await check_all(store)
    return sent


async def test_what_waits_goes_in_the_order_of_its_writing(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, kept, "k1", after=1)
    await write(store, gone, "g2", after=2, parts=2)
    await write(store, kept, "k3", after=3)
    await write(store, gone, "g4", after=4)
    await store.commit(merging(gone, kept))
    await check_all(store)
    await write(store, gone, "g5", after=5)
    await write(store, kept, "k6", after=6)
    waiting = ["k1.1", "g2.1", "g2.2", "k3.1", "g4.1", "g5.1", "k6.1"]
    for place in (kept, gone):
        assert [row.id for row in await store.open_deliveries(place.account, place.lane)] == waiting
    assert await drain(store) == waiting


async def test_replies_go_to_where_the_conversation_is_now(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await store.commit(merging(gone, kept))
    await write(store, gone, "g1", after=1)
    [claimed] = await claim(store, now=LATER)
    assert (claimed.lane, claimed.address) == (gone.lane, "address-1")


async def test_lanes_that_had_no_reply_yet_have_one_order_as_well(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await store.commit(merging(gone, kept))
    await check_all(store)
    assert await claim(store, now=LATER) == []
    await write(store, gone, "g1", after=1)
    await write(store, kept, "k2", after=2)
    assert await drain(store) == ["g1.1", "k2.1"]
    assert await store.written(kept.account) == 2


async def test_an_attempt_that_is_open_at_the_merge_blocks_the_other_lane_until_it_is_concluded(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g2", after=2)
    [attempt] = await claim(store, now=LATER)
    await write(store, kept, "k1", after=1)
    await store.commit(merging(gone, kept))
    assert await claim(store, now=LATER) == []
    await store.commit(result(attempt, Deferred(Reason.RATE_LIMITED, after=0.0), at=LATER))
    assert await drain(store) == ["k1.1", "g2.1"]


async def test_two_attempts_open_at_the_merge_are_both_waited_for(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    for n, place in enumerate((kept, gone, kept, gone)):
        await write(store, place, f"r{n}", after=n)
    first, second = sorted(await claim(store, now=LATER), key=lambda one: one.delivery.id)
    await store.commit(merging(gone, kept))
    await store.commit(result(first, Accepted("p1"), at=LATER))
    assert await claim(store, now=LATER) == []
    await store.commit(result(second, Accepted("p2"), at=LATER))
    assert await drain(store) == ["r2.1", "r3.1"]


async def test_an_unproved_attempt_blocks_the_other_lane_whichever_was_written_first(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g2", after=2)
    [attempt] = await claim(store, now=LATER)
    await write(store, kept, "k1", after=1)
    await store.commit(result(attempt, Unknown(Reason.NO_ANSWER), at=LATER, policy=LOOKS_UP))
    await store.commit(merging(gone, kept))
    assert await claim(store, now=LATER) == []
    doubted = await store.delivery(gone.account, "g2.1")
    assert doubted is not None
    await store.commit(folding(doubted, [ev.SendAbsent(1, LATER, 0)], at=LATER))
    assert await drain(store) == ["k1.1", "g2.1"]


async def test_an_attempt_whose_worker_is_gone_blocks_both_lanes_until_it_is_settled(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g1", after=1)
    await write(store, kept, "k2", after=2)
    lost, other = sorted(await claim(store, now=LATER), key=lambda one: one.delivery.id)
    await store.commit(result(other, Deferred(Reason.NETWORK, after=0.0), at=LATER))
    await store.commit(merging(gone, kept))
    later = LATER + LEASE + 1
    [(account, lane, fence, head)] = await store.expire(now=later)
    assert (lane, head and head.id) == (gone.lane, lost.delivery.id)
    assert head is not None
    assert await claim(store, now=later) == []
    act = folding(head, decide.interrupted(head, LOOKS_UP, now=later), at=later)
    act.releases.append(Release(lane, "~sweeper", fence))
    await store.commit(act)
    assert await claim(store, now=later) == []
    doubted = await store.delivery(account, head.id)
    assert doubted is not None
    await store.commit(folding(doubted, [ev.SendFound("p1", "lookup")], at=later))
    assert await drain(store, now=later) == ["k2.1"]


async def test_a_question_blocks_what_was_written_later_and_a_decision_lets_it_go(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g1", after=1)
    [attempt] = await claim(store, now=LATER)
    await store.commit(result(attempt, Unknown(Reason.NO_ANSWER), at=LATER))
    await write(store, kept, "k2", after=2)
    await store.commit(merging(gone, kept))
    assert await claim(store, now=LATER) == []
    asking = await store.delivery(gone.account, "g1.1")
    assert asking is not None and asking.state is State.ASKING
    await store.commit(folding(asking, decide.resend(asking), at=LATER))
    assert await drain(store) == ["g1.1", "k2.1"]


async def test_a_dropped_reply_lets_the_other_lane_go_on(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g1", after=1)
    await write(store, kept, "k2", after=2)
    await store.commit(merging(gone, kept))
    first = await store.delivery(gone.account, "g1.1")
    assert first is not None
    await store.commit(folding(first, decide.cancel(first), at=LATER))
    assert await drain(store) == ["k2.1"]


async def test_a_pause_after_a_send_holds_all_merged_lanes_back(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g1", after=1)
    await write(store, kept, "k2", after=2)
    await store.commit(merging(gone, kept))
    [first] = await claim(store, now=LATER)
    act = result(first, Accepted("p1"), at=LATER)
    act.releases = [Release(gone.lane, "w1", first.fence, not_before=LATER + SECOND)]
    await store.commit(act)
    assert await claim(store, now=LATER + SECOND - 1) == []
    assert await store.next_due(LATER) == LATER + SECOND
    assert [one.delivery.id for one in await claim(store, now=LATER + SECOND)] == ["k2.1"]


async def test_a_merged_lane_does_not_go_on_past_what_was_written_first_elsewhere(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, kept, "k1", after=1)
    await write(store, gone, "g2", after=2)
    await write(store, kept, "k3", after=3)
    await store.commit(merging(gone, kept))
    [first] = await claim(store, now=LATER)
    act = result(first, Accepted("p1"), at=LATER)
    assert await store.commit_and_claim(act, worker="w1", lease_until=LATER + LEASE) is None
    assert await drain(store) == ["g2.1", "k3.1"]


async def test_what_was_handed_back_asks_where_a_later_reply_of_the_other_lane_is_there(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g1", after=1)
    await write(store, kept, "k2", after=2)
    await store.commit(merging(gone, kept))
    await send_one(store, now=LATER)
    await send_one(store, now=LATER)
    first = await store.delivery(gone.account, "g1.1")
    assert first is not None
    returned = decide.receive(
        first, level=ReceiptLevel.FAILED, provider_id=first.provider_id, key="", reason=Reason.PROVIDER_DOWN, code="503", final=True
    )
    await store.commit(folding(first, returned, at=LATER))
    assert await claim(store, now=LATER) == []
    after = await store.delivery(gone.account, "g1.1")
    assert after is not None
    assert (after.state, after.question) == (State.ASKING, "overtaken")


async def test_a_receipt_for_all_before_reaches_the_merged_lane(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await store.commit(merging(gone, kept))
    for n, place in enumerate((gone, kept)):
        await write(store, place, f"r{n}", after=n)
        await send_one(store, now=LATER)
    assert sorted(row.id for row in await store.deliveries_up_to(kept.account, kept.lane, LATER)) == ["r0.1", "r1.1"]


async def test_merged_conversations_are_merged_again(store: AnyStore) -> None:
    last, middle, first = await found_account(store, lanes=3)
    await write(store, first, "f1", after=1)
    await store.commit(merging(first, middle))
    await write(store, last, "l2", after=2)
    await write(store, middle, "m3", after=3)
    await store.commit(merging(middle, last))
    await write(store, first, "f4", after=4)
    await write(store, last, "l5", after=5)
    [claimed] = await claim(store, now=LATER)
    assert (claimed.lane, claimed.address) == (first.lane, "address-1")
    await store.commit(result(claimed, Accepted("p"), at=LATER))
    assert await drain(store) == ["l2.1", "m3.1", "f4.1", "l5.1"]


async def test_what_was_merged_follows_the_conversation_to_a_new_address(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await store.commit(merging(gone, kept))
    await store.commit(Changes(kept.account, NOW, puts=[rows.Readdress(kept.account, kept.lane, "elsewhere", 0)]))
    await write(store, gone, "g1", after=1)
    [claimed] = await claim(store, now=LATER)
    assert claimed.address == "elsewhere"
    current = await store.conversation_at(kept.account, kept.channel, "elsewhere")
    assert current is not None and current.id == kept.lane


async def test_other_lanes_and_accounts_are_left_alone(store: AnyStore) -> None:
    kept, gone, third = await found_account(store, lanes=3)
    foreign = await found_account(store, "acc_b", lanes=2)
    await store.commit(merging(gone, kept))
    for place in (kept, gone, third, *foreign):
        await store.commit(reply(place, f"{place.account}{place.lane}"))
    assert len(await claim(store, now=LATER)) == 4


async def test_an_order_outlives_its_process(engine: Engine) -> None:
    store = await engine.open()
    kept, gone = await found_account(store, lanes=2)
    await write(store, gone, "g1", after=1)
    await store.commit(merging(gone, kept))
    await store.close()
    store = await engine.open()
    await write(store, kept, "k2", after=2)
    assert await drain(store) == ["g1.1", "k2.1"]
    await store.close()


@pytest.mark.parametrize("seed", range(4))
async def test_in_a_crowd_merged_lanes_keep_one_order(engine: Engine, seed: int) -> None:
    """Several workers, on PostgreSQL with a store each, while replies are written and conversations merge three times over."""
    chance = random.Random(seed)
    first = await engine.open()
    places = await found_account(first, lanes=4)
    stores = [first] if engine.name == "sqlite" else [first, await engine.open(), await engine.open()]
    order: list[tuple[int, str]] = []
    merged = 0

    async def write_some() -> None:
        for n in range(60):
            await chance.choice(stores).commit(reply(places[chance.randrange(4)], f"r{n:03}", at=NOW + n))
            await asyncio.sleep(0)

    async def merge_some() -> None:
        nonlocal merged
        for gone, kept in ((1, 0), (3, 2), (2, 0)):
            await asyncio.sleep(chance.uniform(0, 0.05))
            await chance.choice(stores).commit(merging(places[gone], places[kept]))
        merged = 1

    async def work(name: str, store: AnyStore) -> None:
        idle = 0
        while idle < 20 or not writing.done():
            after_all = merged
            claimed = await store.claim(worker=name, now=LATER, lease_until=LATER + LEASE, limit=chance.randint(1, 3))
            idle = 0 if claimed else idle + 1
            assert not after_all or len(claimed) <= 1
            for one in claimed:
                await asyncio.sleep(chance.uniform(0, 0.003))
                order.append((after_all, one.delivery.id))
                refused = chance.random() < 0.2
                outcome = Deferred(Reason.NETWORK, after=0.0) if refused else Accepted(f"p-{one.delivery.key}")
                if refused:
                    order.pop()
                await store.commit(result(one, outcome, worker=name, at=LATER))
            await asyncio.sleep(0.001)

    writing = asyncio.gather(write_some(), merge_some())
    await asyncio.gather(writing, *(work(f"w{n}", chance.choice(stores)) for n in range(4)))
    await check_all(first)
    assert sorted(id for _, id in order) == [f"r{n:03}.1" for n in range(60)]
    rest = [id for later, id in order if later]
    assert rest == sorted(rest)
    for store in stores:
        await store.close()


async def test_whoever_opens_a_conversation_where_another_one_was_merged_is_alone(store: AnyStore) -> None:
    kept, gone = await found_account(store, lanes=2)
    await store.commit(merging(gone, kept))
    new, place = opening(7)
    await store.commit(new)
    await write(store, gone, "g1", after=1)
    await store.commit(reply(place, "other", at=NOW))
    assert len(await claim(store, now=LATER)) == 2
