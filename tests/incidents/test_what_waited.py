"""After an outage nearly everything goes by itself, and what would be wrong by now is asked about, for a stated reason."""

import random
from collections import Counter
from pathlib import Path

import pytest

from heliograph.domain.content import Text
from heliograph.domain.delivery import Question, State
from heliograph.ports.provider import Author, InboundMessage
from heliograph.services import decisions, staleness
from heliograph.services.ingest import ingest
from heliograph.services.tickets import solve
from tests.incidents.town import SECOND, Home, Said, Town, town

MINUTE = 60


async def contact_writes(made: Town, home: Home, lane: str, text: str) -> None:
    _, address = made.lanes[home.account, lane]
    channel = await made.store.channel(home.account, home.channel)
    conversation = await made.store.conversation(home.account, lane)
    assert channel is not None and conversation is not None
    handle = await made.store.handle(home.account, home.channel, address)
    made.clock.at += 1
    id = f"in-{made.clock.at}"
    item = InboundMessage(id, address, handle.handle if handle else address, "Ada", id, Author.CONTACT, (Text(text),), made.clock.at)
    await ingest(made.context, channel, [item])


async def solves(made: Town, home: Home, lane: str) -> None:
    ticket, _ = made.lanes[home.account, lane]
    await solve(made.context, home.account, ticket, actor="agent:x")


async def outage(made: Town, seconds: float) -> None:
    """The rest of the outage in a few strides, its end, and the drain."""
    for _ in range(20):
        made.clock.at += int(seconds / 20 * SECOND)
        await made.step()
    made.homes[0].key.revoked = False
    await made.run(40)


async def asked(made: Town, said: Said) -> str:
    delivery = await made.store.delivery(said.account, said.delivery)
    assert delivery is not None
    return delivery.question if delivery.state is State.ASKING else delivery.state.value


async def test_each_reason_to_ask(tmp_path: Path, database: str) -> None:
    async with town(tmp_path, database=database, lanes=6) as made:
        home, made.homes[0].key.revoked = made.homes[0], True
        plain, burst, solved_with, solved_later, wrote, again = home.lanes
        going = [await made.say(home, plain)]
        going += [await made.say(home, burst) for _ in range(3)]
        going.append(await made.say(home, solved_with))
        await solves(made, home, solved_with)
        later = await made.say(home, solved_later)
        written = await made.say(home, wrote)
        twice = await made.say(home, again)
        await made.run(5)
        await contact_writes(made, home, plain, "hello?")
        await contact_writes(made, home, wrote, "Forget it, I want my money back")
        made.clock.at += 5 * MINUTE * SECOND
        await solves(made, home, solved_later)
        made.said.pop()
        repeated = await made.say(home, again)
        await outage(made, 4 * MINUTE)
        assert [await asked(made, said) for said in going] == ["accepted"] * 5
        assert await asked(made, later) == Question.SOLVED_SINCE
        assert await asked(made, written) == Question.CONTACT_WROTE
        assert await asked(made, twice) == Question.WRITTEN_AGAIN
        # It waits behind the one that asks, and once that is decided it goes.
        assert await asked(made, repeated) == "queued"
        await decisions.decide_on(made.context, home.account, twice.delivery, "cancel", actor="agent:x")
        await decisions.decide_on(made.context, home.account, written.delivery, "resend", actor="agent:x")
        await made.run(2)
        assert await asked(made, repeated) == "accepted" and await asked(made, written) == "accepted"


async def test_a_night_is_too_long_and_an_account_may_say_how_long(tmp_path: Path) -> None:
    async with town(tmp_path) as made:
        made.homes[0].key.revoked = True
        await staleness.set_limit(made.context, made.homes[1].account, 12 * 3600)
        said = [await made.say(home) for home in made.homes]
        behind = await made.say(made.homes[0])
        await outage(made, 5 * 3600)
        assert [await asked(made, one) for one in said] == [Question.WAITED_TOO_LONG, "accepted", Question.WAITED_TOO_LONG]
        # Whoever decides about the first has seen them all: the rest of the burst goes with it.
        await decisions.decide_on(made.context, said[0].account, said[0].delivery, "resend", actor="agent:x")
        await made.run(2)
        assert [await asked(made, one) for one in (said[0], behind)] == ["accepted", "accepted"]


@pytest.mark.parametrize("seed", range(3))
async def test_nine_in_ten_go_without_a_click(tmp_path: Path, seed: int) -> None:
    """The published model of docs/incidents.md: a nine-minute outage among agents who do not know of it.

    A ticket gets 1 to 3 bubbles in a row. Half the agents solve on send, one in twenty solves minutes later. Four in ten contacts
    only ask whether anybody is there; one in twenty writes something new. One agent in fifty writes the same again.
    """
    chance = random.Random(seed)
    async with town(tmp_path, lanes=40, seed=seed) as made:
        made.homes[0].key.revoked = True
        replies: list[Said] = []
        late: list[tuple[Home, str, Said]] = []
        for home in made.homes:
            for lane in home.lanes:
                replies += [await made.say(home, lane) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
                late.append((home, lane, replies[-1]))
                if chance.random() < 0.5:
                    await solves(made, home, lane)
        await made.step()
        made.clock.at += 4 * MINUTE * SECOND
        for home, lane, last in late:
            dice = chance.random()
            if dice < 0.4:
                await contact_writes(made, home, lane, chance.choice(("hello?", "anybody there?", "still waiting")))
            elif dice < 0.45:
                await contact_writes(made, home, lane, "I have found it myself, thank you")
            elif dice < 0.50:
                await solves(made, home, lane)
            elif dice < 0.52:
                made.said, kept = made.said[: int(made.said.index(last))], made.said
                replies.append(await made.say(home, lane))
                made.said = kept
        await outage(made, 5 * MINUTE)
        became = Counter([await asked(made, said) for said in replies])
        assert set(became) <= {"accepted", "queued", *Question}, became
        assert became["accepted"] >= 0.9 * len(replies), became
        counts = made.sandbox.tally.counts()
        assert (counts.doubled, counts.overtaken) == (0, 0)
