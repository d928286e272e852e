"""What is checked in the moment of a call, and how far time may be skipped."""

from typing import Any, Protocol

from heliograph.domain import events as ev
from heliograph.domain.health import Health
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.storage.sqlite.transaction import GoOn, Transaction
from tests.sim.host import Host
from tests.sim.loop import SECOND, START, VirtualLoop
from tests.sim.world import Place, World

#: What was under way when a refusal was recorded may still start for so long (seconds).
GRACE = 0.1

# The attempt that is under way need not be the lane's head any more: an earlier reply may have been handed back meanwhile.
HOLDER = """SELECT l.owner, l.lease_until, coalesce(d.state, 'not under way'), coalesce(d.id, 'something') FROM lane l
JOIN conversation c ON c.account = l.account AND c.id = l.id
LEFT JOIN delivery d ON d.account = l.account AND d.lane = l.id AND d.attempt_open = 1
WHERE c.channel = ? AND c.address IN (?, ?) AND l.head IS NOT NULL"""
FENCE = "SELECT owner, fence FROM lane WHERE account = ? AND id = ?"
OWNED = "SELECT owner, lease_until FROM lane WHERE owner <> ''"
DUE = """SELECT min(at) FROM (
  SELECT min(settle_at) AS at FROM delivery WHERE state = 'unknown' AND settle_at IS NOT NULL
  UNION ALL SELECT min(trial_at) FROM health WHERE condition = 'held'
  UNION ALL SELECT min(max(l.ready_at, c.throttled_until)) FROM lane l
    JOIN channel c ON c.account = l.account AND c.id = l.channel
    JOIN credential r ON r.account = c.account AND r.id = c.credential
    WHERE l.head IS NOT NULL AND l.blocked = 0 AND l.owner = ''
    AND NOT EXISTS (SELECT 1 FROM health h WHERE h.account = c.account AND h.condition = 'held'
      AND h.subject IN (c.id, c.credential || '@' || r.fingerprint)))"""


class Watched(Protocol):
    """What there is to look at."""

    loop: VirtualLoop
    world: World
    hosts: list[Host]
    channels: dict[str, rows.Channel]
    credentials: dict[str, str]

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """What the store holds."""
        ...

    def violated(self, what: str) -> None:
        """An invariant does not hold."""
        ...


class Watch:
    """Looks over the shoulder of every call."""

    def __init__(self, sim: Watched) -> None:
        self._sim = sim
        self._held: dict[str, float] = {}
        self.calls = 0

    def transaction(self, transaction: Transaction) -> None:
        """Have a look into each act before it is written: who gives a lane back must be its holder."""
        apply = transaction.apply

        def watched(changes: Changes, go_on: GoOn | None = None) -> bool:
            holders = [transaction.run(FENCE, (changes.account, release.lane)).fetchall() for release in changes.releases]
            result = apply(changes, go_on)
            for release, holder in zip(changes.releases, holders, strict=True):
                if holder != [(release.worker, release.fence)]:
                    self._sim.violated(f"I7 {release.worker} wrote under fence {release.fence}, the holder was {holder}")
            return result

        transaction.apply = watched  # type: ignore[method-assign]

    def health(self, row: Health, event: Any) -> None:
        """A hold was recorded, or its end."""
        if isinstance(event, (ev.HoldStarted, ev.HoldProlonged, ev.TrialPassed)):
            self._held.setdefault(row.subject, self._sim.loop.time())
        elif isinstance(event, (ev.TrialStarted, ev.HoldEnded)):
            self._held.pop(row.subject, None)

    def calling(self, host: Host, place: Place, timeout: float) -> None:
        """A message is about to leave: by the lane's holder, inside its lease, and not on hold."""
        sim = self._sim
        self.calls += 1
        channel = sim.channels[place.service]
        found = sim.rows(HOLDER, channel.id, place.address, sim.world.current(place).address)
        # Merged conversations have a lane each, and the call is of that one which its host has in hand.
        for owner, lease_until, state, id in sorted(found, key=lambda row: row[0] != host.name or row[2] != "sending"):
            if owner != host.name or state != "sending":
                sim.violated(f"I7 {host.name} calls for {id}, which is {state} in the hands of {owner or 'nobody'}")
            elif sim.loop.now() + int(timeout * SECOND) > lease_until:
                sim.violated(f"I7 {host.name} starts a call for {id} that can outlive its lease")
            break
        else:
            sim.violated(f"I4 {host.name} sends to {place} where nothing waits")
        for subject in (channel.id, sim.credentials[place.service]):
            since = self._held.get(subject)
            if since is not None and sim.loop.time() - since > GRACE:
                sim.violated(f"hold: {host.name} sends on {subject}, on hold for {sim.loop.time() - since:.3f} s")

    def horizon(self) -> float:
        """The loop time before which no round can find anything to do."""
        sim = self._sim
        now = sim.loop.now()
        if not any(host.running for host in sim.hosts):
            return float("inf")
        soonest = now + 3600 * SECOND
        if sim.world.faulty() or self._held:
            soonest = now + 60 * SECOND
        if sim.world.unread():
            soonest = now + 2 * SECOND
        running = {host.name for host in sim.hosts if host.running}
        for owner, lease_until in sim.rows(OWNED):
            if owner in running or owner.startswith("~"):
                return 0.0
            soonest = min(soonest, lease_until)
        due = sim.rows(DUE)[0][0]
        if due is not None:
            soonest = min(soonest, due)
        return (soonest - START) / SECOND if soonest > now else 0.0
