"""A call with many items needs few commits, and leaves what the same items leave that come one by one."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from heliograph.bootstrap.application import Application, Config, build
from heliograph.domain.content import Text
from heliograph.domain.outcomes import Accepted, ReceiptLevel
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import (
    Author,
    ContactBlocked,
    ControlChanged,
    ConversationMoved,
    ConversationRemoved,
    Ignored,
    Inbound,
    InboundMessage,
    Receipt,
)
from heliograph.ports.store import Changes, Store, Unavailable
from heliograph.providers.registry import PROVIDERS
from heliograph.services.channels import Channels
from heliograph.services.configure import create_account, create_agent, create_channel
from heliograph.services.ingest import ingest
from heliograph.services.together import AT_ONCE
from tests.services.test_troubles import FIELDS, Desk, Line
from tests.storage.acts import result
from tests.storage.engines import Engine, PostgresEngine
from tests.storage.law import check_all

SENT = 6


@asynccontextmanager
async def desk(folder: Path, engine: Engine) -> AsyncIterator[Desk]:
    application = await build(
        Config(folder, b"k" * 32, database=engine.dsn if isinstance(engine, PostgresEngine) else "", http_process=False)
    )
    line = Line(lambda method, url: HttpResponse(500, {}, b""))
    context = application.context
    context.channels = Channels(context.store, lambda name, fields: PROVIDERS[name](fields, line), context.channels.vault)
    try:
        yield await another(application, "One")
    finally:
        await application.close()


async def another(application: Application, name: str) -> Desk:
    """One more account, with a conversation in which replies were accepted as "p0" and on."""
    context, spec = application.context, application.specs["sunshine"]
    account = await create_account(context, name)
    agent = await create_agent(context, account, "Sam")
    id = await create_channel(context, account, spec, name="x", config=FIELDS["sunshine"], actor="operator")
    channel = await context.store.channel(account, id)
    assert channel is not None
    made = Desk(application, account, agent, channel)
    # An id that sorts before those that are made here, as that of an older conversation does.
    await made.conversation("cnv_0", "here", "tkt_1")
    for number in range(SENT):
        await made.say(Text(f"{number}"))
        now = context.clock.now()
        [claimed] = await context.store.claim(worker="w", now=now, lease_until=now + 60_000_000, limit=9)
        await context.store.commit(result(claimed, Accepted(f"p{number}"), at=now, worker="w"))
    return made


class Counted:
    """A store that counts transactions that write."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.commits = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def commit(self, changes: Changes) -> None:
        self.commits += 1
        await self._store.commit(changes)

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        self.commits += 1
        await self._store.commit_all(acts)


def message(n: int, conversation: str) -> InboundMessage:
    return InboundMessage(f"e{n}", conversation, "7", "Ada", f"m{n}", Author.CONTACT, (Text(f"text {n}"),), n)


async def said(made: Desk) -> dict[str, list[str]]:
    """By conversation's address: the bodies of its comments, in order."""
    found: dict[str, list[str]] = {}
    for row in await made.context.store.conversations_since(made.account, made.channel.id, 0):
        found[row.address] = [one.body for one in await made.context.store.comments(made.account, row.ticket)] if row.ticket else []
    return found


async def test_a_call_of_a_thousand_events_is_a_few_commits(tmp_path: Path, engine: Engine) -> None:
    async with desk(tmp_path, engine) as made:
        counted = made.context.store = Counted(made.context.store)  # type: ignore[assignment]
        items: list[Inbound] = [message(n, f"c{n % 3}") for n in range(1000)]
        assert await ingest(made.context, made.channel, items) == 1000
        assert counted.commits == 1000 / AT_ONCE
        found = await said(made)
        for conversation in range(3):
            assert all(f"text {n}" in body for n, body in zip(range(conversation, 1000, 3), found[f"c{conversation}"], strict=True))
        assert await ingest(made.context, made.channel, items) == 0
        assert counted.commits == 1000 / AT_ONCE


async def test_receipts_of_different_messages_share_a_commit_and_those_of_one_keep_their_order(tmp_path: Path, engine: Engine) -> None:
    async with desk(tmp_path, engine) as made:
        counted = made.context.store = Counted(made.context.store)  # type: ignore[assignment]
        levels = (ReceiptLevel.DELIVERED, ReceiptLevel.READ)
        items = [receipt(level, f"p{n}", f"{level}{n}") for level in levels for n in range(SENT)]
        assert await ingest(made.context, made.channel, items) == len(items)
        assert counted.commits == len(levels)
        assert await made.context.store.counts(made.account) == {"read": SENT}


def receipt(level: ReceiptLevel, id: str, event: str, **more: object) -> Receipt:
    return Receipt(event, level, 1, id, **more)  # type: ignore[arg-type]


def anything(chance: random.Random, n: int) -> Inbound:
    """Some item; several are about the same things, and some are repeated."""
    where, id = chance.choice(["here", "c1", "c2", "c3"]), f"e{chance.choice([n, n, n, max(n - 3, 0)])}"
    match chance.randrange(12):
        case 0 | 1 | 2 | 3:
            return InboundMessage(id, where, chance.choice(["7", "8", ""]), "Ada", f"m{n}", Author.CONTACT, (Text(f"text {n}"),), n)
        case 4:
            return InboundMessage(id, where, "", "", chance.choice([f"m{n}", "p1", "p2"]), Author.BUSINESS, (Text(f"text {n}"),), n)
        case 5 | 6:
            return receipt(chance.choice(list(ReceiptLevel)[1:4]), f"p{chance.randrange(SENT + 2)}", id)
        case 7:
            return receipt(ReceiptLevel.READ, "", id, conversation=where, up_to=2_000_000_000_000_000)
        case 8:
            return receipt(ReceiptLevel.FAILED, f"p{chance.randrange(SENT)}", id, reason=Reason.PROVIDER_DOWN, final=True)
        case 9:
            return ControlChanged(id, where, chance.random() < 0.5, "", n) if chance.random() < 0.5 else ConversationRemoved(id, where, n)
        case 10:
            return ContactBlocked(id, chance.choice("78"), chance.random() < 0.5, n)
        case _:
            return ConversationMoved(id, where, f"c{chance.randrange(1, 5)}", n) if chance.random() < 0.5 else Ignored(id, "x")


async def left(made: Desk) -> tuple[object, ...]:
    """What the store holds, without what is made up anew each time."""
    store, account, channel = made.context.store, made.account, made.channel.id
    known = await store.conversations_since(account, channel, 0)
    conversations = sorted((one.address, one.control, one.removed, one.last_inbound_at) for one in known if one.id != "cnv_0")
    deliveries = [(d.state, d.rank, d.epoch, d.version) for d in await store.deliveries_of(account, "tkt_1")]
    handles = [(await store.handle(account, channel, handle)) for handle in "78"]
    events = [(event.kind, event.actor) for event in await store.events(account, stream="ticket", stream_id="tkt_1", after=0, limit=500)]
    return conversations, deliveries, [one and one.blocked for one in handles], events, await said(made)


@pytest.mark.parametrize("seed", range(10))
async def test_many_items_together_leave_what_they_leave_one_by_one(tmp_path: Path, engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    items = [anything(chance, n) for n in range(60)]
    async with desk(tmp_path, engine) as made:
        apart = await another(made.application, "Two")
        new = await ingest(made.context, made.channel, items)
        assert new == sum([await ingest(apart.context, apart.channel, [item]) for item in items])
        assert await left(made) == await left(apart)
        await check_all(made.context.store)


class Overtaken(Counted):
    """Somebody else takes the same event between decision and commit, once."""

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        if not self.commits:
            [first, *_] = [put for put in acts[-1].puts if isinstance(put, rows.Seen)]
            await self.commit(Changes(first.account, first.at, puts=[first]))
        await super().commit_all(acts)


async def test_where_somebody_else_was_quicker_the_others_are_taken_all_the_same(tmp_path: Path, engine: Engine) -> None:
    async with desk(tmp_path, engine) as made:
        made.context.store = Overtaken(made.context.store)  # type: ignore[assignment]
        assert await ingest(made.context, made.channel, [message(n, "c1") for n in range(5)]) == 4
        assert len((await said(made))["c1"]) == 4


class Broken(Counted):
    """The disk fails after the write: what was written can be read and may yet be lost."""

    async def commit_all(self, acts: Sequence[Changes]) -> None:
        await super().commit_all(acts)
        raise Unavailable("OSError")


async def test_what_may_not_be_durable_is_not_taken_for_seen(tmp_path: Path, engine: Engine) -> None:
    async with desk(tmp_path, engine) as made:
        made.context.store = Broken(made.context.store)  # type: ignore[assignment]
        with pytest.raises(Unavailable):
            await ingest(made.context, made.channel, [message(n, "c1") for n in range(5)])
