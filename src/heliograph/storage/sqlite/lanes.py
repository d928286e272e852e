"""Claiming lanes: which channels may be used, which of their lanes are next, and the start of each head's attempt."""

from typing import Any, NamedTuple

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery, State
from heliograph.domain.health import Condition
from heliograph.ports.store import SWEEPER, Changes, Claimed, Release
from heliograph.storage.ration import Ration
from heliograph.storage.reads import make_delivery
from heliograph.storage.sqlite.channels import Run, runnable_channels
from heliograph.storage.sqlite.transaction import Transaction

#: Columns of table `delivery`, which come first in query lane_head.
WIDTH = len(Delivery._fields)


class Usable(NamedTuple):
    """A channel that may be used, once `throttled_until` is over: the version of its credential, and the conditions of both.

    `shared` is "" for an own credential.
    """

    credential: str
    fingerprint: str
    own: str
    of_credential: str
    shared: str
    throttled_until: int

    @property
    def in_trial(self) -> bool:
        """Whether one lane at a time may try."""
        return Condition.TRIAL in (self.own, self.of_credential)


def usable(run: Run, sql: dict[str, str], release: str, channel: tuple[str, str]) -> Usable | None:
    """How `release` may use a channel; None where it is off or held."""
    found = run(sql["channel_condition"], (release, *channel)).fetchone()
    return None if found is None else Usable._make(found)


def next_ready(run: Run, sql: dict[str, str], release: str, now: int, ration: Ration) -> int | None:
    """When the first lane of a channel that may be used becomes ready. A trial is left out: it goes on when its one call ends."""
    earliest: int | None = None
    for channel in runnable_channels(run, sql):
        if not ration.of(channel):
            continue
        condition = usable(run, sql, release, channel)
        if condition is None or condition.in_trial or condition.throttled_until > now:
            continue
        ready_at = run(sql["channel_next_ready"], channel).fetchone()[0]
        earliest = ready_at if earliest is None else min(earliest, ready_at)
    return earliest


class Claiming:
    """Claims and takes over lanes inside transactions; remembers where the last claim ended, for fairness."""

    def __init__(self, transaction: Transaction) -> None:
        self._tx = transaction
        self._run = transaction.run
        self._sql = transaction.sql
        self._served = ("", "")

    def claim(self, worker: str, now: int, lease_until: int, limit: int, ration: Ration) -> list[Claimed]:
        """See Store.claim. Each call begins after the channel at which the last one ended."""
        if not self._tx.may_send:
            return []
        channels = self._usable_channels(now, limit, ration)
        claimed: list[Claimed] = []
        trials: set[tuple[str, ...]] = set()
        turn = True
        while channels and len(claimed) < limit:
            more: list[tuple[tuple[str, str], Usable]] = []
            for index, (channel, how) in enumerate(channels):
                share = min(-(-(limit - len(claimed)) // (len(channels) - index)), ration.of(channel))
                # The next claim begins with the first one that got nothing because others had taken it.
                turn = turn and share > 0
                if share <= 0:
                    continue
                if turn:
                    self._served = channel
                if how.in_trial:
                    share = self._trial_share(*channel, how, trials)
                lanes = self._run(self._sql["runnable_lanes"], (*channel, now, share)).fetchall() if share else ()
                begun = [one for (lane,) in lanes if (one := self._start(channel[0], lane, how, worker, now, lease_until)) is not None]
                ration.take(channel, len(begun))
                claimed += begun
                if share and len(lanes) == share and not how.in_trial:
                    more.append((channel, how))
            # What some channels leave over goes to those that have more.
            channels, turn = more, False
        return claimed

    def go_on(self, changes: Changes, release: Release, lowest: int, lease_until: int) -> Claimed | None:
        """Keep a lane that an act of its holder gives back, for its next delivery, if any worker could claim that now.

        A trial waits for its turn, and so do merged lanes and what may have been overtaken. `lowest`: see Transaction.apply. Raises Fenced.
        """
        if not self._tx.may_send or (changes.account, release.lane) in self._tx.merged:
            return None
        found = self._run(self._sql["lane_next"], (lowest, changes.account, release.lane)).fetchone()
        if found is None:
            return None
        delivery = make_delivery(found[:WIDTH])
        ready_at = max(delivery.ready_at, release.not_before)
        if delivery.state is not State.QUEUED or delivery.returned or ready_at > changes.at:
            return None
        how = self._usable((changes.account, delivery.channel), changes.at)
        if how is None or how.in_trial:
            return None
        kept = (delivery.seq, ready_at, release.not_before, lease_until, changes.account, release.lane)
        self._tx.write_as_holder(release, "lane_go_on", kept)
        delivery = self._begin(delivery, how, changes.at, overtaken=False)
        return _claimed(release.fence + 1, lease_until, delivery, found, how)

    def _usable(self, channel: tuple[str, str], now: int) -> Usable | None:
        """How a channel may be used now. Asked once and remembered: nobody else writes to the file."""
        known: dict[tuple[str, str], Usable | None] = self._tx.usable
        if channel not in known:
            known[channel] = usable(self._run, self._sql, self._tx.release, channel)
        how = known[channel]
        return how if how is not None and how.throttled_until <= now else None

    def _usable_channels(self, now: int, limit: int, ration: Ration) -> list[tuple[tuple[str, str], Usable]]:
        """Up to `limit` channels that have room and a lane that is ready, as ((account, channel), how they may be used)."""
        found: list[tuple[tuple[str, str], Usable]] = []
        asleep: list[tuple[str, str]] = []
        for channel in self._tx.awake.beginning_after(self._served):
            how = self._usable(channel, now) if ration.of(channel) else None
            if how is None:
                continue
            # One that has nothing must not take the place of one that has.
            ready = self._run(self._sql["channel_next_ready"], channel).fetchone()
            if ready is None:
                asleep.append(channel)
            elif ready[0] <= now:
                found.append((channel, how))
                if len(found) == limit:
                    break
        for channel in asleep:
            self._tx.awake.discard(channel)
        return found

    def _trial_share(self, account: str, channel: str, how: Usable, trials: set[tuple[str, ...]]) -> int:
        """One lane at a time; where the credential is in trial, one over all channels that use it."""
        if how.of_credential != Condition.TRIAL:
            return 0 if self._run(self._sql["channel_busy"], (account, channel)).fetchone() else 1
        query, key = ("shared_busy", (how.shared,)) if how.shared else ("credential_busy", (account, how.credential))
        if key in trials or self._run(self._sql[query], key).fetchone():
            return 0
        trials.add(key)
        return 1

    def _start(self, account: str, lane: str, how: Usable, worker: str, now: int, lease_until: int) -> Claimed | None:
        found = self._run(self._sql["lane_head"], (account, lane)).fetchone()
        delivery = make_delivery(found[:WIDTH])
        if delivery.state is not State.QUEUED:
            # An open attempt that nobody holds: the sweeper finds out, and the other lanes go on.
            self._run(self._sql["lane_take"], (SWEEPER, lease_until, account, lane)).fetchone()
            return None
        overtaken = bool(delivery.returned) and bool(self._run(self._sql["lane_overtaken"], (account, lane, delivery.seq)).fetchone())
        delivery = self._begin(delivery, how, now, overtaken=overtaken)
        if overtaken:
            self._run(self._sql["lane_refresh"], (account, lane, delivery.seq))
            return None
        fence = self._run(self._sql["lane_take"], (worker, lease_until, account, lane)).fetchone()[0]
        return _claimed(fence, lease_until, delivery, found, how)

    def _begin(self, delivery: Delivery, how: Usable, now: int, *, overtaken: bool) -> Delivery:
        """Start an attempt, or ask."""
        changes = Changes(delivery.account, now, credential=f"{how.credential}@{how.fingerprint}")
        return self._tx.fold(changes, delivery, decide.start(delivery, fingerprint=how.fingerprint, overtaken=overtaken))

    def expire(self, now: int, lease_until: int) -> list[tuple[str, str, int, Delivery | None]]:
        """Take over lanes whose lease is over: (account, lane, fence, head)."""
        taken: list[tuple[str, str, int, Delivery | None]] = []
        for account, lane in self._run(self._sql["lanes_expired"], (now,)).fetchall():
            fence = self._run(self._sql["lane_take"], (SWEEPER, lease_until, account, lane)).fetchone()[0]
            found = self._run(self._sql["lane_head"], (account, lane)).fetchone()
            taken.append((account, lane, fence, make_delivery(found[:WIDTH]) if found else None))
        return taken

    def extend(self, worker: str, now: int, lease_until: int) -> None:
        """See Store.extend."""
        self._run(self._sql["lanes_extend"], (lease_until, worker, now))

    def orphan_all(self) -> None:
        """A new writer knows that nobody else is at work: every lease is over."""
        self._run(self._sql["lanes_orphaned"])


def _claimed(fence: int, lease_until: int, delivery: Delivery, found: Any, how: Usable) -> Claimed:
    """`found`: a row of lane_head or lane_next."""
    address, control, contact, payload = found[WIDTH:]
    return Claimed(
        delivery.lane, fence, lease_until, delivery, address, contact, control, payload, how.fingerprint, how.credential, int(how.in_trial)
    )
