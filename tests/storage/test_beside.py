"""Two releases on one open SQLite file: each claims what it may, with the versions that it holds, and in its own name."""

from pathlib import Path

import pytest

from heliograph.domain import events as ev
from heliograph.domain.health import well
from heliograph.domain.outcomes import Accepted
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes, Fold
from heliograph.storage.sqlite.beside import SecondStore, beside
from heliograph.storage.sqlite.store import SqliteStore
from tests.storage.acts import NOW, Place, claim, found_account, opening, reply, result
from tests.storage.engines import SqliteEngine

ALL, NONE = (0, 100), (0, 0)


async def opened(path: Path) -> tuple[SqliteStore, SecondStore, Place]:
    first = await SqliteEngine(path / "heliograph.db").open()
    second = beside(first, "rel_2")
    [place] = await found_account(first)
    shared = rows.Credential("acc_a", "cre_s", "sandbox", "", "", "", NOW, "sunshine")
    channel = rows.Channel("acc_a", "chn_s", "sandbox", "Desk", "{}", "cre_s", 1, 0, NOW, NOW)
    versions = (rows.ReleaseCredential("rel_1", "sunshine", "good"), rows.ReleaseCredential("rel_2", "sunshine", "bad"))
    changes = Changes("acc_a", NOW)
    changes.puts += [shared, channel, *versions]
    await first.commit(changes)
    changes, place = opening(9, channel="chn_s")
    await first.commit(changes)
    return first, second, place


async def let(store: SqliteStore, *, first: tuple[int, int], second: tuple[int, int]) -> None:
    changes = Changes("", NOW)
    changes.puts += [rows.ReleaseShare("rel_1", *first), rows.ReleaseShare("rel_2", *second)]
    await store.commit(changes)


async def releases_of(store: SqliteStore, place: Place) -> list[tuple[str, str]]:
    found = await store.events("acc_a", stream="ticket", stream_id=place.ticket, after=0, limit=50)
    return [(event.kind, event.release) for event in found if event.kind.startswith("attempt")]


@pytest.mark.parametrize("deciding", ["first", "second"])
async def test_only_the_one_that_may_send_claims_whoever_decided_it(tmp_path: Path, deciding: str) -> None:
    first, second, place = await opened(tmp_path)
    decider = first if deciding == "first" else second
    await let(decider, first=ALL, second=NONE)
    await first.commit(reply(place, "r1"))
    assert await claim(second, worker="w2") == []
    [one] = await claim(first)
    assert one.fingerprint == "good"
    await first.commit(result(one, Accepted("p1")))
    await let(decider, first=NONE, second=ALL)
    await first.commit(reply(place, "r2"))
    assert await claim(first) == []
    [two] = await claim(second, worker="w2")
    assert two.fingerprint == "bad"
    await second.commit(result(two, Accepted("p2"), worker="w2"))
    told = [("attempt_started", "rel_1"), ("attempt_accepted", "rel_1"), ("attempt_started", "rel_2"), ("attempt_accepted", "rel_2")]
    assert await releases_of(first, place) == told
    await first.close()


async def test_a_version_on_hold_stops_only_who_holds_it(tmp_path: Path) -> None:
    first, second, place = await opened(tmp_path)
    await let(first, first=NONE, second=ALL)
    hold = Fold(well("", "credential", "sunshine@bad"), [ev.HoldStarted(Reason.BAD_CREDENTIALS, "401", "send", NOW)])
    await second.commit(Changes("", NOW, folds=[hold]))
    await first.commit(reply(place, "r1"))
    assert await claim(second, worker="w2") == []
    # Neither asks for it again and again: the one must not, the other cannot.
    assert await first.next_due(NOW) is None and await second.next_due(NOW) is None
    await let(first, first=ALL, second=NONE)
    assert await first.next_due(NOW) is not None
    assert [one.fingerprint for one in await claim(first)] == ["good"]
    await first.close()


async def test_each_tells_its_own_listeners(tmp_path: Path) -> None:
    first, second, place = await opened(tmp_path)
    heard: list[str] = []
    first.on_committed = lambda changes: heard.append("first")
    second.on_committed = lambda changes: heard.append("second")
    await second.commit(reply(place, "r1"))
    await first.commit(reply(place, "r2"))
    assert heard == ["second", "first"]
    await second.close()
    await first.commit(reply(place, "r3"))
    await first.close()
