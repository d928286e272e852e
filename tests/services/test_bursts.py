"""A conversation may send a few at once where its provider allows bursts, and then keeps the pace that it documents."""

from heliograph.domain import pacing
from heliograph.domain.retry import SECOND
from heliograph.ports.provider import Rates
from heliograph.services.pacing import Lanes

#: One a second, less the margin.
INTERVAL = int(SECOND / pacing.MARGIN)


def starts(rates: Rates, wanted: list[int]) -> list[int]:
    """When messages that are wanted at these moments do start."""
    lanes, started, free = Lanes(), list[int](), 0
    for moment in wanted:
        started.append(max(moment, free))
        free = lanes.next_at(rates, "lane", started[-1])
    return started


def test_a_burst_goes_at_once_and_is_waited_for_afterwards() -> None:
    began = 10 * SECOND
    found = starts(Rates(conversation=1.0, burst=3), [began] * 5)
    assert [round((each - began) / INTERVAL) for each in found] == [0, 0, 0, 1, 2]


def test_over_time_no_more_goes_than_the_pace_and_one_burst() -> None:
    found = starts(Rates(conversation=1.0, burst=4), [0] * 50)
    assert found[-1] >= (50 - 4) * INTERVAL
    for first, last in zip(found, found[4:], strict=False):
        assert last - first >= INTERVAL * 0.99


def test_what_has_waited_may_burst_again() -> None:
    later = 100 * SECOND
    found = starts(Rates(conversation=1.0, burst=3), [0, 0, 0, later, later, later])
    assert found[3:] == [later] * 3


def test_without_a_burst_each_waits_for_the_one_before() -> None:
    assert starts(Rates(conversation=1.0), [0, 0, 0]) == [0, INTERVAL, 2 * INTERVAL]
    assert Lanes().next_at(Rates(), "lane", 5) == 0
