"""Holds as alarms, what several of them together mean, and which release the failures speak against."""

import math

from heliograph.domain.detection_events import AttributionDecided
from heliograph.domain.detectors.attribution import Tally, Verdict, attribute
from heliograph.domain.detectors.scores import Finding, Scores
from heliograph.domain.detectors.signal import HOLDING, MINUTE, OWN, Signal, field
from heliograph.domain.detectors.state import MINUTES, QUIET, Alarm, Hold, Run, State, Trip
from heliograph.domain.reasons import REASONS, Reason
from heliograph.domain.retry import SECOND

#: A hold that nothing has confirmed is an alarm all the same after so long: shorter drops are not worth a word.
CONFIRMED_AFTER = 30 * SECOND
#: Credentials that stop within this time of each other have one cause.
TOGETHER = 10 * MINUTE
#: After a release's first attempt, a smaller number is enough.
ROLLOUT = 30 * MINUTE
#: Credentials that stop for another reason than their own account's.
FEW = 2
#: A token lives for so many days, and accounts' tokens may end together by accident once in so many years.
TOKEN_DAYS, YEARS = 90, 10


def deaths(accounts: int) -> int:
    """How many accounts' own credentials must die within ten minutes before it is no accident."""
    expected = accounts * TOGETHER / (TOKEN_DAYS * 24 * 60 * MINUTE)
    windows = 365 * 24 * 60 * MINUTE / TOGETHER * YEARS
    number = FEW
    while windows * expected**number / math.factorial(number) > 1:
        number += 1
    return number


def take_hold(scores: Scores, signal: Signal) -> None:
    """A hold began, was confirmed or ended. The account of a shared credential's is ""."""
    state = scores.state
    kind, _, id = signal.subject.partition(":")
    key = f"{signal.account}|{signal.subject}"
    if signal.kind == "hold_ended":
        end_hold(scores, key, signal.at)
        return
    known = state.holds.get(key)
    operation = field(signal, "operation")
    if known is None:
        credential = id if kind == "credential" else signal.credential or id
        known = Hold(signal.account, kind, id, signal.release, signal.reason, operation, signal.at, credential)
        state.holds[key] = known
    known.reason, known.operation = signal.reason, operation
    if signal.kind == "hold_prolonged" or _speaks_for_itself(known):
        _confirm(scores, known, signal.at)


def end_hold(scores: Scores, key: str, at: int) -> None:
    """It is in force no more; without effect where it is not known."""
    hold = scores.state.holds.pop(key, None)
    if hold is None:
        return
    scores.clear(hold.alarm, at)
    # Sending was proved again: what had added up on it is over too.
    for name, run in list(scores.state.runs.items()):
        if hold.account in ("", run.account) and _beside(hold, run):
            scores.end(name, run, at)


def _beside(hold: Hold, run: Run) -> bool:
    """Whether the sum is of what was on hold, or of the channel or credential version that goes with it."""
    match run.kind, hold.kind:
        case "channel", "channel":
            return run.id == hold.id
        case "channel", "credential":
            return run.credential == hold.id
        case "credential", _:
            return run.id == hold.credential
        case _:
            return False


def _speaks_for_itself(hold: Hold) -> bool:
    """A probe that was refused, several messages in a row, or one that came back; one refused send still needs its probe."""
    if hold.reason not in REASONS:
        return False
    refused = REASONS[Reason(hold.reason)].effect in HOLDING
    return refused if hold.operation == "check" else (not refused or hold.operation == "receipt")


def _confirm(scores: Scores, hold: Hold, at: int) -> None:
    if hold.raised:
        return
    hold.raised = True
    alarm = Alarm("hold", hold.kind, hold.account, hold.id, hold.release, hold.reason, (at - hold.at) / SECOND, 0, 0, 0, 0.0, hold.at, at)
    scores.raise_(alarm)
    own = bool(hold.account) and hold.reason in OWN
    scores.tripped.append(Trip(at, hold.release, hold.credential, hold.account, own, alarm.key, hold.reason, hold.at))


def conclude(scores: Scores, *, now: int) -> None:
    """After the signals of one reading, and now and then without any: what they come to."""
    state = scores.state
    for key, hold in list(state.holds.items()):
        if _left_behind(state, hold, now):
            end_hold(scores, key, now)
        elif not hold.raised and hold.at <= now - CONFIRMED_AFTER:
            _confirm(scores, hold, now)
    for trip in sorted(scores.tripped):
        state.trips.append(trip)
        _spread(scores, trip)
    scores.tripped.clear()
    state.trips = [trip for trip in state.trips if trip.at > now - TOGETHER]
    for release, keys in list(state.spreads.items()):
        if not any(key in state.alarms for key in keys):
            del state.spreads[release]
            scores.clear(f"spread|installation|||{release}", now)
    for release in list(state.suspects):
        _judge(scores, release, now)


def _left_behind(state: State, hold: Hold, now: int) -> bool:
    """Whether it is of a shared credential's version that only a release of the past holds."""
    mine = state.releases.get(hold.release)
    gone = mine is None or max(mine.last_at, hold.at) <= now - QUIET
    return not hold.account and gone and any(seen.last_at > now - QUIET for seen in state.releases.values())


def _spread(scores: Scores, last: Trip) -> None:
    """Several credentials of one release stopped together, the last of them now: that is the installation's trouble."""
    state, release = scores.state, last.release
    trips = [trip for trip in state.trips if trip.release == release and trip.at > last.at - TOGETHER]
    if release in state.spreads:
        state.spreads[release] = sorted({*state.spreads[release], last.alarm})
        return
    needed = FEW
    alike = [trip for trip in trips if trip.own == last.own]
    if last.own:
        needed = deaths(state.accounts())
        seen = state.releases.get(release)
        if len(state.releases) > 1 and seen is not None and last.at - seen.first_at < ROLLOUT:
            needed = max(needed - 1, FEW)
    number = len({trip.account if last.own else (trip.account, trip.credential) for trip in alike})
    if number >= needed:
        state.spreads[release] = sorted({trip.alarm for trip in trips})
        onset = min(trip.onset_at for trip in alike)
        scores.raise_(Alarm("spread", "installation", "", "", release, last.reason, number, needed, 0, 0, 0.0, onset, last.at))


def window(state: State, release: str) -> tuple[Tally, str, Tally]:
    """First attempts of a release in the last ten minutes in which it made any, and of the other one that made most beside it."""
    mine = state.releases[release].minutes
    minutes = {minute + beside for minute in map(int, mine) for beside in (-1, 0, 1)}
    best, other = Tally(0, 0), ""
    for id, seen in state.releases.items():
        counts = [count for minute, count in seen.minutes.items() if int(minute) in minutes]
        tally = Tally(sum(failed for failed, _ in counts), sum(succeeded for _, succeeded in counts))
        if id != release and sum(tally) > sum(best):
            best, other = tally, id
    return Tally(sum(failed for failed, _ in mine.values()), sum(succeeded for _, succeeded in mine.values())), other, best


def _judge(scores: Scores, release: str, now: int) -> None:
    state = scores.state
    seen = state.releases.get(release)
    if seen is None or not any(failed for minute, (failed, _) in seen.minutes.items() if int(minute) > now // MINUTE - MINUTES):
        del state.suspects[release]
        return
    one, other, two = window(state, release)
    decided = attribute(one, two)
    told = state.suspects[release]
    undecided = decided.verdict is Verdict.UNDECIDED
    alarmed = any(alarm.release == release or alarm.kind == "installation" for alarm in state.alarms.values())
    if decided.verdict == told or (undecided and (told or not alarmed)):
        return
    state.suspects[release] = decided.verdict
    event = AttributionDecided(
        release, other, one.failed, one.succeeded, two.failed, two.succeeded, float(f"{decided.chance:.3g}"),
        round(decided.likelihood, 2), decided.verdict,
    )  # fmt: skip
    scores.found.append(Finding(event, None, release))
