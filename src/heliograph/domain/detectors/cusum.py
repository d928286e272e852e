"""Page's cumulative sum over successes and failures, on whole numbers, with its stated false-alarm rates and delays."""

import math
from typing import NamedTuple


class Row(NamedTuple):
    """One tuning. A failure adds `failure` points, a success takes one, never below 0; at `limit` points the alarm is raised.

    Just after a rollout a sum begins at half the limit, so that half the failures are enough.
    """

    #: Share of first attempts that fail on a usual day, at most.
    usual: float
    failure: int
    limit: int


#: Attempts between false alarms at the usual rate, and until the alarm when all, half, 30 % and 20 % fail (a test solves the chains):
#:   0.01 %   8.3 million   2    4.0   6.7    10.4      2 %   1.75 million   4.0  10.2   22.9    56
#:   0.1 %    22 million    3    6.0  10.6    18        5 %   1.66 million   5.9  15.1   39.9   149
#:   1 %      1.7 million   3.9  8.2  16.6    34       10 %   1.13 million   7.8  22.9   87    1058
ROWS = (Row(0.0001, 12, 13), Row(0.001, 9, 19), Row(0.01, 6, 19), Row(0.02, 5, 20), Row(0.05, 4, 23), Row(0.10, 3, 24))
DEFAULT = ROWS[3]
#: Share that fails where something is wrong, for likelihoods.
WRONG = 0.5
#: Fewer attempts than this say nothing about the usual rate.
ENOUGH = 300
#: One-sided 95 %.
_Z = 1.645


def row_for(failed: float, counted: float) -> Row:
    """The tuning for a subject of which that many of so many attempts failed on usual days: by the upper bound (95 %) of the rate."""
    if counted < ENOUGH:
        return DEFAULT
    upper = _upper(failed, counted)
    return next((row for row in ROWS if upper <= row.usual), ROWS[-1])


def _upper(failed: float, counted: float) -> float:
    """Wilson's upper bound."""
    rate, z2 = failed / counted, _Z * _Z
    middle = rate + z2 / (2 * counted)
    spread = _Z * math.sqrt(rate * (1 - rate) / counted + z2 / (4 * counted * counted))
    return (middle + spread) / (1 + z2 / counted)


def threshold(row: Row, streams: int = 1) -> int:
    """The limit where `streams` such sums run side by side: each may then raise fewer false alarms."""
    return row.limit + math.ceil(math.log(max(streams, 1)))


def likelihood(failed: int, counted: int, usual: float) -> float:
    """log10 of how much likelier it is that so many fail where half of all do than on a usual day."""
    succeeded = counted - failed
    return failed * math.log10(WRONG / usual) + succeeded * math.log10((1 - WRONG) / (1 - usual))
