"""What a process knows of holds stops the calls that a claim could not have stopped, and no others."""

from typing import Any

from heliograph.domain import events as ev, health
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes, Fold
from heliograph.services.channels import Connected
from heliograph.services.holds import Holds


class Row:
    id = "chn_1"


def connected() -> Connected:
    row: Any = Row()
    spec: Any = None
    return Connected(row, None, spec, rows.Credential("acc", "crd_1", "sandbox", "", "f", "", 1), 0)


def started(kind: str, subject: str) -> Changes:
    changes = Changes("acc", 1)
    changes.folds.append(Fold(health.well("acc", kind, subject), [ev.HoldStarted(Reason.BAD_CREDENTIALS, "401", "send", 1)]))
    return changes


def test_a_claim_from_before_the_hold_is_stopped() -> None:
    holds = Holds()
    mark = holds.mark()
    assert not holds.covers(connected(), since=mark)
    holds.noticed(started("credential", "crd_1@f"))
    assert holds.covers(connected(), since=mark)


def test_a_claim_from_after_the_hold_goes_through_whoever_ended_it() -> None:
    holds = Holds()
    holds.noticed(started("channel", "chn_1"))
    mark = holds.mark()
    assert not holds.covers(connected(), since=mark)
    holds.noticed(started("channel", "chn_other"))
    assert not holds.covers(connected(), since=mark)
    holds.noticed(started("channel", "chn_1"))
    assert holds.covers(connected(), since=mark)


def test_nothing_starts_while_the_hold_is_being_written_down() -> None:
    holds = Holds()
    with holds.coming(connected(), Reason.BAD_CREDENTIALS):
        # However new the claim: the store cannot have told it yet.
        assert holds.covers(connected(), since=holds.mark())
        with holds.coming(connected(), Reason.NOT_PERMITTED):
            assert holds.covers(connected(), since=holds.mark())
        assert holds.covers(connected(), since=holds.mark())
    assert not holds.covers(connected(), since=holds.mark())
