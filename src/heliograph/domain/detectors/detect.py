"""Detection as one pure function: what new signals, or time alone, make of what is known."""

from collections.abc import Iterable

from heliograph.domain.detectors import stopped
from heliograph.domain.detectors.scores import Finding, Scores, forget
from heliograph.domain.detectors.signal import Signal
from heliograph.domain.detectors.state import State


def fold(state: State, signals: Iterable[Signal], *, now: int) -> list[Finding]:
    """Take in what the ledger says since `state`, which is changed. Returns what is to be written down, in order.

    The same signals in the same order lead to the same alarms, however they are divided over calls, except for alarms that wait for
    time to pass; their times are those of the signals.
    """
    scores = Scores(state)
    for hold in scores.take(signals):
        stopped.take_hold(scores, hold)
    stopped.conclude(scores, now=now)
    forget(scores, now=now)
    return scores.found
