"""Every planted bug is caught by its directed run, and the program without it passes the same run."""

import pytest

from heliograph.sandbox.faults import Mode
from tests.sim import scenarios
from tests.sim.bugs import BUGS, planted
from tests.sim.scenarios import Scenario, failing_at, live, lost

#: Bug, the runs that must show it, how many processes, and what the verdict must speak of.
CATCHES: list[tuple[str, Scenario, int, str]] = [
    ("retry_on_timeout", lost("sunshine", Mode.ANSWER_LOST), 1, "I2"),
    ("blind_retry", lost("telegram", Mode.ANSWER_LOST), 1, "I2"),
    ("sent_before_sending", lost("telegram", Mode.REQUEST_LOST), 1, "lost"),
    ("no_settle", lost("sunshine", Mode.TAKEN_LATE), 1, "I2"),
    ("no_head_of_line", lost("sunshine", Mode.REQUEST_LOST), 1, "I3"),
    ("resume_out_of_order", scenarios.revoked, 1, "I3"),
    ("zombie_after_lease", scenarios.overslept, 2, "I7"),
    ("unfenced_write", scenarios.woken_in_the_middle, 2, "I7"),
    ("receipt_regress", scenarios.receipts_late, 1, "I9"),
    ("key_past_its_life", scenarios.longer_than_the_key, 1, "I2"),
    ("budget_on_401", scenarios.revoked, 1, "I11"),
    ("queued_after_lease", failing_at("deliver:after_call", "kill"), 1, "I2"),
    ("inbound_twice", scenarios.webhooks_twice, 1, "I8"),
    ("start_on_hold", scenarios.held_meanwhile, 2, "hold"),
    ("merged_lanes_apart", scenarios.merged_while_waiting, 1, "I3"),
    ("merged_lanes_apart", scenarios.merged_while_waiting, 2, "I3"),
]


def test_there_is_a_run_for_every_bug() -> None:
    assert {name for name, _, _, _ in CATCHES} == set(BUGS)


@pytest.mark.parametrize(("name", "scenario", "hosts", "verdict"), CATCHES, ids=[entry[0] for entry in CATCHES])
def test_a_planted_bug_is_caught(name: str, scenario: Scenario, hosts: int, verdict: str) -> None:
    with planted(name):
        violations = live(scenario, hosts=hosts).violations
    assert any(verdict in violation for violation in violations), violations


@pytest.mark.parametrize(("scenario", "hosts"), [entry[1:3] for entry in CATCHES], ids=[entry[0] for entry in CATCHES])
def test_the_program_passes_the_same_run(scenario: Scenario, hosts: int) -> None:
    assert live(scenario, hosts=hosts).violations == []
