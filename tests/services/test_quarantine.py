"""Calls that cannot be verified while the fault may be ours: kept, bounded, and taken in once the right secret is known."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from heliograph.domain import quarantine_events as ev
from heliograph.domain.event import Event
from heliograph.ports.runtime import Clock
from heliograph.services import configure, quarantine, verified
from heliograph.services.quarantine import AGE, FORGED, Quarantine
from heliograph.storage.ledger import decode
from tests.web.installation import SECRET, House, house
from tests.web.test_hooks import hook, message, texts

RIGHT, WRONG = SECRET, "wrong-secret"


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def here(tmp_path: Path, request: pytest.FixtureRequest, empty_database: str) -> AsyncIterator[House]:
    """A house on each engine."""
    async with house(tmp_path, database=empty_database if request.param == "postgres" else "") as made:
        yield made


class Later:
    """A clock that is ahead."""

    def __init__(self, clock: Clock, ahead: int) -> None:
        self._clock, self._ahead = clock, ahead

    def now(self) -> int:
        return self._clock.now() + self._ahead

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def know(here: House, secret: str) -> None:
    await configure.change_channel(here.application.context, "acc_one", here.channel, config={"webhook_secret": secret}, actor="operator")


async def kept(here: House) -> int:
    return sum(each.number for each in await here.application.context.store.documents_measured(quarantine.KIND))


async def story(here: House) -> list[Event]:
    read = await here.application.context.store.events("acc_one", stream="channel", stream_id=here.channel, after=0, limit=100)
    return [decode(event) for event in read if event.kind.startswith("calls_")]


async def test_a_wrong_secret_loses_no_customer_message_even_if_the_provider_never_repeats(here: House) -> None:
    assert (await hook(here, message(here, "zero", "m0"))).code == 200
    await know(here, WRONG)
    for number, text in enumerate(("one", "two", "three"), 1):
        assert (await hook(here, message(here, text, f"m{number}"))).code == 503
    assert (await hook(here, message(here, "two", "m2"))).code == 503
    assert await texts(here) == ["zero"] and await kept(here) == 3
    assert b"heliograph_quarantined_calls 3.0" in (await here.send("GET", "/metrics", by="")).body
    await know(here, RIGHT)
    await Quarantine().step(here.application.context)
    assert await texts(here) == ["zero", "one", "two", "three"] and await kept(here) == 0
    assert await story(here) == [ev.CallsQuarantined(), ev.CallsReleased(3, 3)]
    # The provider's own repeats change nothing.
    assert (await hook(here, message(here, "two", "m2"))).code == 200
    assert await texts(here) == ["zero", "one", "two", "three"]


async def test_what_is_kept_comes_before_the_call_that_proves_the_secret(here: House) -> None:
    await know(here, WRONG)
    await hook(here, message(here, "earlier", "m1"))
    await know(here, RIGHT)
    assert (await hook(here, message(here, "later", "m2"))).code == 200
    assert await texts(here) == ["earlier", "later"]


async def test_the_first_calls_after_a_secret_was_changed_at_the_provider_are_kept_too(here: House) -> None:
    assert (await hook(here, message(here, "zero", "m0"))).code == 200
    codes = [(await hook(here, message(here, f"{n}", f"m{n}"), secret="theirs")).code for n in range(1, 6)]
    assert codes == [401, 401, 401, 503, 503]
    await know(here, f"{RIGHT} theirs")
    await Quarantine().step(here.application.context)
    assert await texts(here) == ["zero", "1", "2", "3", "4", "5"] and await kept(here) == 0


async def test_what_is_kept_is_sealed(here: House) -> None:
    await know(here, WRONG)
    await hook(here, message(here, "canary-text", "m1"), secret="canary-secret")
    (document,) = await here.application.context.store.documents("acc_one", quarantine.KIND)
    assert "canary" not in document.data and "canary" not in document.id


async def test_it_is_bounded_by_number_size_and_age(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    context = here.application.context
    await know(here, WRONG)
    for number in range(5):
        await hook(here, message(here, "x", f"m{number}"))
    assert await kept(here) == 5
    with monkeypatch.context() as patched:
        patched.setattr(quarantine, "NUMBER", 5)
        assert (await hook(here, message(here, "x", "m6"))).code == 503
    with monkeypatch.context() as patched:
        patched.setattr(quarantine, "SIZE", 100)
        assert (await hook(here, message(here, "x", "m7"))).code == 503
    assert await kept(here) == 5
    assert sum(name == "quarantine_full" for name, _ in here.observed) == 2
    context.clock = Later(context.clock, AGE + 1)
    await Quarantine().step(context)
    assert await kept(here) == 0 and (await story(here))[-1] == ev.CallsDropped(5)
    assert await texts(here) == []


async def test_its_bounds_hold_against_calls_that_come_together(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await know(here, WRONG)
    monkeypatch.setattr(quarantine, "NUMBER", 5)
    await asyncio.gather(*(hook(here, message(here, "x", f"m{number}")) for number in range(40)))
    assert await kept(here) == 5


async def test_what_the_proved_secret_does_not_verify_is_dropped_after_a_while(here: House) -> None:
    await hook(here, message(here, "forged", "m1"), secret="forger")
    assert (await hook(here, message(here, "real", "m2"))).code == 200
    assert await kept(here) == 1
    here.application.context.clock = Later(here.application.context.clock, FORGED + 1)
    assert (await hook(here, message(here, "real", "m3"))).code == 200
    assert await kept(here) == 0 and (await story(here))[-1] == ev.CallsDropped(1)


async def test_it_is_remembered_which_of_two_secrets_calls_carry(here: House) -> None:
    context = here.application.context

    async def remembered() -> str:
        document = await context.store.document("acc_one", verified.VERIFIED, here.channel)
        return "" if document is None else msgspec.json.decode(document.data, type=verified.Verified).fingerprint

    assert await remembered() == ""
    await hook(here, message(here, "x", "m1"), secret="forged")
    assert await remembered() == ""
    await know(here, f"other {RIGHT}")
    await hook(here, message(here, "x", "m2"))
    assert await remembered() == context.channels.vault.fingerprint({"webhook_secret": RIGHT})
    assert RIGHT not in str(await context.store.documents("acc_one", verified.VERIFIED))


async def test_it_is_seldom_noted(here: House) -> None:
    written: list[object] = []
    here.application.noticing.append(lambda changes: written.extend(p for p in changes.puts if getattr(p, "kind", "") == verified.VERIFIED))
    for number in range(5):
        await hook(here, message(here, "x", f"m{number}"))
    assert len(written) == 1
