"""The stated false-alarm rates and delays of the detectors are the exact ones, by the Markov chains of their scores."""

import math

import pytest

from heliograph.domain.detectors.attribution import CHANCE, Tally, Trial, Verdict, attribute, fisher, trial
from heliograph.domain.detectors.cusum import DEFAULT, ENOUGH, ROWS, Row, likelihood, row_for, threshold

#: usual rate -> attempts between false alarms, and on average until the alarm when all, half, 30 % and 20 % fail.
STATED = {
    0.0001: (8.3e6, 2, 4.0, 6.7, 10.4),
    0.001: (22e6, 3, 6.0, 10.6, 18),
    0.01: (1.7e6, 3.9, 8.2, 16.6, 34),
    0.02: (1.75e6, 4.0, 10.2, 22.9, 56),
    0.05: (1.66e6, 5.9, 15.1, 39.9, 149),
    0.10: (1.13e6, 7.8, 22.9, 87, 1058),
}
#: usual rate -> chance that a healthy rollout, which begins half way up, raises the alarm; failures that raise it then.
ROLLOUT = {0.0001: (6e-4, 1), 0.001: (4.5e-5, 2), 0.01: (7e-4, 2), 0.02: (8.7e-4, 2), 0.05: (8e-4, 3), 0.10: (1.6e-3, 4)}


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss and Jordan, with pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = max(range(i, len(rows)), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r, row in enumerate(rows):
            if r != i and row[i]:
                factor = row[i] / rows[i][i]
                rows[r] = [a - factor * b for a, b in zip(row, rows[i], strict=True)]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


def lengths(row: Row, rate: float) -> list[float]:
    """Mean number of attempts until the alarm, from each score below the limit."""
    matrix = [[float(a == b) for b in range(row.limit)] for a in range(row.limit)]
    for score in range(row.limit):
        matrix[score][max(score - 1, 0)] -= 1 - rate
        if score + row.failure < row.limit:
            matrix[score][score + row.failure] -= rate
    return solve(matrix, [1.0] * row.limit)


def usual_scores(row: Row) -> list[float]:
    """How probable each score is on usual days, while there is no alarm."""
    now = [1.0] + [0.0] * (row.limit - 1)
    for _ in range(2_000):
        following = [0.0] * row.limit
        for score, share in enumerate(now):
            following[max(score - 1, 0)] += share * (1 - row.usual)
            if score + row.failure < row.limit:
                following[score + row.failure] += share * row.usual
        now = [share / sum(following) for share in following]
    return now


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.usual:.2%}")
def test_a_row_raises_as_many_false_alarms_and_takes_as_long_as_stated(row: Row) -> None:
    between, *delays = STATED[row.usual]
    assert lengths(row, row.usual)[0] == pytest.approx(between, rel=0.02)
    before = usual_scores(row)
    for rate, delay in zip((1.0, 0.5, 0.3, 0.2), delays, strict=True):
        mean = sum(share * length for share, length in zip(before, lengths(row, rate), strict=True))
        assert mean == pytest.approx(delay, rel=0.015, abs=0.06), rate


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.usual:.2%}")
def test_half_way_up_half_the_failures_are_enough_and_a_healthy_rollout_seldom_stops(row: Row) -> None:
    chance, failures = ROLLOUT[row.usual]
    matrix = [[float(a == b) for b in range(row.limit)] for a in range(row.limit)]
    right = [0.0] * row.limit
    for score in range(1, row.limit):
        matrix[score][score - 1] -= 1 - row.usual
        if score + row.failure < row.limit:
            matrix[score][score + row.failure] -= row.usual
        else:
            right[score] = row.usual
    assert solve(matrix, right)[row.limit // 2] == pytest.approx(chance, rel=0.03)
    assert math.ceil((row.limit - row.limit // 2) / row.failure) == failures


def test_the_default_stays_useful_where_more_fails_than_thought() -> None:
    assert lengths(DEFAULT, 0.03)[0] == pytest.approx(245_000, rel=0.01)
    assert lengths(DEFAULT, 0.05)[0] == pytest.approx(19_600, rel=0.01)


def test_another_method_agrees_on_the_default() -> None:
    """Shiryaev and Roberts: R = (1 + R) · L needs no table; for a million attempts between false alarms, five failures in a row."""
    ratio = math.log10(0.5 / 0.02)
    r, count = 0.0, 0
    while r < 1e6:
        r, count = (1 + r) * 10**ratio, count + 1
    assert count == 5 and lengths(DEFAULT, DEFAULT.usual)[0] > 1e6


def test_the_row_follows_the_usual_rate_and_not_a_small_number() -> None:
    assert row_for(0, 0) is DEFAULT
    assert row_for(40, ENOUGH - 1) is DEFAULT
    assert row_for(0, 1_000).usual == 0.01
    assert row_for(0, 100_000).usual == 0.0001
    assert row_for(30, 1_000).usual == 0.05
    assert row_for(300, 1_000).usual == 0.10


def test_many_sums_side_by_side_are_each_a_little_slower() -> None:
    assert threshold(DEFAULT) == threshold(DEFAULT, 0) == 20
    assert threshold(DEFAULT, 200) == 26
    wider = DEFAULT._replace(limit=threshold(DEFAULT, 200))
    assert lengths(wider, DEFAULT.usual)[0] > 30 * lengths(DEFAULT, DEFAULT.usual)[0]


def test_the_sequential_test_fails_at_3_failures_and_passes_at_11_successes() -> None:
    assert [trial(Tally(n, 0)) for n in (2, 3)] == [Trial.UNDECIDED, Trial.FAILING]
    assert [trial(Tally(0, n)) for n in (10, 11)] == [Trial.UNDECIDED, Trial.PASSING]


def test_a_good_release_passes_after_12_4_attempts_on_average() -> None:
    """Exact, by walking the test's own tree of counts until all but a billionth of it has ended."""
    open_, mean, failing, steps = {Tally(0, 0): 1.0}, 0.0, 0.0, 0
    while sum(open_.values()) > 1e-9:
        steps += 1
        following: dict[Tally, float] = {}
        for tally, share in open_.items():
            for then, part in ((Tally(tally.failed + 1, tally.succeeded), 0.02), (Tally(tally.failed, tally.succeeded + 1), 0.98)):
                ended = trial(then)
                if ended is Trial.UNDECIDED:
                    following[then] = following.get(then, 0.0) + share * part
                else:
                    mean += steps * share * part
                    failing += share * part * (ended is Trial.FAILING)
        open_ = following
    assert mean == pytest.approx(12.4, abs=0.1)
    assert failing < 0.001


@pytest.mark.parametrize(("failed", "chance"), [(2, 7.5e-4), (3, 4.3e-5), (4, 3.2e-6)])
def test_fishers_exact_test_of_a_release_that_fails_where_the_other_succeeds(failed: int, chance: float) -> None:
    assert fisher(Tally(failed, 0), Tally(0, 50)) == pytest.approx(chance, rel=0.02)


def test_fisher_adds_up_all_that_is_as_uneven() -> None:
    """Against the definition in whole numbers."""
    one, other = Tally(7, 13), Tally(9, 171)
    ways = sum(math.comb(20, k) * math.comb(180, 16 - k) for k in range(7, 17))
    assert fisher(one, other) == pytest.approx(ways / math.comb(200, 16), rel=1e-9)
    assert fisher(Tally(0, 9), Tally(4, 5)) == pytest.approx(1.0)


def test_fisher_is_quick_about_large_numbers() -> None:
    assert 0 < fisher(Tally(900, 900_000), Tally(500, 900_000)) < 1e-20
    assert fisher(Tally(0, 900_000), Tally(9_000, 900_000)) == 1.0
    assert fisher(Tally(9_000, 900_000), Tally(0, 900_000)) == 0.0


def test_a_release_is_at_fault_only_where_the_other_succeeds() -> None:
    blamed = attribute(Tally(3, 0), Tally(0, 50))
    assert blamed.verdict is Verdict.RELEASE
    assert blamed.chance == pytest.approx(4.3e-5, rel=0.02)
    assert blamed.likelihood == pytest.approx(likelihood(3, 3, 0.02)) and blamed.likelihood > 4
    assert attribute(Tally(2, 0), Tally(0, 50)).verdict is Verdict.UNDECIDED
    assert attribute(Tally(3, 0), Tally(0, 5)).verdict is Verdict.UNDECIDED
    assert attribute(Tally(3, 0), Tally(0, 0)).verdict is Verdict.UNDECIDED
    assert attribute(Tally(30, 30), Tally(0, 50)).verdict is Verdict.RELEASE


def test_where_both_fail_it_is_neither() -> None:
    assert attribute(Tally(3, 0), Tally(40, 10)).verdict is Verdict.UPSTREAM
    assert attribute(Tally(20, 0), Tally(3, 0)).verdict is Verdict.UPSTREAM
    assert CHANCE < 0.001
