"""Acts as services make them, in short: what tests of the store say instead of spelling out every row."""

from collections.abc import Sequence
from typing import NamedTuple

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery
from heliograph.domain.events import Event
from heliograph.domain.outcomes import Accepted, DedupeClass, SendResult
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Claimed, Fold, NewDelivery, Release, Store

NOW = 1_800_000_000 * SECOND
LEASE = 30 * SECOND
ASKS = decide.Policy(DedupeClass.NONE, settle=0)
LOOKS_UP = decide.Policy(DedupeClass.LOOKUP, settle=10 * SECOND)


class Place(NamedTuple):
    """One conversation with its ticket."""

    account: str
    channel: str
    lane: str
    ticket: str


def founding(account: str = "acc_a", *, channels: int = 1, shared_credential: bool = False) -> Changes:
    """An account with channels `chn_1` …, each with a credential of its own unless shared."""
    changes = Changes(account, NOW, actor="operator")
    changes.puts += [rows.Account(account, "Ames", "en", "ask", NOW), rows.Contact(account, "con_1", "Uma", NOW)]
    for n in range(1, channels + 1):
        credential = "cre_1" if shared_credential else f"cre_{n}"
        changes.puts += [
            rows.Credential(account, credential, "sandbox", "sealed", "f1", "", NOW),
            rows.Channel(account, f"chn_{n}", "sandbox", "Desk", "{}", credential, 1, 0, NOW, NOW),
            rows.Handle(account, f"chn_{n}", f"uma{n}", "con_1", 0),
        ]
    return changes


def opening(n: int, *, account: str = "acc_a", channel: str = "chn_1") -> tuple[Changes, Place]:
    """Conversation and ticket number `n` of a channel."""
    place = Place(account, channel, f"cnv_{channel}_{n}", f"tkt_{channel}_{n}")
    changes = Changes(account, NOW, actor="contact")
    changes.puts += [
        rows.Conversation(account, place.lane, channel, f"address-{n}", "con_1", place.ticket, "", NOW, 0, NOW),
        rows.Ticket(account, place.ticket, 0, place.lane, channel, "con_1", "open", NOW, NOW),
    ]
    return changes, place


async def found_account(store: Store, account: str = "acc_a", *, channels: int = 1, lanes: int = 1, shared: bool = False) -> list[Place]:
    """An account with `lanes` conversations on each channel."""
    await store.commit(founding(account, channels=channels, shared_credential=shared))
    places = []
    for channel in range(1, channels + 1):
        for n in range(1, lanes + 1):
            changes, place = opening(n, account=account, channel=f"chn_{channel}")
            await store.commit(changes)
            places.append(place)
    return places


def reply(place: Place, id: str, *, parts: int = 1, at: int = NOW) -> Changes:
    """An agent's reply in one or more parts; deliveries are called `id`.1, `id`.2 …"""
    changes = Changes(place.account, at, actor="agent:agt_1")
    changes.puts += [
        rows.Comment(place.account, f"com_{id}", place.ticket, "agent", "agt_1", 1, "", at, at),
        rows.Body(place.account, f"com_{id}", f'"{id}"'),
        rows.TouchTicket(place.account, place.ticket, at),
    ]
    for part in range(1, parts + 1):
        changes.puts.append(rows.Body(place.account, f"{id}.{part}", f'"part {part} of {id}"'))
        changes.queue.append(NewDelivery(f"{id}.{part}", place.ticket, f"com_{id}", place.channel, place.lane, part, parts))
    return changes


def folding(row: Delivery, events: Sequence[Event], *, at: int = NOW, actor: str = "system") -> Changes:
    """Something happens to a delivery whose lane nobody has claimed."""
    return Changes(row.account, at, actor=actor, folds=[Fold(row, events)])


def result(claimed: Claimed, outcome: SendResult, *, worker: str = "w1", at: int = NOW, policy: decide.Policy = ASKS) -> Changes:
    """The answer to a claimed lane's attempt, and the lane given back."""
    events = decide.conclude(claimed.delivery, outcome, policy, now=at, jitter=0.5)
    changes = folding(claimed.delivery, events, at=at)
    changes.credential = f"{claimed.credential}@{claimed.fingerprint}"
    changes.releases.append(Release(claimed.lane, worker, claimed.fence))
    return changes


async def claim(store: Store, *, worker: str = "w1", now: int = NOW, limit: int = 10) -> list[Claimed]:
    """Claim with the usual lease."""
    return await store.claim(worker=worker, now=now, lease_until=now + LEASE, limit=limit)


async def send_one(store: Store, *, now: int = NOW) -> Claimed:
    """Claim the one runnable lane, and have its head accepted."""
    [claimed] = await claim(store, now=now)
    await store.commit(result(claimed, Accepted(f"p-{claimed.delivery.key}"), at=now))
    return claimed
