"""Trouble of one account with its provider is the provider's once another account's messages fail, and else stays that account's."""

from pathlib import Path

import pytest

from heliograph.sandbox.faults import Mode
from tests.incidents.town import SECOND, Home, Town, town


async def held(made: Town, home: Home) -> None:
    """An account's channel goes on hold: the provider is down for it alone, as for somebody who hosts it."""
    made.fault(Mode.ERROR_NOT_TAKEN, code=503, key=home.key.id)
    await made.say(home)
    await made.run(4)
    [own] = await made.incidents()
    assert own.account == home.account


async def fails_once(made: Town, home: Home) -> None:
    """One call of an account fails; the channel stays well."""
    fault = made.fault(Mode.ERROR_NOT_TAKEN, code=503, count=1, operation="send", key=home.key.id)
    await made.say(home)
    await made.step()
    assert fault.struck == 1


async def test_it_becomes_the_installation_s_with_the_first_failure_elsewhere(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, shared=False) as made:
        first, second = made.homes[:2]
        began = made.clock.now()
        await held(made, first)
        await fails_once(made, second)
        await made.run(2)
        own, whole = await made.incidents()
        assert (own.merged_into, whole.account, whole.provider) == (whole.id, "", "sunshine")
        assert began <= whole.onset_at == own.onset_at < began + SECOND
        made.sandbox.faults.clear()
        await made.run(120)
        assert await made.affected(whole) == made.late() == {said.delivery for said in made.said}


async def test_a_failure_elsewhere_that_came_first_is_the_onset(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, shared=False) as made:
        first, second = made.homes[:2]
        began = made.clock.now()
        await fails_once(made, second)
        await made.step()
        made.fault(Mode.ERROR_NOT_TAKEN, code=503, key=first.key.id)
        await made.say(first)
        await made.run(4)
        [whole] = await made.incidents()
        assert not whole.account and began <= whole.onset_at < began + SECOND // 2


@pytest.mark.parametrize("replies", [6, 20])
async def test_a_failure_among_many_that_get_through_leaves_it_the_account_s(tmp_path: Path, replies: int) -> None:
    async with town(tmp_path, shared=False) as made:
        first, second, third = made.homes
        await held(made, first)
        for _ in range(replies):
            await made.say(third)
            await made.step()
        await fails_once(made, second)
        for _ in range(replies):
            await made.say(third)
            await made.step()
        assert [one.account for one in await made.incidents()] == [first.account]
        await made.run(30)
        assert not await made.public()


async def test_two_channels_of_one_account_are_that_account_s(tmp_path: Path) -> None:
    async with town(tmp_path, shared=False, accounts=2) as made:
        # A hold and an alarm of one channel are two troubles, too.
        first = made.homes[0]
        await held(made, first)
        for _ in range(60):
            await made.say(first)
            await made.run(1)
        assert {one.account for one in await made.incidents()} == {first.account}
