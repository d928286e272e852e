"""The fold of signals: sums per credential version, channel, release and for the whole installation, and the alarms they raise.

One account may add two failures at most to the sums of the installation and of a release until it next succeeds: one dead token is
that account's trouble, however busy it is. In an installation of one account it is one conversation, or one credential that is refused.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from heliograph.domain.detection_events import AlarmCleared, AlarmRaised
from heliograph.domain.detectors.cusum import DEFAULT, likelihood, row_for, threshold
from heliograph.domain.detectors.signal import DAY, MINUTE, OWN, Meaning, Signal, meaning
from heliograph.domain.detectors.state import FORGOTTEN, MINUTES, QUIET, Alarm, Run, State, Trip
from heliograph.domain.event import Event
from heliograph.domain.retry import SECOND

#: Failures that one account (or conversation) may add to the sums of all.
CAP = 2
FLEET = "fleet"
#: Usual rates fade by this much a day.
FADE = math.exp(-1 / 14)
#: Channels beyond which the usual rates are counted in some minutes only.
MANY_CHANNELS = 500


class Finding(NamedTuple):
    """An event to be written down. `alarm` is what it is about, None for a verdict."""

    event: Event
    alarm: Alarm | None
    #: A release, for a verdict.
    release: str = ""


class Scores:
    """Folds signals into `state`, in their order; what it finds is in `found`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.found: list[Finding] = []
        #: What tripped and is not yet compared with what did before.
        self.tripped: list[Trip] = []
        #: (release, minute, account, channel) -> first attempts that succeeded, not yet in the state.
        self._well: dict[tuple[str, int, str, str], int] = {}

    def take(self, signals: Iterable[Signal]) -> list[Signal]:
        """Count results of attempts, in order. Returns what is none: holds."""
        state, well = self.state, self._well
        holds = []
        for signal in signals:
            if signal.attempt is None and signal.kind != "receipt_returned":
                holds.append(signal)
                continue
            if not state.many and signal.account != state.account:
                self._another_account(signal.account)
            if signal.release not in state.releases:
                self._new_release(signal)
            if signal.kind == "attempt_accepted":
                if signal.attempt == 1:
                    key = (signal.release, signal.at // MINUTE, signal.account, signal.channel)
                    well[key] = well.get(key, 0) + 1
                if state.runs or state.spent:
                    self._success(signal)
            elif meaning(signal) is Meaning.FAILED and (signal.attempt == 1 or signal.kind == "receipt_returned"):
                self._failure(signal)
        self._settle()
        return holds

    # --- one signal -------------------------------------------------------------------------------

    def _another_account(self, account: str) -> None:
        if not self.state.account:
            self.state.account = account
        else:
            self.state.many = True
            self.state.spent.clear()

    def _new_release(self, signal: Signal) -> None:
        """A release that follows another one begins half way up: a rollout is when trouble is likely."""
        state = self.state
        rollout = bool(state.releases)
        state.saw(signal.release, signal.at)
        if rollout:
            run = self._begin(("release", "release", "", signal.release), signal, "")
            run.score = run.limit // 2
            state.runs[f"release|{signal.release}"] = run

    def _success(self, signal: Signal) -> None:
        state = self.state
        for unit in (signal.account,) if state.many else (signal.stream_id, signal.credential):
            state.spent.pop(unit, None)
        for key in (
            FLEET,
            f"release|{signal.release}",
            f"channel|{signal.account}|{signal.channel}|{signal.release}",
            f"credential|{signal.account}|{signal.credential}",
            f"credential||{signal.credential}",
        ):
            run = state.runs.get(key)
            # A retry that gets through proves nothing about first attempts, but it helps to end an alarm.
            if run is not None and (signal.attempt == 1 or run.raised):
                run.score -= 1
                run.counted += signal.attempt == 1
                run.last_at = signal.at
                if run.score <= 0:
                    self.end(key, run, signal.at)

    def _failure(self, signal: Signal) -> None:
        state = self.state
        own = is_own(state, signal.account, signal.credential)
        unit = signal.account if state.many else signal.credential if own and signal.reason in OWN else signal.stream_id
        used = state.spent.get(unit, [0, 0])[0]
        if used < CAP:
            state.spent[unit] = [used + 1, signal.at]
            self._add(FLEET, ("fleet", "installation", "", ""), signal, "")
            if signal.credential:
                self._against_release(signal)
        channel = f"{signal.account}/{signal.channel}"
        self._add(
            f"channel|{signal.account}|{signal.channel}|{signal.release}",
            ("channel", "channel", signal.account, signal.channel), signal, channel,
        )  # fmt: skip
        if not signal.credential:
            return
        owner = signal.account if own else ""
        self._add(f"credential|{owner}|{signal.credential}", ("credential", "credential", owner, signal.credential), signal, channel)

    def _against_release(self, signal: Signal) -> None:
        """Not where it came back by a receipt: who takes the receipt need not be who sent."""
        others = (seen for id, seen in self.state.releases.items() if id != signal.release)
        if any(seen.last_at > signal.at - QUIET for seen in others):
            # By itself it is the installation.
            self._add(f"release|{signal.release}", ("release", "release", "", signal.release), signal, "")
        self._minute(signal.release, signal.at // MINUTE)[0] += 1
        self.state.releases[signal.release].failed += 1
        self.state.suspects.setdefault(signal.release, "")

    # --- sums -------------------------------------------------------------------------------------

    def _begin(self, what: tuple[str, str, str, str], signal: Signal, rate: str) -> Run:
        """`rate` is "" for the sums of all. These are never tuned finer than the default, or one account's two failures would do."""
        counted, failed = self.state.usual.get(rate, (0.0, 0.0))
        row = row_for(failed, counted)
        if not rate:
            row = max(row, DEFAULT)
        limit = threshold(row, len(self.state.usual) - 1) if rate else row.limit
        release = "" if what[1] == "installation" else signal.release
        return Run(*what, release, row.usual, row.failure, limit, signal.at, last_at=signal.at)

    def _add(self, key: str, what: tuple[str, str, str, str], signal: Signal, rate: str) -> None:
        state = self.state
        run = state.runs.get(key)
        if run is None:
            run = state.runs[key] = self._begin(what, signal, rate)
        run.score = min(run.score + run.failure, run.limit)
        run.counted += 1
        run.failed += 1
        run.last_at, run.credential = signal.at, signal.credential
        if what[0] in ("fleet", "channel") and not run.raised:
            self._usually(rate, signal.at, 1, 1)
        if run.score < run.limit or run.raised:
            return
        run.raised = True
        if what[0] in ("fleet", "channel"):
            # These were no usual day.
            self._usually(rate, signal.at, -run.failed, -run.failed)
        alarm = Alarm(
            run.detector, run.kind, run.account, run.id, run.release, signal.reason, run.score, run.limit, run.counted, run.failed,
            round(likelihood(run.failed, run.counted, run.usual), 2), run.onset_at, signal.at,
        )  # fmt: skip
        self.raise_(alarm)
        if run.kind == "credential":
            own = bool(run.account) and signal.reason in OWN
            self.tripped.append(
                Trip(signal.at, signal.release, signal.credential, run.account, own, alarm.key, signal.reason, run.onset_at)
            )

    def end(self, key: str, run: Run, at: int) -> None:
        """Back at 0, or given up."""
        del self.state.runs[key]
        self.clear(run.alarm, at)

    # --- alarms -----------------------------------------------------------------------------------

    def raise_(self, alarm: Alarm) -> None:
        """Once, however often it is found."""
        if alarm.key in self.state.alarms:
            return
        self.state.alarms[alarm.key] = alarm
        event = AlarmRaised(
            alarm.detector, alarm.subject, alarm.account, alarm.release, alarm.reason, alarm.score, alarm.threshold, alarm.counted,
            alarm.failed, alarm.likelihood, alarm.onset_at,
        )  # fmt: skip
        self.found.append(Finding(event, alarm))

    def clear(self, key: str, at: int) -> None:
        """It is over; without effect where there is no such alarm."""
        alarm = self.state.alarms.pop(key, None)
        if alarm is not None:
            seconds = max(at - alarm.raised_at, 0) // SECOND
            self.found.append(Finding(AlarmCleared(alarm.detector, alarm.subject, alarm.account, seconds), alarm))

    # --- counts -----------------------------------------------------------------------------------

    def _minute(self, release: str, minute: int) -> list[int]:
        minutes = self.state.releases[release].minutes
        found = minutes.get(str(minute))
        if found is None:
            found = minutes[str(minute)] = [0, 0]
            for old in [known for known in minutes if int(known) <= minute - MINUTES]:
                del minutes[old]
        return found

    def _usually(self, key: str, at: int, counted: int, failed: int) -> None:
        usual = self.state.usual
        if (at // MINUTE) % (1 + len(usual) // MANY_CHANNELS):
            return
        known = usual.get(key)
        if known is None:
            known = usual[key] = [0.0, 0.0]
        known[0], known[1] = max(known[0] + counted, 0.0), max(known[1] + failed, 0.0)

    def _settle(self) -> None:
        """Put what was counted into the state."""
        state = self.state
        for (release, minute, account, channel), number in self._well.items():
            self._minute(release, minute)[1] += number
            seen = state.releases[release]
            seen.succeeded += number
            seen.last_at = max(seen.last_at, minute * MINUTE)
            self._usually(f"{account}/{channel}", minute * MINUTE, number, 0)
            self._usually("", minute * MINUTE, number, 0)
        self._well.clear()


def is_own(state: State, account: str, credential: str) -> bool:
    """Whether a credential version is of the account's own credential, as far as was looked up; a shared one is the installation's."""
    return state.own.get(f"{account}/{credential.partition('@')[0]}", True)


def forget(scores: Scores, *, now: int) -> None:
    """What has gone quiet ends: sums that nothing adds to any more, releases and accounts of long ago, rates of old."""
    state = scores.state
    for key, run in list(state.runs.items()):
        if run.last_at <= now - (QUIET if run.raised else FORGOTTEN):
            scores.end(key, run, now)
    for unit in [unit for unit, (_, at) in state.spent.items() if at <= now - FORGOTTEN]:
        del state.spent[unit]
    for release in [id for id, seen in state.releases.items() if seen.last_at <= now - FORGOTTEN and len(state.releases) > 1]:
        del state.releases[release]
    day = now // DAY
    if state.day and day > state.day:
        fade = FADE ** (day - state.day)
        state.usual = {key: [n * fade, failed * fade] for key, (n, failed) in state.usual.items() if n * fade >= 1}
    state.day = day
