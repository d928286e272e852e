"""A process that dies or oversleeps at any named point, and a store that fails at any act: nothing is lost, doubled or overtaken."""

import pytest

from tests.sim import scenarios
from tests.sim.scenarios import failing_at, live, store_fails
from tests.sim.swarm import POINTS


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("point", POINTS)
def test_killed(point: str, after: int, hosts: int) -> None:
    sim = live(failing_at(point, "kill", after=after), hosts=hosts)
    assert sim.violations == []


@pytest.mark.parametrize("seconds", [10.0, 70.0, 400.0])
@pytest.mark.parametrize("point", POINTS)
def test_stalled(point: str, seconds: float) -> None:
    assert live(failing_at(point, seconds), hosts=2).violations == []


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("first", range(1, 61, 10))
def test_the_store_fails_at_the_nth_act(first: int, how: str) -> None:
    for number in range(first, first + 10):
        assert live(store_fails(number, how)).violations == [], number


def test_what_was_missed_is_asked_for_until_the_provider_answers() -> None:
    assert live(scenarios.missed).violations == []


def test_a_hold_that_another_process_ended_is_over() -> None:
    assert live(scenarios.told_by_another, hosts=3).violations == []


def test_a_store_that_is_away_stops_nothing_for_good() -> None:
    assert live(scenarios.store_away).violations == []


@pytest.mark.parametrize("hosts", [1, 2])
def test_where_sending_is_refused_one_lane_is_tried_per_interval_though_the_probe_passes(hosts: int) -> None:
    assert live(scenarios.refused_though_probed, hosts=hosts).violations == []


@pytest.mark.parametrize(("code", "calls"), [("service_unavailable", 80), ("forbidden", 80), ("too_many_requests", 300)])
@pytest.mark.parametrize("hosts", [1, 2])
def test_what_is_handed_back_again_and_again_is_sent_ever_more_rarely(hosts: int, code: str, calls: int) -> None:
    assert live(scenarios.handed_back(code, calls), hosts=hosts).violations == []
