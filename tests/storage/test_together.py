"""Acts that build on each other are written together: all of them, in their order, or none."""

from typing import NamedTuple

import pytest

from heliograph.domain.outcomes import Accepted
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Duplicate
from tests.storage.acts import NOW, claim, found_account, reply, result
from tests.storage.engines import AnyStore


def begun(n: int, account: str, channel: str, *, event: str) -> Changes:
    """A conversation begins."""
    changes = Changes(account, NOW)
    changes.puts += [
        rows.Seen(account, channel, event, NOW),
        rows.Contact(account, f"con_n{n}", "Ada", NOW),
        rows.Conversation(account, f"cnv_n{n}", channel, f"new {n}", f"con_n{n}", "", "", NOW, 0, NOW),
    ]
    return changes


def goes_on(account: str, *puts: NamedTuple) -> Changes:
    return Changes(account, NOW, puts=[*puts])


async def test_an_act_may_build_on_the_one_before_it(store: AnyStore) -> None:
    [place] = await found_account(store)
    a, channel = place.account, place.channel
    ticket = rows.Ticket(a, "tkt_n1", 0, "cnv_n1", channel, "con_n1", "open", NOW, NOW)
    told: list[Changes] = []
    store.on_committed = told.append
    acts = [
        begun(1, a, channel, event="e1"),
        goes_on(a, ticket, rows.HeardFrom(a, "cnv_n1", "tkt_n1", NOW + 1)),
        goes_on(a, rows.SetControl(a, "cnv_n1", "other")),
        goes_on(a, rows.HeardFrom(a, "cnv_n1", "tkt_n1", NOW + 2)),
        goes_on(a, rows.SetControl(a, "cnv_n1", "ours"), rows.SetTicketState(a, "tkt_n1", "solved", NOW)),
    ]
    await store.commit_all(acts)
    assert told == acts
    found = await store.conversation(a, "cnv_n1")
    assert found is not None and (found.ticket, found.control, found.last_inbound_at) == ("tkt_n1", "ours", NOW + 2)
    made = await store.ticket(a, "tkt_n1")
    assert made is not None and made.state == "solved"


async def test_where_one_is_refused_none_is_written(store: AnyStore) -> None:
    [place] = await found_account(store)
    a, channel = place.account, place.channel
    await store.commit(begun(1, a, channel, event="e1"))
    with pytest.raises(Duplicate):
        await store.commit_all([begun(2, a, channel, event="e2"), begun(3, a, channel, event="e1"), begun(4, a, channel, event="e4")])
    await store.commit(reply(place, "r1"))
    [claimed] = await claim(store)
    answer = result(claimed, Accepted("p1"))
    await store.commit(answer)
    with pytest.raises(Conflict):
        await store.commit_all([begun(2, a, channel, event="e2"), answer])
    assert not await store.seen(a, channel, "e2")
    assert [await store.conversation(a, f"cnv_n{n}") for n in (2, 3, 4)] == [None] * 3
    await store.commit_all([begun(2, a, channel, event="e2"), begun(4, a, channel, event="e4")])
    assert await store.seen(a, channel, "e4")
