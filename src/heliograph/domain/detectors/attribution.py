"""Whose fault failures are: a release's own, or that of what is beyond every release."""

import math
from enum import StrEnum
from typing import NamedTuple

from heliograph.domain.detectors.cusum import DEFAULT, likelihood


class Trial(StrEnum):
    """What a sequential test says about a release's first attempts so far."""

    UNDECIDED = "undecided"
    PASSING = "passing"
    FAILING = "failing"


class Verdict(StrEnum):
    """What follows from comparing two releases in the same minutes."""

    #: It fails where the other succeeds: roll it back.
    RELEASE = "release"
    #: Both fail: it is not the release. Never roll back; hold.
    UPSTREAM = "upstream"
    UNDECIDED = "undecided"


class Tally(NamedTuple):
    """First attempts of distinct messages that count."""

    failed: int
    succeeded: int


class Attribution(NamedTuple):
    """A verdict and all that it rests on."""

    verdict: Verdict
    #: Fisher's exact probability, one-sided.
    chance: float
    #: log10, of the release's own attempts.
    likelihood: float


#: Probability of each wrong answer of the sequential test.
ERROR = 0.001
_BOUND = math.log10((1 - ERROR) / ERROR)
#: A split between two releases that is less probable than this is no accident. 3 of 3 against 0 of 50 is 4.3e-5; 2 of 2 is not enough.
CHANCE = 1e-4


def trial(tally: Tally) -> Trial:
    """Wald's sequential test of 2 % against 50 % failures: 3 straight failures fail it, 11 straight successes pass it."""
    ratio = likelihood(tally.failed, tally.failed + tally.succeeded, DEFAULT.usual)
    if ratio >= _BOUND:
        return Trial.FAILING
    return Trial.PASSING if ratio <= -_BOUND else Trial.UNDECIDED


def fisher(one: Tally, other: Tally) -> float:
    """Probability that at least so many of the failures fall on `one`, if both are alike: Fisher's exact test, one-sided."""
    ones, others = sum(one), sum(other)
    failed = one.failed + other.failed
    whole = _ways(ones + others, failed)
    term = math.exp(_ways(ones, one.failed) + _ways(others, other.failed) - whole)
    if not term:
        # Too far out for a number: where the mass is says which way.
        return 1.0 if one.failed * (ones + others) < failed * ones else 0.0
    chance = 0.0
    for k in range(one.failed, min(ones, failed) + 1):
        chance += term
        following = term * (ones - k) * (failed - k) / ((k + 1) * (others - failed + k + 1))
        if following < term and following < chance * 1e-15:
            break
        term = following
    return min(chance, 1.0)


def _ways(number: int, chosen: int) -> float:
    """Logarithm of how many ways there are."""
    return math.lgamma(number + 1) - math.lgamma(chosen + 1) - math.lgamma(number - chosen + 1)


def attribute(release: Tally, other: Tally) -> Attribution:
    """Compare a release with another one in the same minutes."""
    chance = fisher(release, other)
    ratio = likelihood(release.failed, sum(release), DEFAULT.usual)
    verdict = Verdict.UNDECIDED
    if trial(release) is Trial.FAILING:
        against = trial(other)
        if against is Trial.FAILING:
            verdict = Verdict.UPSTREAM
        elif against is Trial.PASSING and chance <= CHANCE:
            verdict = Verdict.RELEASE
    return Attribution(verdict, chance, ratio)
