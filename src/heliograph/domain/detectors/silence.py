"""What makes no failures because nothing is attempted at all: lanes that could run and do not, processes that went away."""

from typing import NamedTuple

from heliograph.domain.detectors.state import Alarm
from heliograph.domain.retry import SECOND

#: Lanes are looked at this often.
LOOK = 10 * SECOND
#: A channel with nothing in its way whose oldest runnable lane nobody takes, and on which nothing ends either.
WAITING = 60 * SECOND
#: A process that has not been heard from for so long is gone.
GONE = 30 * SECOND
#: One that nobody has replaced for so long is not missed any more.
MISSED = 3600 * SECOND


class Idle(NamedTuple):
    """A channel without a hold that has runnable lanes, and since when the oldest could run."""

    account: str
    channel: str
    ready_at: int


class Beat(NamedTuple):
    """When a process was last heard from. `process` is its worker's name, unlike any other's."""

    process: str
    release: str
    started_at: int
    at: int


def unmoved(before: dict[str, int], found: list[Idle], *, now: int) -> tuple[dict[str, int], list[Alarm]]:
    """Which channels stand still, from the last look's answer and this one's: (for the next look, alarms that are due).

    The oldest lane must be the same at both looks: where lanes are taken in turn, however many wait, none stays the oldest.
    """
    seen = {f"{idle.account}/{idle.channel}": idle.ready_at for idle in found if idle.ready_at <= now - WAITING}
    still = [idle for idle in found if seen.get(key := f"{idle.account}/{idle.channel}") and before.get(key) == idle.ready_at]
    return seen, [_alarm("waiting", "channel", i.account, i.channel, "", i.ready_at, WAITING, now=now) for i in still]


def departed(beats: list[Beat], *, now: int) -> tuple[list[Beat], list[Alarm]]:
    """Processes that fell silent: (beats to be forgotten, alarms). One that a later start has replaced is no alarm."""
    silent = [beat for beat in beats if beat.at <= now - GONE]
    alive = [beat for beat in beats if beat.at > now - GONE]
    over = [beat for beat in silent if beat.at <= now - MISSED or any(other.started_at > beat.at for other in alive)]
    gone = [beat for beat in silent if beat not in over]
    return over, [_alarm("heartbeat", "process", "", beat.process, beat.release, beat.at, GONE, now=now) for beat in gone]


def _alarm(detector: str, kind: str, account: str, id: str, release: str, since: int, limit: int, *, now: int) -> Alarm:
    return Alarm(detector, kind, account, id, release, "", (now - since) // SECOND, limit // SECOND, 0, 0, 0.0, since, now)
