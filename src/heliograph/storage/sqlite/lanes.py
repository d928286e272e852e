"""Claiming lanes: which channels may be used, which of their lanes are next, and the start of each head's attempt."""

from collections.abc import Callable, Iterator
from typing import Any

from heliograph.domain import decide
from heliograph.domain.delivery import Delivery, State
from heliograph.domain.health import Condition
from heliograph.ports.store import SWEEPER, Changes, Claimed
from heliograph.storage.reads import make_delivery
from heliograph.storage.sqlite.transaction import Transaction

Run = Callable[..., Any]
#: Columns of table `delivery`, which come first in query lane_head.
WIDTH = len(Delivery._fields)


def runnable_channels(run: Run, sql: dict[str, str], after: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Channels that have a runnable lane, as (account, channel), from `after` on and round; one step in the index each."""
    at, wrapped = after, False
    while True:
        step = run(sql["runnable_channel_within"], at).fetchone() or run(sql["runnable_channel_beyond"], at[:1]).fetchone()
        if step is None:
            if wrapped:
                return
            at, wrapped = ("", ""), True
        elif wrapped and step > after:
            return
        else:
            at = step
            yield step


def next_ready(run: Run, sql: dict[str, str], now: int) -> int | None:
    """When the first lane of a channel that may be used becomes ready. A trial is left out: it goes on when its one call ends."""
    earliest: int | None = None
    for channel in runnable_channels(run, sql, ("", "")):
        condition = run(sql["channel_condition"], (*channel, now)).fetchone()
        if condition is None or Condition.TRIAL in condition[2:]:
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

    def claim(self, worker: str, now: int, lease_until: int, limit: int) -> list[Claimed]:
        """See Store.claim. Each call begins after the channel at which the last one ended."""
        channels = self._usable_channels(now, limit)
        claimed: list[Claimed] = []
        trials: set[tuple[str, str]] = set()
        for index, (account, channel, credential, fingerprint, own, shared) in enumerate(channels):
            share = -(-(limit - len(claimed)) // (len(channels) - index))
            if share <= 0:
                break
            self._served = (account, channel)
            trial = Condition.TRIAL in (own, shared)
            if trial:
                share = self._trial_share(account, channel, credential if shared == Condition.TRIAL else "", trials)
            if share:
                for (lane,) in self._run(self._sql["runnable_lanes"], (account, channel, now, share)).fetchall():
                    one = self._start(account, lane, (credential, fingerprint), worker, now, lease_until, trial=int(trial))
                    if one is not None:
                        claimed.append(one)
        return claimed

    def claim_again(self, changes: Changes, worker: str, lease_until: int) -> Claimed | None:
        """Claim the one lane that an act in this transaction gave back, by the rules of any claim; a trial waits for its turn."""
        [release] = changes.releases
        found = self._run(self._sql["lane_runnable_now"], (changes.account, release.lane, changes.at)).fetchone()
        if found is None:
            return None
        condition = self._run(self._sql["channel_condition"], (changes.account, found[0], changes.at)).fetchone()
        if condition is None or Condition.TRIAL in condition[2:]:
            return None
        return self._start(changes.account, release.lane, condition[:2], worker, changes.at, lease_until, trial=0)

    def _usable_channels(self, now: int, limit: int) -> list[tuple[str, str, str, str, str, str]]:
        """Up to `limit` channels: (account, channel, credential, fingerprint, own condition, the credential's condition)."""
        found: list[tuple[str, str, str, str, str, str]] = []
        for channel in runnable_channels(self._run, self._sql, self._served):
            condition = self._run(self._sql["channel_condition"], (*channel, now)).fetchone()
            if condition is not None:
                found.append((*channel, *condition))
                if len(found) == limit:
                    break
        return found

    def _trial_share(self, account: str, channel: str, credential: str, trials: set[tuple[str, str]]) -> int:
        """One lane at a time; with `credential`, one over all channels that use it."""
        if not credential:
            return 0 if self._run(self._sql["channel_busy"], (account, channel)).fetchone() else 1
        if (account, credential) in trials or self._run(self._sql["credential_busy"], (account, credential)).fetchone():
            return 0
        trials.add((account, credential))
        return 1

    def _start(
        self, account: str, lane: str, version: tuple[str, str], worker: str, now: int, lease_until: int, *, trial: int
    ) -> Claimed | None:
        found = self._run(self._sql["lane_head"], (account, lane)).fetchone()
        delivery = make_delivery(found[:WIDTH])
        if delivery.state is not State.QUEUED:
            # An open attempt that nobody holds: the sweeper finds out, and the other lanes go on.
            self._run(self._sql["lane_take"], (SWEEPER, lease_until, account, lane)).fetchone()
            return None
        address, control, contact, payload = found[WIDTH:]
        overtaken = bool(delivery.returned) and bool(self._run(self._sql["lane_overtaken"], (account, lane, delivery.seq)).fetchone())
        credential, fingerprint = version
        changes = Changes(account, now, credential=f"{credential}@{fingerprint}")
        delivery = self._tx.fold(changes, delivery, decide.start(delivery, fingerprint=fingerprint, overtaken=overtaken))
        if overtaken:
            self._run(self._sql["lane_refresh"], (account, lane))
            return None
        fence = self._run(self._sql["lane_take"], (worker, lease_until, account, lane)).fetchone()[0]
        return Claimed(lane, fence, lease_until, delivery, address, contact, control, payload, fingerprint, credential, trial)

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
