"""Taking lanes: who may start the next attempt, decided by the database among any number of workers."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery, State
from heliograph.domain.health import Condition
from heliograph.ports.store import SWEEPER, Changes, Claimed
from heliograph.storage import ledger
from heliograph.storage.postgres.transaction import Lane, Queries, Transaction
from heliograph.storage.ration import Ration
from heliograph.storage.reads import make_delivery

#: Fields of a delivery at the front of a row of `heads`.
WIDTH = len(Delivery._fields)


class Runnable(NamedTuple):
    """A channel on which lanes may start. `trial`: one only."""

    account: str
    channel: str
    #: credential@fingerprint
    version: str
    trial: bool


class Claim(Transaction):
    """One open transaction in which a worker takes lanes."""

    def __init__(self, connection: Any, queries: Queries, release: str, *, worker: str, now: int, lease_until: int) -> None:
        super().__init__(connection, queries, release)
        self._worker = worker
        self._now = now
        self._lease_until = lease_until

    async def claim(self, limit: int, turn: int, ration: Ration) -> list[Claimed]:
        """See Store.claim. `turn` rotates which channel comes first."""
        channels = await self._channels(limit, turn, ration)
        claimed: list[Claimed] = []
        while channels and len(claimed) < limit:
            shares = _shares(channels, limit - len(claimed), ration)
            made = {c[:2]: c for c in channels}
            columns = ([c.account for c in channels], [c.channel for c in channels], shares)
            lanes = {(r[0], r[2]): (r[0], r[1]) for r in await self.fetch("runnable_lanes", self._release, *columns, self._now)}
            claimed += await self._start({lane: made[channel] for lane, channel in lanes.items()})
            # What some channels leave over goes to those that have more.
            full = Counter(lanes.values())
            for channel, share in zip(channels, shares, strict=True):
                ration.take(channel[:2], full[channel[:2]] - share)
            channels = [c for c, share in zip(channels, shares, strict=True) if share and not c.trial and full[c[:2]] == share]
        return claimed

    async def _channels(self, limit: int, turn: int, ration: Ration) -> list[Runnable]:
        found = await self.fetch("runnable_channels", self._now, self._release)
        shift = turn % len(found) if found else 0
        channels: list[Runnable] = []
        trials: set[tuple[str, ...]] = set()
        for account, channel, credential, fingerprint, own, of_credential, shared in found[shift:] + found[:shift]:
            if not ration.of((account, channel)):
                continue
            version = f"{credential}@{fingerprint}"
            trial = Condition.TRIAL in (own, of_credential)
            if trial and len(channels) < limit:
                if of_credential == Condition.TRIAL:
                    users = (shared,) if shared else (account, credential)
                    if users in trials or not await self._idle("" if shared else account, "credential", version, users):
                        continue
                    trials.add(users)
                elif not await self._idle(account, "channel", channel, (account, channel)):
                    continue
            if not trial or len(channels) < limit:
                channels.append(Runnable(account, channel, version, trial))
        return channels

    async def _idle(self, account: str, kind: str, subject: str, users: tuple[str, ...]) -> bool:
        """Whether this transaction alone may try the subject, and nothing is under way on it."""
        if not await self.fetch("trial_lock", account, kind, subject):
            return False
        if len(users) == 1:
            return not await self.fetch("shared_busy", *users, subject.partition("@")[2])
        return not await self.fetch(f"{kind}_busy", *users)

    async def _start(self, lanes: dict[Lane, Runnable]) -> list[Claimed]:
        """Begin an attempt at the head of each lane, or ask where sending now would be wrong."""
        if not lanes:
            return []
        events: list[ledger.EventRow] = []
        changed: list[tuple[int, Delivery]] = []
        starting: list[tuple[Delivery, Any]] = []
        asking: list[Lane] = []
        stuck: list[Lane] = []
        for row in await self.fetch("heads", *zip(*lanes, strict=True)):
            head = make_delivery(row[:WIDTH])
            lane = (head.account, head.lane)
            if head.state is not State.QUEUED:
                # An open attempt that nobody holds: the sweeper finds out, and the other lanes go on.
                stuck.append(lane)
                continue
            changes = Changes(head.account, self._now, credential=lanes[lane].version)
            overtaken = bool(row["overtaken"])
            begun = decide.start(head, fingerprint=lanes[lane].version.partition("@")[2], overtaken=overtaken)
            delivery = ledger.fold_delivery(changes, head, begun, self._release, events)
            changed.append((head.version, delivery))
            if overtaken:
                asking.append(lane)
            else:
                starting.append((delivery, row))
        await self.set_deliveries(changed)
        await self.append(events)
        await self.refresh(asking)
        await self.take(SWEEPER, stuck)
        fences = await self.take(self._worker, [(delivery.account, delivery.lane) for delivery, _ in starting])
        claimed = []
        for delivery, row in starting:
            lane = (delivery.account, delivery.lane)
            credential, _, fingerprint = lanes[lane].version.partition("@")
            claimed.append(
                Claimed(
                    delivery.lane, fences[lane], self._lease_until, delivery, row["address"], row["contact"], row["control"],
                    row["payload"], fingerprint, credential, int(lanes[lane].trial),
                )
            )  # fmt: skip
        return claimed

    async def take(self, owner: str, lanes: Sequence[Lane]) -> dict[Lane, int]:
        """Make locked lanes the owner's and return their new fences."""
        if not lanes:
            return {}
        taken = await self.fetch("lanes_take", owner, self._lease_until, *zip(*lanes, strict=True))
        return {(account, id): fence for account, id, fence in taken}

    async def expire(self) -> list[tuple[str, str, int, Delivery | None]]:
        """See Store.expire."""
        lanes = [(account, id) for account, id in await self.fetch("lanes_expired", self._now)]
        fences = await self.take(SWEEPER, lanes)
        if not fences:
            return []
        rows = await self.fetch("heads", *zip(*lanes, strict=True))
        heads = {(head.account, head.lane): head for head in (make_delivery(row[:WIDTH]) for row in rows)}
        return [(account, id, fences[account, id], heads.get((account, id))) for account, id in lanes]


def _shares(channels: Sequence[Runnable], limit: int, ration: Ration) -> list[int]:
    """Divide `limit` evenly in the order of channels, of each no more than its ration, which is taken; in trial, one at most."""
    shares: list[int] = []
    for index, channel in enumerate(channels):
        share = min(-(-(limit - sum(shares)) // (len(channels) - index)), ration.of(channel[:2]))
        shares.append(min(share, 1) if channel.trial else share)
        ration.take(channel[:2], shares[-1])
    return shares
