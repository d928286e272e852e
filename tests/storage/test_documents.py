"""Documents: rows of low traffic that somebody folds, written with compare-and-set and kept apart by account."""

import asyncio
from typing import Any

import pytest

from heliograph.domain import health as rules
from heliograph.domain.delivery import State
from heliograph.domain.events import CaughtUp, TrialStarted
from heliograph.domain.health import Condition, well
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Fold, Loose
from tests.storage.acts import LEASE, NOW, Place, found_account, reply
from tests.storage.engines import AnyStore, Engine

PLACE = Place("acc_a", "chn_1", "cnv_chn_1_1", "tkt_chn_1_1")


def putting(data: str, version: int, *, account: str = "") -> Changes:
    return Changes(account, NOW, puts=[rows.Document(account, "incident", "inc_1", version, NOW, data)])


async def test_a_document_is_written_with_the_version_after_the_one_that_was_read(store: AnyStore) -> None:
    await store.commit(putting("a", 1))
    await store.commit(putting("b", 2))
    for version in (1, 2, 4):
        with pytest.raises(Conflict):
            await store.commit(putting("c", version))
    found = await store.document("", "incident", "inc_1")
    assert found is not None and (found.version, found.data) == (2, "b")


async def test_of_two_who_write_the_first_version_one_is_told(engine: Engine, store: AnyStore) -> None:
    outcomes = await asyncio.gather(*(store.commit(putting(f"{n}", 1)) for n in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(Conflict) == 4
    found = await store.document("", "incident", "inc_1")
    assert found is not None and found.version == 1


async def test_version_0_is_written_whatever_is_there(store: AnyStore) -> None:
    await store.commit(putting("a", 0))
    await store.commit(putting("b", 0))
    found = await store.document("", "incident", "inc_1")
    assert found is not None and found.data == "b"


async def test_documents_are_of_one_account_or_of_the_installation(store: AnyStore) -> None:
    await found_account(store, "acc_a")
    await found_account(store, "acc_b")
    await store.commit(putting("ours", 1))
    await store.commit(putting("a", 1, account="acc_a"))
    assert [d.data for d in await store.documents("acc_a", "incident")] == ["a"]
    assert [d.data for d in await store.documents("acc_b", "incident")] == []
    assert [d.data for d in await store.documents("", "incident")] == ["ours"]
    assert [d.data for d in await store.documents_of_all("incident")] == ["ours", "a"]


async def test_a_dropped_document_is_gone(store: AnyStore) -> None:
    await store.commit(putting("a", 1))
    await store.commit(Changes("", NOW, puts=[rows.DropDocument("", "incident", "inc_1")]))
    assert await store.document("", "incident", "inc_1") is None


async def test_an_act_of_an_account_may_tell_the_installation(store: AnyStore) -> None:
    """A shared credential that fails on one account's reply is held for all."""
    await found_account(store, "acc_a")
    changes = Changes("acc_a", NOW, puts=[rows.Document("", "incident", "inc_1", 1, NOW, "x")])
    changes.loose.append(Loose("release", "rel_1", CaughtUp(1, 1), account=""))
    row = well("", "credential", "sunshine@f1")
    changes.folds.append(Fold(row, rules.hold(row, Reason.BAD_CREDENTIALS, "401", "send", now=NOW)))
    await store.commit(changes)
    held = await store.health("", "credential", "sunshine@f1")
    assert held is not None and held.condition is Condition.HELD


async def _shared(store: AnyStore, release: str = "rel_1", fingerprint: str = "f1") -> None:
    await found_account(store, "acc_a")
    changes = Changes("acc_a", NOW)
    changes.puts += [
        rows.Credential("acc_a", "cre_1", "sandbox", "", "", "", NOW, "sunshine"),
        rows.ReleaseCredential(release, "sunshine", fingerprint),
    ]
    await store.commit(changes)


async def test_a_shared_credential_has_the_version_that_the_release_holds(store: AnyStore) -> None:
    await _shared(store)
    place = PLACE
    await store.commit(reply(place, place.lane))
    [claimed] = await store.claim(worker="w", now=NOW, lease_until=NOW + LEASE, limit=5)
    assert (claimed.credential, claimed.fingerprint) == ("sunshine", "f1")
    assert [c.id for c in await store.shared_users("sunshine")] == ["chn_1"]


async def test_a_held_shared_credential_stops_all_and_another_version_of_it_does_not(engine: Engine, store: AnyStore) -> None:
    await _shared(store)
    place = PLACE
    await store.commit(reply(place, place.lane))
    row = well("", "credential", "sunshine@f1")
    await store.commit(Changes("acc_a", NOW, folds=[Fold(row, rules.hold(row, Reason.BAD_CREDENTIALS, "401", "send", now=NOW))]))
    assert await store.claim(worker="w", now=NOW, lease_until=NOW + LEASE, limit=5) == []
    await store.commit(Changes("", NOW, puts=[rows.ReleaseCredential("rel_1", "sunshine", "f2")]))
    assert len(await store.claim(worker="w", now=NOW, lease_until=NOW + LEASE, limit=5)) == 1


async def test_a_fenced_release_claims_nothing(engine: Engine, store: AnyStore) -> None:
    [place] = await found_account(store)
    await store.commit(reply(place, place.lane))
    await store.commit(Changes("", NOW, puts=[rows.ReleaseShare("rel_1", 0, 0)]))
    assert await store.claim(worker="w", now=NOW, lease_until=NOW + LEASE, limit=5) == []
    await store.commit(Changes("", NOW, puts=[rows.ReleaseShare("rel_1", 0, 100)]))
    [claimed] = await store.claim(worker="w", now=NOW, lease_until=NOW + LEASE, limit=5)
    assert claimed.delivery.state is State.SENDING


async def test_two_releases_share_the_lanes_of_postgres(engine: Engine, store: AnyStore) -> None:
    if engine.name != "postgres":
        pytest.skip("one process works on a SQLite file")
    places = await found_account(store, lanes=60)
    for place in places:
        await store.commit(reply(place, place.lane))
    await store.commit(Changes("", NOW, puts=[rows.ReleaseShare("rel_1", 30, 100), rows.ReleaseShare("rel_2", 0, 30)]))
    other = await engine.open(release="rel_2")
    try:
        mine = {c.lane for c in await store.claim(worker="w1", now=NOW, lease_until=NOW + LEASE, limit=100)}
        theirs = {c.lane for c in await other.claim(worker="w2", now=NOW, lease_until=NOW + LEASE, limit=100)}
    finally:
        await other.close()
    assert not mine & theirs and len(mine | theirs) == 60
    assert 5 <= len(theirs) <= 35


@pytest.mark.parametrize(("version", "tried"), [("f2", 1), ("f1", 0)])
async def test_a_release_tries_its_version_beside_a_busy_one_that_holds_another(
    engine: Engine, store: AnyStore, version: str, tried: int
) -> None:
    """Else its share of the lanes would wait until the other one has nothing to do. What is under way with the same version counts."""
    if engine.name != "postgres":
        pytest.skip("one process works on a SQLite file")
    places = await found_account(store, lanes=60)
    puts: list[Any] = [
        rows.Credential("acc_a", "cre_1", "sandbox", "", "", "", NOW, "sunshine"),
        rows.ReleaseCredential("rel_1", "sunshine", "f1"),
    ]
    await store.commit(Changes("acc_a", NOW, puts=[*puts, rows.ReleaseCredential("rel_2", "sunshine", version)]))
    await store.commit(Changes("", NOW, puts=[rows.ReleaseShare("rel_1", 50, 100), rows.ReleaseShare("rel_2", 0, 50)]))
    for place in places:
        await store.commit(reply(place, place.lane))
    assert await store.claim(worker="w1", now=NOW, lease_until=NOW + LEASE, limit=100)
    row = well("", "credential", f"sunshine@{version}")
    trial = [*rules.hold(row, Reason.BAD_CREDENTIALS, "401", "send", now=NOW), TrialStarted()]
    await store.commit(Changes("", NOW, folds=[Fold(row, trial)]))
    other = await engine.open(release="rel_2")
    try:
        assert len(await other.claim(worker="w2", now=NOW, lease_until=NOW + LEASE, limit=100)) == tried
        assert not await other.claim(worker="w2", now=NOW, lease_until=NOW + LEASE, limit=100)
    finally:
        await other.close()


async def test_documents_are_measured_by_kind_and_account(store: AnyStore) -> None:
    await found_account(store, "acc_a")
    await store.commit(putting("ours", 1))
    await store.commit(putting("abc", 1, account="acc_a"))
    assert await store.documents_measured("incident") == [rows.Measured("", 1, 4), rows.Measured("acc_a", 1, 3)]
    assert await store.documents_measured("other") == []


async def test_secrets_are_sealed_anew_only_where_they_are_still_the_same(store: AnyStore) -> None:
    await found_account(store, "acc_a")
    first, second = (rows.Credential("acc_a", f"crd_k{n}", "fake", f"sealed-{n}", "print", "who", NOW) for n in (1, 2))
    shared = rows.Credential("acc_a", "crd_k3", "fake", "", "", "", NOW, "sunshine")
    await store.commit(Changes("acc_a", NOW, puts=[first, second, shared]))
    puts = [rows.Reseal("acc_a", "crd_k1", "sealed-1", "anew"), rows.Reseal("acc_a", "crd_k2", "no longer", "anew")]
    await store.commit(Changes("acc_a", NOW, puts=[*puts]))
    found = [credential for credential in await store.own_credentials(("", ""), 10) if credential.id.startswith("crd_k")]
    assert found == [first._replace(sealed="anew"), second]
    assert [c.id for c in await store.own_credentials(("acc_a", "crd_k1"), 1)] == ["crd_k2"]


async def test_a_name_is_given_once_and_to_nobody_who_was_erased(store: AnyStore) -> None:
    await found_account(store, "acc_a")
    old, new = rows.Contact("acc_a", "con_1", "Uma", NOW), rows.Contact("acc_a", "con_9", "", NOW)
    await store.commit(Changes("acc_a", NOW, puts=[new, rows.Handle("acc_a", "chn_1", "ida", "con_9", 0)]))
    naming = rows.NameContact("acc_a", "con_9", "chn_1", "ida", "Ida")
    # Whose handle is gone or another's, who has a name, and who is not there at all.
    others = [naming._replace(handle="uma1"), naming._replace(id="con_1", handle="uma1"), naming._replace(id="con_404")]
    await store.commit(Changes("acc_a", NOW, puts=[*others]))
    assert [await store.contact("acc_a", id) for id in ("con_1", "con_9", "con_404")] == [old, new, None]
    await store.commit(Changes("acc_a", NOW, puts=[naming]))
    await store.commit(Changes("acc_a", NOW, puts=[naming._replace(name="Eve")]))
    assert await store.contact("acc_a", "con_9") == new._replace(name="Ida")


async def test_a_contact_may_be_named_in_the_act_that_brings_it(store: AnyStore) -> None:
    await found_account(store, "acc_a")
    act = Changes("acc_a", NOW)
    act.puts += [
        rows.Contact("acc_a", "con_9", "", NOW), rows.Handle("acc_a", "chn_1", "ida", "con_9", 0),
        rows.NameContact("acc_a", "con_9", "chn_1", "ida", "Ida"),
    ]  # fmt: skip
    await store.commit(act)
    found = await store.contact("acc_a", "con_9")
    assert found is not None and found.name == "Ida"
