"""The gate's word, case by case: fail closed against bad settings, never against the repair, never for an outage elsewhere."""

import pytest

from heliograph.domain import gate, release_events as ev
from heliograph.domain.gate import Basis, Finding, Outcome, Proof, Scope, Stage

GOOD, BAD, OPEN = Outcome.VALID, Outcome.INVALID, Outcome.INCONCLUSIVE


def shared(outcome: Outcome, subject: str = "sunshine") -> Proof:
    return Proof(Scope.SHARED, subject, outcome, "" if outcome is GOOD else "bad_credentials")


def own(n: int, outcome: Outcome) -> Proof:
    return Proof(Scope.OWN, f"chn_{n}", outcome)


@pytest.mark.parametrize(
    ("proofs", "witness", "known", "finding", "basis"),
    [
        ([shared(GOOD)], {"sunshine": GOOD}, False, Finding.ADMIT, Basis.PROVED),
        ([shared(GOOD)], None, False, Finding.ADMIT, Basis.PROVED),
        ([], None, False, Finding.ADMIT, Basis.PROVED),
        # 2020-08-06: wrong variables beside a running release.
        ([shared(BAD)], {"sunshine": GOOD}, False, Finding.REFUSE, Basis.WITNESS_PASSES),
        ([shared(BAD)], {"sunshine": GOOD}, True, Finding.REFUSE, Basis.WITNESS_PASSES),
        # The provider revoked the key: nobody's deploy is at fault.
        ([shared(BAD)], {"sunshine": BAD}, False, Finding.INCONCLUSIVE, Basis.BOTH_FAIL),
        ([shared(BAD)], {"sunshine": OPEN}, False, Finding.INCONCLUSIVE, Basis.BOTH_FAIL),
        # The repair of a key that is broken now.
        ([shared(GOOD)], {"sunshine": BAD}, False, Finding.ADMIT, Basis.REPAIR),
        # The provider is down.
        ([shared(OPEN)], {"sunshine": OPEN}, False, Finding.INCONCLUSIVE, Basis.UNTOLD),
        ([shared(OPEN)], {"sunshine": GOOD}, False, Finding.INCONCLUSIVE, Basis.UNTOLD),
        # A reboot, at the worst of times, of what has worked before.
        ([shared(OPEN)], None, True, Finding.ADMIT, Basis.KNOWN),
        ([shared(BAD)], None, True, Finding.ADMIT, Basis.KNOWN),
        # A reboot with settings that nobody has proved.
        ([shared(BAD)], None, False, Finding.INCONCLUSIVE, Basis.NO_WITNESS),
        # What is certain needs no witness.
        ([Proof(Scope.LOCAL, "master_key", BAD, "sealed"), shared(GOOD)], None, True, Finding.REFUSE, Basis.LOCAL_FAULT),
        ([Proof(Scope.LOCAL, "store", BAD, "wrong_store")], {"sunshine": GOOD}, False, Finding.REFUSE, Basis.LOCAL_FAULT),
        # One account's dead token is that account's.
        ([shared(GOOD), own(1, BAD), own(2, GOOD)], {"sunshine": GOOD, "chn_2": GOOD}, False, Finding.ADMIT, Basis.PROVED),
        ([own(1, BAD)], None, False, Finding.ADMIT, Basis.PROVED),
        ([own(1, BAD), own(2, BAD), own(3, GOOD)], {"chn_1": GOOD, "chn_2": GOOD}, False, Finding.REFUSE, Basis.WITNESS_PASSES),
        ([own(1, BAD), own(2, BAD)], {"chn_1": BAD, "chn_2": BAD}, False, Finding.ADMIT, Basis.PROVED),
        ([own(1, BAD), own(2, BAD)], None, False, Finding.INCONCLUSIVE, Basis.NO_WITNESS),
    ],
)
def test_verdicts(proofs: list[Proof], witness: dict[str, Outcome] | None, known: bool, finding: Finding, basis: Basis) -> None:
    verdict = gate.judge(proofs, witness, known=known)
    assert (verdict.finding, verdict.basis) == (finding, basis)


def after(*events: object) -> gate.Release:
    row = gate.registered("rel_1")
    for at, event in enumerate(events, 1):
        row = gate.evolve(row, event, at)  # type: ignore[arg-type]
    return row


REGISTERED = ev.ReleaseRegistered("1.0", "f")
REFUSED = ev.ReleaseRefused(Basis.WITNESS_PASSES, "sunshine", "bad_credentials", "HELIOGRAPH_X")
ADMIT = gate.Verdict(Finding.ADMIT, Basis.PROVED)
REFUSE = gate.Verdict(Finding.REFUSE, Basis.WITNESS_PASSES, "sunshine", "bad_credentials")
UNTOLD = gate.Verdict(Finding.INCONCLUSIVE, Basis.UNTOLD, "sunshine", "provider_down")


def test_admission_latches() -> None:
    row = after(REGISTERED, ev.ReleaseAdmitted(Basis.PROVED, ""))
    assert gate.conclude(row, REFUSE, "V") == [] and gate.conclude(row, UNTOLD, "") == []


def test_what_is_known_already_is_not_said_again() -> None:
    row = after(REGISTERED, REFUSED)
    assert (row.stage, row.variable) == (Stage.REFUSED, "HELIOGRAPH_X")
    assert gate.conclude(row, REFUSE, "HELIOGRAPH_X") == []
    assert [type(event) for event in gate.conclude(row, UNTOLD, "")] == [ev.ReleaseUndecided]


def test_a_refused_release_is_let_in_once_it_proves_itself() -> None:
    row = after(REGISTERED, REFUSED)
    [event] = gate.conclude(row, ADMIT, "")
    assert after(REGISTERED, REFUSED, event).stage is Stage.ADMITTED


def test_a_fence_is_overruled_by_a_person_only() -> None:
    fenced = ev.ReleaseFenced(Basis.WITNESS_PASSES, "sunshine", "bad_credentials", "HELIOGRAPH_X")
    row = after(REGISTERED, ev.ReleaseAdmitted(Basis.PROVED, ""), fenced)
    assert row.stage is Stage.FENCED and gate.conclude(row, ADMIT, "") == []
    forced = after(REGISTERED, ev.ReleaseAdmitted(Basis.PROVED, ""), fenced, ev.ReleaseForced("nte_1"))
    assert (forced.stage, forced.forced_at, forced.basis) == (Stage.ADMITTED, 4, Basis.FORCED)
