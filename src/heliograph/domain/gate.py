"""The gate: whether a release may send, judged from what it proved and what the running release, its witness, proves at the same time."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from heliograph.domain import release_events as ev
from heliograph.domain.event import Event


class Outcome(StrEnum):
    """What became of one proof."""

    VALID = "valid"
    INVALID = "invalid"
    #: Silence, throttling, an error of the provider: says nothing about the release.
    INCONCLUSIVE = "inconclusive"


class Scope(StrEnum):
    """What a proof speaks about."""

    #: Settings, store, master key: certain, whatever a witness says.
    LOCAL = "local"
    #: A credential of the installation.
    SHARED = "shared"
    #: An account's own credential: it fails with the release only where many fail at once.
    OWN = "own"


class Proof(NamedTuple):
    """One thing that a release was asked to prove."""

    scope: Scope
    #: "settings", "store", "master_key", a shared credential's name, or a channel's id.
    subject: str
    outcome: Outcome
    reason: str = ""
    code: str = ""


class Finding(StrEnum):
    """What the gate says."""

    ADMIT = "admit"
    REFUSE = "refuse"
    INCONCLUSIVE = "inconclusive"


class Verdict(NamedTuple):
    """The gate's word, and why: `basis` is a member of Basis; `subject` and `reason` are those of the proof that decided."""

    finding: Finding
    basis: str
    subject: str = ""
    reason: str = ""


class Basis(StrEnum):
    """Why the gate says what it says."""

    PROVED = "proved"
    #: The new one passes where the running one fails: it is the repair.
    REPAIR = "repair"
    #: It was admitted before and nobody runs that could speak against it.
    KNOWN = "known"
    LOCAL_FAULT = "local_fault"
    #: It fails where the running one passes at the same moment.
    WITNESS_PASSES = "witness_passes"
    #: Both fail: the fault is elsewhere.
    BOTH_FAIL = "both_fail"
    #: It fails, and nobody runs who could tell whose fault it is.
    NO_WITNESS = "no_witness"
    UNTOLD = "untold"
    #: A person said so.
    FORCED = "forced"
    #: Its attempts fail where another release's succeed.
    ATTEMPTS = "attempts"
    #: A person went back to the release before.
    ROLLED_BACK = "rolled_back"
    #: None of its processes runs any more, and it had not proved itself in practice.
    GONE = "gone"


#: Of accounts' own credentials that were well, so many must fail, and be so large a share, before the release is suspected.
OWN_LEAST, OWN_SHARE = 2, 0.5


def judge(proofs: Sequence[Proof], witness: Mapping[str, Outcome] | None, *, known: bool) -> Verdict:
    """Whether the release that made `proofs` may send.

    `witness`: what the running release proves now, by subject; None where nobody runs. `known`: the release was admitted before.
    """
    local = [proof for proof in proofs if proof.scope is Scope.LOCAL]
    wrong = _first(local, Outcome.INVALID)
    if wrong is not None:
        return Verdict(Finding.REFUSE, Basis.LOCAL_FAULT, wrong.subject, wrong.reason)
    if witness is None and known:
        return Verdict(Finding.ADMIT, Basis.KNOWN)
    shared = [proof for proof in proofs if proof.scope is Scope.SHARED]
    own = [proof for proof in proofs if proof.scope is Scope.OWN]
    fault = _at_fault(shared, witness) or _at_fault(_suspicious(own, witness), witness)
    if fault is not None:
        return fault
    untold = _first([*local, *shared], Outcome.INCONCLUSIVE)
    if untold is not None:
        return Verdict(Finding.INCONCLUSIVE, Basis.UNTOLD, untold.subject, untold.reason)
    others = witness or {}
    repaired = next((proof.subject for proof in shared if others.get(proof.subject) is Outcome.INVALID), None)
    return Verdict(Finding.ADMIT, Basis.PROVED) if repaired is None else Verdict(Finding.ADMIT, Basis.REPAIR, repaired)


def _first(proofs: Sequence[Proof], outcome: Outcome) -> Proof | None:
    return next((proof for proof in proofs if proof.outcome is outcome), None)


def _at_fault(proofs: Sequence[Proof], witness: Mapping[str, Outcome] | None) -> Verdict | None:
    """Whose fault it is that some of these fail; None where none does."""
    failing = [proof for proof in proofs if proof.outcome is Outcome.INVALID]
    if not failing:
        return None
    for proof in failing:
        if (witness or {}).get(proof.subject) is Outcome.VALID:
            return Verdict(Finding.REFUSE, Basis.WITNESS_PASSES, proof.subject, proof.reason)
    basis = Basis.NO_WITNESS if witness is None else Basis.BOTH_FAIL
    return Verdict(Finding.INCONCLUSIVE, basis, failing[0].subject, failing[0].reason)


def _suspicious(own: Sequence[Proof], witness: Mapping[str, Outcome] | None) -> list[Proof]:
    """Accounts' own credentials come from the store: they fail with a release when its code or master key is wrong, and then many do.

    One whose account is in trouble anyway says nothing.
    """
    failing = [p for p in own if p.outcome is Outcome.INVALID and (witness or {}).get(p.subject) is not Outcome.INVALID]
    return failing if len(failing) >= max(OWN_LEAST, OWN_SHARE * len(own)) else []


#: Buckets of lanes that releases share.
ALL = 100


class Stage(StrEnum):
    """How far a release is."""

    #: Registered, not proved: it serves, and sends nothing.
    UNPROVED = "unproved"
    #: It sends on a share of the lanes.
    SHARING = "sharing"
    #: It may send. Latched: it stays so, also across restarts, until it is fenced.
    ADMITTED = "admitted"
    REFUSED = "refused"
    #: Stopped at the claim query.
    FENCED = "fenced"
    #: Another one took over.
    RETIRED = "retired"


class Release(NamedTuple):
    """The row of one release: code and configuration, one thing."""

    id: str
    stage: Stage
    code: str
    fingerprint: str
    #: Why it stands where it stands: basis, subject, reason and the variable that differs, each "" where it does not apply.
    basis: str
    subject: str
    reason: str
    variable: str
    #: When a person forced it through, 0 for never.
    forced_at: int
    registered_at: int
    admitted_at: int
    ended_at: int
    version: int


def registered(id: str) -> Release:
    """A release of which nothing is recorded yet."""
    return Release(id, Stage.UNPROVED, "", "", "", "", "", "", 0, 0, 0, 0, 0)


def evolve(row: Release, event: Event, at: int) -> Release:
    """What a recorded event makes of the row. Total."""
    row = row._replace(version=row.version + 1)
    match event:
        case ev.ReleaseRegistered(code, fingerprint):
            return row._replace(code=code, fingerprint=fingerprint, registered_at=at)
        case ev.ReleaseAdmitted(basis, subject):
            return _admitted(row, basis, subject, at)
        case ev.ReleaseForced(share=share):
            forced = _admitted(row, Basis.FORCED, "", at)._replace(forced_at=at)
            return forced if share >= ALL else forced._replace(stage=Stage.SHARING)
        case ev.ShareGiven():
            return row._replace(stage=Stage.SHARING)
        case ev.ReleaseRefused(basis, subject, reason, variable):
            return row._replace(stage=Stage.REFUSED, basis=basis, subject=subject, reason=reason, variable=variable, ended_at=at)
        case ev.ReleaseUndecided(basis, subject, reason, variable):
            return row._replace(stage=Stage.UNPROVED, basis=basis, subject=subject, reason=reason, variable=variable)
        case ev.ReleaseFenced(basis=basis, subject=subject, reason=reason, variable=variable):
            return row._replace(stage=Stage.FENCED, basis=basis, subject=subject, reason=reason, variable=variable, ended_at=at)
        case ev.ReleaseRetired():
            return row._replace(stage=Stage.RETIRED, ended_at=at)
        case _:
            return row


def _admitted(row: Release, basis: str, subject: str, at: int) -> Release:
    since = row.admitted_at or at
    return row._replace(stage=Stage.ADMITTED, basis=basis, subject=subject, reason="", variable="", admitted_at=since, ended_at=0)


#: Stages in which a release may send.
SENDING = frozenset({Stage.SHARING, Stage.ADMITTED})


def conclude(row: Release, verdict: Verdict, variable: str) -> list[Event]:
    """What a verdict means for a release that does not send yet; nothing where that is known already.

    A fence is a verdict from practice: only a person overrules it.
    """
    if row.stage in (Stage.ADMITTED, Stage.FENCED):
        return []
    if verdict.finding is Finding.ADMIT:
        return [ev.ReleaseAdmitted(verdict.basis, verdict.subject)]
    if row.stage is Stage.SHARING:
        return []
    refused = verdict.finding is Finding.REFUSE
    if (row.stage, row.basis, row.subject) == (Stage.REFUSED if refused else Stage.UNPROVED, verdict.basis, verdict.subject):
        return []
    kind = ev.ReleaseRefused if refused else ev.ReleaseUndecided
    return [kind(verdict.basis, verdict.subject, verdict.reason, variable)]
