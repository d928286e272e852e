"""The verdict: what the services took against what the ledger says, rule by rule."""

import json
from collections import defaultdict
from itertools import accumulate
from typing import Any, NamedTuple

from heliograph.domain import delivery as deliveries, events as ev
from heliograph.domain.delivery import RANK, TAKEN, Delivery, Question, State
from heliograph.domain.events import Event
from heliograph.domain.reasons import REASONS, Effect
from heliograph.ports.rows import EventRead
from heliograph.sandbox.tally import Taken
from heliograph.storage.ledger import decode
from heliograph.storage.reads import make_delivery
from tests.sim.loop import SECOND
from tests.sim.simulation import Simulation
from tests.sim.world import Place
from tests.storage.law import check_all

#: Faults that must never spend a message.
FOREIGN = frozenset({Effect.HOLD_CHANNEL, Effect.HOLD_CREDENTIAL, Effect.WAIT})
#: Events after which a reply may be accepted late, or once more: somebody decided, or the provider handed it back.
DECIDED = (ev.Resent, ev.MarkedSent, ev.ReplyCancelled, ev.ReceiptReturned)
SETTLE = 60.0
REPLACED = ev.ConversationReplaced.kind
EVENTS = f"SELECT {', '.join(EventRead._fields)} FROM event WHERE subject = ? ORDER BY position"


class Past(NamedTuple):
    """A delivery with its text, all its events, and when the provider took it."""

    row: Delivery
    service: str
    address: str
    text: str
    events: list[tuple[Event, int]]
    taken: list[Taken]

    def began(self, at: int) -> int:
        """When the attempt was started that was under way then."""
        return max((when for event, when in self.events if isinstance(event, ev.AttemptStarted) and when <= at), default=0)

    def count(self, *kinds: type[Event]) -> int:
        """How many events of these kinds."""
        return sum(isinstance(event, kinds) for event, _ in self.events)


async def judge(sim: Simulation, *, final: bool) -> None:
    """Add what is wrong to `sim.violations`. `final`: everything has healed and had its time."""
    try:
        await check_all(sim.store)
    except AssertionError as broken:
        sim.violated(f"I5 the law: {broken}")
    pasts = _pasts(sim)
    for past in pasts:
        _rule_r(sim, past)
        _ranks(sim, past)
        _acceptances(sim, past, final=final)
    _order(sim, pasts)
    _strangers(sim, pasts)
    _inbound(sim, final=final)
    missing = set(sim.saved) - {past.row.id for past in pasts}
    if missing:
        sim.violated(f"I1 saved and gone: {sorted(missing)}")
    for host in sim.hosts:
        for name, fields in host.observed:
            sim.violated(f"bug in the program: {name} {fields}")
        host.observed.clear()
    for failure in sim.loop.failures:
        sim.violated(f"bug in the program: {failure}")
    sim.loop.failures.clear()


def _pasts(sim: Simulation) -> list[Past]:
    run = sim.rows
    texts = {id: json.loads(data)["payload"] for id, data in run("SELECT d.id, b.data FROM delivery d JOIN body b ON b.id = d.id")}
    addresses = dict(run("SELECT id, address FROM conversation"))
    services = {channel.id: service for service, channel in sim.channels.items()}
    taken: dict[tuple[str, str, str], list[Taken]] = defaultdict(list)
    for each in sim.world.sandbox.tally.taken():
        taken[(*sim.world.current(Place(each.service, each.conversation)), each.text)].append(each)
    found = []
    for row in map(make_delivery, run("SELECT * FROM delivery ORDER BY lane, seq")):
        place = (*sim.world.current(Place(services[row.channel], addresses[row.lane])), texts[row.id]["text"])
        reads = map(EventRead._make, run(EVENTS, row.id))
        found.append(Past(row, *place, [(decode(read), read.recorded_at) for read in reads], taken.get(place, [])))
    return found


def _rule_r(sim: Simulation, past: Past) -> None:
    """I6: why each further attempt was allowed; and that only faults of the message's own spend it."""
    allowed = True
    began = unknown_at = doubt_since = 0
    for event, at in past.events:
        if isinstance(event, ev.AttemptStarted):
            if not allowed:
                sim.violated(f"I6 {past.row.id}: attempt {event.attempt} without a reason")
            allowed, began = False, at
        elif isinstance(event, ev.AttemptUnknown):
            unknown_at, doubt_since = at, doubt_since or began
        elif isinstance(event, (ev.AttemptDeferred, ev.RepeatAllowed)):
            allowed = True
        elif isinstance(event, (ev.SendAbsent, ev.Resent, ev.ReceiptReturned)):
            allowed, doubt_since = True, 0
        if isinstance(event, ev.SendAbsent) and at < unknown_at + SETTLE * SECOND:
            sim.violated(f"I6 {past.row.id}: absence was believed after {(at - unknown_at) / SECOND} s")
        if isinstance(event, ev.AttemptDeferred) and event.spent and REASONS[event.reason].effect in FOREIGN:
            sim.violated(f"I11 {past.row.id}: {event.reason} spent the message at attempt {event.attempt}")


def _begun(row: Delivery, event: ev.ReplyQueued, at: int) -> Delivery:
    return deliveries.queued(
        account=row.account, id=row.id, ticket=row.ticket, comment=row.comment, channel=row.channel, lane=row.lane, seq=row.seq,
        event=event, now=at,
    )  # fmt: skip


def _ranks(sim: Simulation, past: Past) -> None:
    """I9: receipts never take back what they said."""
    row: Delivery | None = None
    said = 0
    for event, at in past.events:
        if row is None:
            assert isinstance(event, ev.ReplyQueued)
            row = _begun(past.row, event, at)
            continue
        after = deliveries.evolve(row, event, at)
        if isinstance(event, (ev.Resent, ev.ReceiptReturned, ev.ReceiptFailed)) and after.rank == 0:
            said = 0
        elif isinstance(event, ev.ReceiptReceived):
            said = max(said, RANK[event.level])
        if after.rank < said:
            sim.violated(f"I9 {row.id}: {event} took it from rank {said} to {after.rank}")
        row = after


def _acceptances(sim: Simulation, past: Past, *, final: bool) -> None:
    """I2: how often the provider took it; and that our word about it is true."""
    row, times = past.row, len(past.taken)
    decisions = past.count(ev.Resent, ev.ReceiptReturned)
    if times > 1 + decisions:
        sim.violated(f"I2 {row.id} doubled: {past.service} took it {times} times, {decisions} were decided")
    told = past.count(*DECIDED, ev.ReceiptFailed)
    if row.state in TAKEN and not times and not past.count(ev.MarkedSent):
        sim.violated(f"I2 {row.id} lost: it is {row.state}, and {past.service} never took it")
    if row.state in (State.FAILED, State.CANCELLED) and times and not told:
        sim.violated(f"I2 {row.id} is called {row.state}, and {past.service} took it")
    if row.state is State.CANCELLED and times and not _asked_or_returned(past):
        sim.violated(f"I2 {row.id} was cancelled as if it had not left, and {past.service} took it")
    if final and row.state in deliveries.OPEN:
        sim.violated(f"I10 {row.id} is still {row.state} ({row.reason} {row.code}) at {past.service}")


def _asked_or_returned(past: Past) -> bool:
    """Whether whoever cancelled it was told that it may have been sent."""
    return any(
        isinstance(event, ev.ReceiptReturned) or (isinstance(event, ev.QuestionRaised) and event.question == Question.MAY_HAVE_BEEN_SENT)
        for event, _ in past.events
    )


def _order(sim: Simulation, pasts: list[Past]) -> None:
    """I3: by the provider's acceptance, unless somebody decided otherwise before."""
    lanes: dict[str, list[Past]] = defaultdict(list)
    for past in pasts:
        lanes[past.row.lane].append(past)
    for members in lanes.values():
        members.sort(key=lambda past: past.row.seq)
        _one_order(sim, list(enumerate(members)), since=0)
    for group, since in _merged(sim):
        # A lane's own order counts more than what clocks said.
        turns = [
            (turn, past)
            for lane in group
            for past, turn in zip(lanes[lane], accumulate((past.row.queued_at for past in lanes[lane]), max), strict=True)
        ]
        _one_order(sim, sorted(turns, key=lambda each: each[0]), since=since)


def _one_order(sim: Simulation, members: list[tuple[int, Past]], *, since: int) -> None:
    """Nothing that was started after `since` was taken before what has an earlier turn."""
    taken = [(turn, past) for turn, past in members if past.taken]
    for at, (turn, past) in enumerate(taken):
        first = past.taken[0]
        if any(isinstance(event, DECIDED) and when <= first.at for event, when in past.events):
            continue
        for other_turn, other in taken[at + 1 :]:
            if other_turn > turn and other.taken[0].sequence < first.sequence and other.began(other.taken[0].at) > since:
                sim.violated(
                    f"I3 {past.row.id} (place {past.row.seq}) was overtaken by place {other.row.seq} of {other.row.lane} at {past.service}"
                )
                break


def _merged(sim: Simulation) -> list[tuple[list[str], int]]:
    """Lanes that we know to lead to one conversation, and since when we know of all of them."""
    known: dict[str, tuple[list[str], int]] = {}
    lines = sim.rows("SELECT survivor, id FROM lane WHERE survivor <> '' ORDER BY survivor, id")
    told = {json.loads(data)["conversation"]: at for data, at in sim.rows("SELECT data, recorded_at FROM event WHERE kind = ?", REPLACED)}
    for survivor, lane in lines:
        members, since = known.get(survivor, ([], 0))
        known[survivor] = ([*members, lane], max(since, told.get(lane, 0)))
    return list(known.values())


def _strangers(sim: Simulation, pasts: list[Past]) -> None:
    """I4: nothing leaves that nobody wrote, or to somebody else."""
    ours = {(past.service, past.address, past.text) for past in pasts}
    for each in sim.world.sandbox.tally.taken():
        if (*sim.world.current(Place(each.service, each.conversation)), each.text) not in ours:
            sim.violated(f"I4 {each.service} took a message in {each.conversation} that nobody wrote there")


def _inbound(sim: Simulation, *, final: bool) -> None:
    """I8: what was acknowledged is there, and everything is there once."""
    run = sim.rows
    twice = run("SELECT provider_id, count(*) AS n FROM comment WHERE author_kind <> 'agent' GROUP BY provider_id HAVING n > 1")
    for id, times in twice:
        sim.violated(f"I8 message {id} was taken in {times} times")
    known = {id for (id,) in run("SELECT provider_id FROM comment WHERE author_kind <> 'agent'")}
    expected = set(sim.acknowledged)
    if final:
        for bot in sim.world.sandbox.telegram.center.bots.values():
            expected |= {f"{chat.id}:{m.id}" for chat in bot.chats.values() for m in chat.messages if not m.from_bot}
        for provider_id, delivery in run(
            "SELECT o.provider_id, d.id FROM orphan o JOIN delivery d ON d.channel = o.channel AND d.provider_id = o.provider_id"
        ):
            sim.violated(f"I9 a receipt for {delivery} ({provider_id}) was never given to it")
    for id in sorted(expected - known):
        sim.violated(f"I8 message {id} was acknowledged and is not there")


def summary(sim: Simulation) -> dict[str, Any]:
    """Figures for a line of output."""
    run = sim.rows
    states = dict(run("SELECT state, count(*) FROM delivery GROUP BY state ORDER BY state"))
    kinds = dict(run("SELECT kind, count(*) FROM event GROUP BY kind"))
    return {
        "deliveries": sum(states.values()), "attempts": kinds.get("attempt_started", 0), "unknown": kinds.get("attempt_unknown", 0),
        "asked": kinds.get("question_raised", 0), "holds": kinds.get("hold_started", 0), "returned": kinds.get("receipt_returned", 0),
        "kills": sim.kills, "stalls": sim.stalls, "states": states,
    }  # fmt: skip
