"""The master key is exchanged beside running processes, in steps that may be cut off anywhere, and nothing that names by it is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain import health as rules
from heliograph.domain.gate import Outcome
from heliograph.domain.health import Condition
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes, Fold
from heliograph.services import configure, followers, holds, quarantine, releases, rotation
from heliograph.services.context import Invalid
from heliograph.services.proving import Expected, note_key, prove_local
from heliograph.services.sealed import Sealed

OLD, NEW, NEWER = b"o" * 32, b"n" * 32, b"m" * 32


class Crash(Exception):
    """The process is gone."""


@dataclass
class Place:
    """One installation, opened again and again with other keys."""

    data: Path
    database: str
    crash_at: tuple[str, int] = ("", 0)

    @asynccontextmanager
    async def opened(self, *keys: bytes) -> AsyncIterator[Application]:
        passed = 0

        async def failpoint(name: str) -> None:
            nonlocal passed
            passed += name == self.crash_at[0]
            if name == self.crash_at[0] and passed == self.crash_at[1]:
                raise Crash

        config = Config(
            self.data, keys[0], old_keys=keys[1:], database=self.database, http_process=False, code="1.0",
            shared={"sunshine": {"provider": "sunshine", "key_id": "k", "key_secret": "s"}}, variables={"HELIOGRAPH_CREDENTIAL__X": "y"},
        )  # fmt: skip
        application = await build(config, failpoint=failpoint)
        try:
            yield application
        finally:
            await application.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(tmp_path: Path, request: pytest.FixtureRequest, empty_database: str) -> Place:
    return Place(tmp_path, empty_database if request.param == "postgres" else "")


async def settle_in(application: Application) -> list[tuple[str, str]]:
    """Three accounts with a channel each, one of them on hold, a shared credential on hold, a follower and a kept call."""
    context, made = application.context, []
    for name in ("a", "b", "c"):
        account = await configure.create_account(context, name)
        spec = application.specs["telegram"]
        made.append((account, await configure.create_channel(context, account, spec, name="x", config={"token": "1:t"}, actor="operator")))
    account, channel = made[0]
    connected = await context.channels.get(account, channel)
    assert connected is not None
    changes = Changes(account, context.clock.now())
    await holds.hold(context.store, changes, connected, Reason.BAD_CREDENTIALS, "401", "send", now=changes.at)
    await context.store.commit(changes)
    shared = rules.well("", "credential", f"sunshine@{context.channels.shared['sunshine'].fingerprint}")
    now = context.clock.now()
    await context.store.commit(Changes("", now, folds=[Fold(shared, rules.hold(shared, Reason.BAD_CREDENTIALS, "401", "send", now=now))]))
    vault = context.channels.vault
    for kind, holder, id in ((followers.KIND, "", "fol_1"), (quarantine.KIND, account, f"{channel}:1")):
        sealed = vault.seal({"token": "t"}, place=rotation.DOCUMENTS[kind](holder, id))
        data = msgspec.json.encode({"sealed": sealed, "other": 1}).decode()
        await context.store.commit(Changes(holder, now, puts=[rows.Document(holder, kind, id, 1, now, data)]))
    await note_key(context)
    return made


async def all_is_well(application: Application, made: list[tuple[str, str]], identity: str) -> None:
    context = application.context
    for account, channel in made:
        connected = await context.channels.get(account, channel)
        assert connected is not None and not isinstance(connected.provider, Sealed)
        assert await holds.held(context.store, connected) is (account == made[0][0])
    print_of = context.channels.shared["sunshine"].fingerprint
    health = await context.store.health("", "credential", f"sunshine@{print_of}")
    assert health is not None and health.condition is Condition.HELD
    assert [proof.outcome for proof in await prove_local(context, Expected())] == [Outcome.VALID, Outcome.VALID]
    assert application.identity is not None and application.identity.fingerprint == identity
    assert not any(one.broken for one in await rotation.survey(context))


async def key_is_refused(application: Application) -> bool:
    return (await prove_local(application.context, Expected()))[1].outcome is Outcome.INVALID


async def begin(place: Place) -> tuple[list[tuple[str, str]], str]:
    async with place.opened(OLD) as application:
        assert application.identity is not None
        return await settle_in(application), application.identity.fingerprint


async def test_everything_is_sealed_anew_and_all_that_was_known_by_a_fingerprint_is_found_again(place: Place) -> None:
    made, identity = await begin(place)
    async with place.opened(NEW, OLD) as application:
        await all_is_well(application, made, identity)
        turned = await rotation.rotate(application.context)
        assert turned == rotation.Turned(resealed=5, broken=0)
        assert {one.key for one in await rotation.survey(application.context)} == {application.context.channels.vault.key_id}
        assert await rotation.rotate(application.context) == rotation.Turned(0, 0)
    async with place.opened(NEW) as application:
        await all_is_well(application, made, identity)
        (document,) = await application.context.store.documents("", followers.KIND)
        assert msgspec.json.decode(document.data)["other"] == 1
    async with place.opened(OLD) as application:
        assert await key_is_refused(application)
    # And once more: now the key of the fingerprints is none of the master keys.
    async with place.opened(NEWER, NEW) as application:
        await rotation.rotate(application.context)
    async with place.opened(NEWER) as application:
        await all_is_well(application, made, identity)


CRASHES = [(name, n) for name in ("rotate:before_commit", "rotate:after_commit") for n in (1, 2, 3, 4, 5)]
CRASHES += [("rotate:before_begin", 1), ("rotate:after_begin", 1), ("rotate:before_end", 1)]


@pytest.mark.parametrize("crash", CRASHES, ids=str)
async def test_cut_off_anywhere_it_goes_on_and_nobody_is_let_in_who_cannot_open_all(place: Place, crash: tuple[str, int]) -> None:
    made, identity = await begin(place)
    place.crash_at = crash
    async with place.opened(NEW, OLD) as application:
        with pytest.raises(Crash):
            await rotation.rotate(application.context)
    place.crash_at = ("", 0)
    async with place.opened(NEW) as application:
        assert await key_is_refused(application)
    async with place.opened(OLD) as application:
        assert await key_is_refused(application) is (crash[0] != "rotate:before_begin")
    async with place.opened(NEW, OLD) as application:
        await all_is_well(application, made, identity)
        await rotation.rotate(application.context)
    async with place.opened(NEW) as application:
        await all_is_well(application, made, identity)


async def test_a_key_that_is_not_there_before_it_is_needed_is_refused(place: Place) -> None:
    made, identity = await begin(place)
    async with place.opened(NEW) as application:
        assert await key_is_refused(application)
        assert application.identity is not None and application.identity.fingerprint != identity
        connected = await application.context.channels.get(*made[0])
        assert connected is not None and isinstance(connected.provider, Sealed)


async def test_it_waits_for_processes_that_do_not_hold_the_key(place: Place) -> None:
    await begin(place)
    async with place.opened(OLD) as application:
        assert application.identity is not None
        await releases.beat(application.context, "p1", application.identity, "h", 1)
    async with place.opened(NEW, OLD) as application:
        with pytest.raises(Invalid, match="runs without the new key"):
            await rotation.rotate(application.context)
        assert len({one.key for one in await rotation.survey(application.context)}) == 1
        await releases.gone(application.context, "p1")
        assert (await rotation.rotate(application.context)).resealed == 5


async def test_secrets_that_change_meanwhile_are_not_overwritten(place: Place) -> None:
    made, identity = await begin(place)
    async with place.opened(NEW, OLD) as application:
        context, (account, channel) = application.context, made[1]
        meddle: list[Callable[[], Awaitable[None]]] = [
            lambda: configure.change_channel(context, account, channel, config={"token": "1:newer"}, actor="operator")
        ]

        async def failpoint(name: str) -> None:
            if name == "rotate:before_commit" and meddle:
                await meddle.pop()()

        context.failpoint = failpoint
        await rotation.rotate(context)
    async with place.opened(NEW) as application:
        await all_is_well(application, made, identity)
        credential = await application.context.channels.get(account, channel)
        assert credential is not None and application.context.channels.secrets(credential.credential)["token"] == "1:newer"


async def test_what_no_key_opens_stays_as_it_is_and_is_counted(place: Place) -> None:
    made, _ = await begin(place)
    async with place.opened(NEWER) as application:
        spec = application.specs["telegram"]
        await configure.create_channel(application.context, made[0][0], spec, name="x", config={"token": "1:t"}, actor="operator")
    async with place.opened(NEW, OLD) as application:
        assert await rotation.rotate(application.context) == rotation.Turned(resealed=5, broken=1)
        assert sum(one.broken for one in await rotation.survey(application.context)) == 1
