"""What detection remembers between two readings of the ledger: small, and whole after a restart."""

from dataclasses import dataclass, field
from typing import NamedTuple

from heliograph.domain.detectors.signal import DAY, MINUTE


class Alarm(NamedTuple):
    """Something that ought not to be, from when it was noticed until it is over.

    `detector`: "fleet", "release", "channel" or "credential" (sums), "hold", "spread" (several credentials of one release stopped
    together), "waiting" (lanes that nobody takes), "heartbeat" (a process that went away).
    `kind` and `id`: "installation" (id ""), "release", "credential" (id is credential@version), "channel" or "process". `account`:
    whose trouble it is; "" is the installation's, which may become public. The rest is as in detection_events.AlarmRaised.
    """

    detector: str
    kind: str
    account: str
    id: str
    release: str
    reason: str
    score: float
    threshold: float
    counted: int
    failed: int
    likelihood: float
    onset_at: int
    raised_at: int

    @property
    def key(self) -> str:
        """The same for the same alarm raised twice."""
        return "|".join((self.detector, self.kind, self.account, self.id, self.release))

    @property
    def subject(self) -> str:
        """Kind and id in one word."""
        return f"{self.kind}:{self.id}" if self.id else self.kind


@dataclass(slots=True)
class Run:
    """A cumulative sum above 0, with the tuning that it began with."""

    #: Of the alarm that it raises, and what that is about.
    detector: str
    kind: str
    account: str
    id: str
    release: str
    usual: float
    failure: int
    limit: int
    onset_at: int
    score: int = 0
    counted: int = 0
    failed: int = 0
    #: When it last counted something, to forget what has gone quiet.
    last_at: int = 0
    raised: bool = False
    #: credential@version of the last failure.
    credential: str = ""

    @property
    def alarm(self) -> str:
        """Key of the alarm that it raises."""
        return "|".join((self.detector, self.kind, self.account, self.id, self.release))


@dataclass(slots=True)
class Hold:
    """A hold that is in force. `raised`: it was confirmed and is an alarm."""

    account: str
    kind: str
    id: str
    release: str
    reason: str
    operation: str
    at: int
    #: Version of the credential at hand, by which holds of different channels are told apart.
    credential: str
    raised: bool = False

    @property
    def alarm(self) -> str:
        """Key of the alarm that it raises."""
        return "|".join(("hold", self.kind, self.account, self.id, self.release))


class Trip(NamedTuple):
    """One credential version stopped, or failed too often. `own`: a fault that its account alone has."""

    at: int
    release: str
    credential: str
    account: str
    own: bool
    #: Key of the alarm.
    alarm: str
    reason: str
    onset_at: int


@dataclass(slots=True)
class Seen:
    """A release as its first attempts show it."""

    first_at: int
    last_at: int
    failed: int = 0
    succeeded: int = 0
    #: Minute (as text) -> [failed, succeeded], of the last ten minutes in which it attempted anything. Capped like the fleet's sum.
    minutes: dict[str, list[int]] = field(default_factory=dict)


#: Minutes over which releases are compared.
MINUTES = 10


@dataclass(slots=True)
class State:
    """Everything. `place` and `seq`: up to where the ledger is read.

    Two releases may write it in turn: fields are only ever added, with defaults, and none to the tuples in it.
    """

    place: int = 0
    seq: int = 0
    #: The only account that ever sent, "" before; `many` once there are others.
    account: str = ""
    many: bool = False
    runs: dict[str, Run] = field(default_factory=dict)
    #: Account (or conversation, see `many`) -> [failures that counted for the fleet since its last success, when].
    spent: dict[str, list[int]] = field(default_factory=dict)
    releases: dict[str, Seen] = field(default_factory=dict)
    #: account/channel, "" for all -> [attempts, failures] on usual days, fading over two weeks.
    usual: dict[str, list[float]] = field(default_factory=dict)
    day: int = 0
    holds: dict[str, Hold] = field(default_factory=dict)
    trips: list[Trip] = field(default_factory=list)
    #: Release -> keys of the alarms that made it spread.
    spreads: dict[str, list[str]] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    #: Release with failures in the last minutes -> the verdict that was last told, "" for none.
    suspects: dict[str, str] = field(default_factory=dict)
    #: Credentials of accounts' own, as account/id, among those that ever failed; others that failed are shared.
    own: dict[str, bool] = field(default_factory=dict)
    #: account/channel -> since when lanes of it could run and none does.
    idle: dict[str, int] = field(default_factory=dict)
    #: When the lanes were last looked at.
    looked_at: int = 0

    def saw(self, release: str, at: int) -> Seen:
        """The release's record, begun if it is new."""
        seen = self.releases.get(release)
        if seen is None:
            seen = self.releases[release] = Seen(at, at)
        return seen

    def accounts(self) -> int:
        """How many accounts have sent lately."""
        return len({key.partition("/")[0] for key in self.usual if key})


#: What is not seen for so long is forgotten.
FORGOTTEN = 7 * DAY
QUIET = 30 * MINUTE
