"""A reply that waits is written anew: both in one act, and never one that may be on its way."""

from pathlib import Path

import pytest

from heliograph.domain.content import Text
from heliograph.domain.decide import Refusal
from heliograph.domain.delivery import State
from heliograph.services.context import Missing
from heliograph.services.reply import reply
from tests.incidents.town import Said, Town, town


async def instead(made: Town, said: Said, text: str, *, lane: str = "") -> list[str]:
    ticket, _ = made.lanes[said.account, lane or said.lane]
    agent = made.homes[0].agents[0]
    written = await reply(
        made.context, said.account, ticket, agent=agent, actor="agent:x", contents=[Text(text)], public=True,
        replaces=(await delivery(made, said.delivery)).comment,
    )  # fmt: skip
    return written.deliveries


async def delivery(made: Town, id: str):
    found = await made.store.delivery(made.homes[0].account, id)
    assert found is not None
    return found


async def test_only_the_new_one_goes(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        made.homes[0].key.revoked = True
        said = await made.say(made.homes[0])
        await made.run(3)
        [new] = await instead(made, said, "the new one")
        assert (await delivery(made, said.delivery)).state is State.CANCELLED
        made.homes[0].key.revoked = False
        await made.run(40)
        assert (await delivery(made, new)).state is State.ACCEPTED
        assert [taken.text for taken in made.sandbox.tally.taken()] == ["the new one"]


async def test_what_has_gone_is_not_replaced_and_nothing_is_written(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        said = await made.say(made.homes[0])
        await made.run(2)
        with pytest.raises(Refusal, match="does not wait any more"):
            await instead(made, said, "too late")
        assert len(await made.store.comments(said.account, made.lanes[said.account, said.lane][0])) == 1


async def test_another_ticket_s_reply_is_not_replaced(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        made.homes[0].key.revoked = True
        said = await made.say(made.homes[0])
        with pytest.raises(Missing):
            await instead(made, said, "elsewhere", lane=made.homes[0].lanes[1])
