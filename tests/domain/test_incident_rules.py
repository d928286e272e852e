"""What facts make of incidents, by table: whose they are, what belongs together, and when they move on."""

import pytest

from heliograph.domain import incident_events as ie
from heliograph.domain.event import Event
from heliograph.domain.incident import Incident, Phase, Severity, Subject, blank, evolve, fold
from heliograph.domain.incident_rules import (
    Cause,
    Family,
    Patience,
    Trouble,
    advance,
    due,
    group,
    home,
    joined,
    merged,
    opened,
    severity,
    to_merge,
)
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND

USUAL = Patience()
AT = 1_000 * SECOND
BAD, DOWN, DENIED = "bad_credentials", "provider_down", "not_permitted"


def trouble(
    account: str, id: str, reason: str = BAD, *, since: int = AT, provider: str = "p", kind: str = "", release: str = ""
) -> Trouble:
    subject = Subject(kind or ("credential" if reason == BAD else "channel"), account, id, since, 0)
    return Trouble(subject, reason, provider, reason == BAD, since, since, frozenset({(account or "acc", id)}), release)


def incident(id: str, cause: Cause, *members: Trouble, number: int = 1) -> Incident:
    events = opened(number, cause, members, onset_at=min(m.subject.since for m in members))
    return fold(id, [(event, AT) for event in [*events, *joined(blank(id), members)]])


def after(one: Incident, events: list[Event], at: int = AT) -> Incident:
    for event in events:
        one = evolve(one, event, at)
    return one


OWN = [trouble(f"acc_{n}", f"crd_{n}@f", since=AT + n * SECOND) for n in range(4)]
CHANNELS = [trouble(f"acc_{n}", f"chn_{n}", DOWN) for n in range(3)]


@pytest.mark.parametrize(
    ("members", "accounts", "causes"),
    [
        ([trouble("", "p@f")], 1, {Cause("", "p", Family.CREDENTIAL): 1}),
        (OWN[:1], 9, {Cause("acc_0", "p", Family.CREDENTIAL): 1}),
        (OWN[:2], 9, {Cause("acc_0", "p", Family.CREDENTIAL): 1, Cause("acc_1", "p", Family.CREDENTIAL): 1}),
        (OWN[:3], 9, {Cause("", "p", Family.CREDENTIAL): 3}),
        (OWN[:3], 900, {Cause(f"acc_{n}", "p", Family.CREDENTIAL): 1 for n in range(3)}),
        (OWN, 900, {Cause("", "p", Family.CREDENTIAL): 4}),
        (CHANNELS[:1], 9, {Cause("acc_0", "p", Family.UPSTREAM): 1}),
        (CHANNELS[:2], 9, {Cause("", "p", Family.UPSTREAM): 2}),
        ([CHANNELS[0], CHANNELS[1]._replace(provider="q")], 9,
         {Cause("acc_0", "p", Family.UPSTREAM): 1, Cause("acc_1", "q", Family.UPSTREAM): 1}),
        ([trouble("acc_0", "chn_0", DENIED)], 9, {Cause("acc_0", "p", Family.PERMISSION): 1}),
        ([OWN[0], OWN[1], OWN[2]._replace(provider="q")], 9, {Cause("", "", Family.CREDENTIAL): 3}),
    ],
)  # fmt: skip
def test_troubles_of_one_cause_are_found(members: list[Trouble], accounts: int, causes: dict[Cause, int]) -> None:
    found = group(members, accounts=accounts, together=USUAL.together)
    assert {cause: len(those) for cause, those in found.items()} == causes


def test_credentials_that_die_far_apart_are_accidents() -> None:
    spread = [trouble(f"acc_{n}", f"crd_{n}@f", since=AT + n * 400 * SECOND) for n in range(3)]
    assert all(cause.account for cause in group(spread, accounts=9, together=USUAL.together))


def test_what_no_probe_has_confirmed_must_last() -> None:
    short = trouble("acc_0", "chn_0", DOWN)
    assert not due(short, now=AT + USUAL.dwell - 1, patience=USUAL)
    assert due(short, now=AT + USUAL.dwell, patience=USUAL)
    assert due(trouble("", "p@f"), now=AT, patience=USUAL)


def test_what_is_left_of_an_outage_belongs_to_it() -> None:
    whole = incident("inc_1", Cause("", "p", Family.UPSTREAM), *CHANNELS[:2])
    assert home(Cause("acc_0", "p", Family.UPSTREAM), CHANNELS[:1], [whole]) is whole
    assert home(Cause("acc_9", "p", Family.UPSTREAM), [trouble("acc_9", "chn_9", DOWN)], [whole]) is whole
    assert home(Cause("acc_9", "q", Family.UPSTREAM), [trouble("acc_9", "chn_9", DOWN, provider="q")], [whole]) is None
    assert home(Cause("acc_9", "p", Family.CREDENTIAL), [trouble("acc_9", "crd_9@f")], [whole]) is None


def test_another_account_s_incident_is_nobody_s_home() -> None:
    own = incident("inc_1", Cause("acc_0", "p", Family.CREDENTIAL), OWN[0])
    assert home(Cause("acc_1", "p", Family.CREDENTIAL), [OWN[1]], [own]) is None
    assert home(Cause("acc_0", "p", Family.CREDENTIAL), [trouble("acc_0", "crd_8@f")], [own]) is own


def moved(one: Incident, *, ends: bool, waiting: bool = False, seconds: float) -> list[str]:
    now = AT + int(seconds * SECOND)
    ended = {subject: AT + SECOND for subject in one.subjects} if ends else {}
    return [e.kind for e in advance(one, ends=ended, severity=Severity.MINOR, waiting=waiting, now=now, patience=USUAL)]


def test_an_incident_moves_on_by_facts_alone() -> None:
    one = incident("inc_1", Cause("", "p", Family.UPSTREAM), *CHANNELS[:2])
    assert moved(one, ends=False, seconds=9) == []
    assert moved(one, ends=False, seconds=10) == ["incident_announced"]
    assert moved(one, ends=True, seconds=9) == ["subject_recovered", "subject_recovered", "incident_mitigated"]
    assert "incident_announced" not in moved(one, ends=True, seconds=11)
    assert "incident_announced" in moved(one, ends=True, waiting=True, seconds=11)
    events = advance(one, ends=dict.fromkeys(one.subjects, AT), severity=Severity.MAJOR, waiting=False, now=AT, patience=USUAL)
    over = after(one, events)
    assert (over.phase, over.severity, over.mitigated_at) == (Phase.MONITORING, Severity.MAJOR, AT)
    assert moved(over, ends=False, waiting=True, seconds=600) == ["incident_announced"]
    assert moved(over, ends=False, seconds=59) == []
    assert moved(over, ends=False, seconds=60) == ["incident_resolved"]


def test_a_credential_s_cause_is_known_and_a_release_s_is_told_at_once() -> None:
    one = incident("inc_1", Cause("", "p", Family.CREDENTIAL), trouble("", "p@f", release="rel_2")._replace(variable="P_SECRET"))
    assert (one.release, one.variable) == ("rel_2", "P_SECRET")
    assert moved(one, ends=False, seconds=0) == ["phase_changed", "incident_announced"]
    own = incident("inc_1", Cause("acc_0", "p", Family.CREDENTIAL), OWN[0])
    assert moved(own, ends=False, seconds=600) == ["phase_changed"]


def test_what_comes_back_is_a_relapse() -> None:
    one = incident("inc_1", Cause("", "p", Family.UPSTREAM), *CHANNELS[:2])
    over = after(one, advance(one, ends=dict.fromkeys(one.subjects, AT), severity=Severity.MINOR, waiting=True, now=AT, patience=USUAL))
    assert joined(over, CHANNELS[:2]) == []
    events = joined(over, [trouble("acc_0", "chn_0", DOWN, since=AT + 9)])
    assert [event.kind for event in events] == ["incident_relapsed", "incident_joined"]
    assert (after(over, events).mitigated_at, after(over, events).phase) == (0, Phase.IDENTIFIED)


def test_incidents_that_turn_out_to_be_one_are_merged_into_the_first() -> None:
    first = incident("inc_1", Cause("", "p", Family.UPSTREAM), CHANNELS[0])
    second = incident("inc_2", Cause("", "p", Family.UPSTREAM), CHANNELS[1], number=2)
    other = incident("inc_3", Cause("", "q", Family.UPSTREAM), CHANNELS[2]._replace(provider="q"), number=3)
    assert [(a.id, b.id) for a, b in to_merge([other, second, first])] == [("inc_2", "inc_1")]
    ending, taking = merged(second, first)
    assert after(second, ending).over and {s.id for s in after(first, taking).subjects} == {"chn_0", "chn_1"}


@pytest.mark.parametrize(
    ("one", "into"),
    [
        (
            incident("inc_1", Cause("acc_0", "p", Family.CREDENTIAL), OWN[0]),
            incident("inc_2", Cause("acc_1", "p", Family.CREDENTIAL), OWN[1]),
        ),
        (
            incident("inc_1", Cause("", "p", Family.UPSTREAM), CHANNELS[0]),
            incident("inc_2", Cause("acc_1", "p", Family.CREDENTIAL), OWN[1]),
        ),
    ],
)
def test_no_account_takes_in_what_is_not_its_own(one: Incident, into: Incident) -> None:
    with pytest.raises(ValueError, match="takes in nothing"):
        merged(one, into)


@pytest.mark.parametrize(
    ("hit", "all_of_them", "grave"),
    [(0, 0, "minor"), (1, 100, "minor"), (10, 100, "major"), (49, 100, "major"), (50, 100, "critical"), (1, 1, "critical")],
)
def test_severity_is_the_share_that_is_hit(hit: int, all_of_them: int, grave: str) -> None:
    assert severity(hit, all_of_them) == grave


def test_what_was_corrected_is_left_alone() -> None:
    one = incident("inc_1", Cause("", "p", Family.UPSTREAM), *CHANNELS[:2])
    one = after(one, [ie.IncidentCorrected("onset_at", str(AT), "5"), ie.IncidentCorrected("reason", DOWN, "network")])
    one = after(one, [ie.IncidentJoined("channel", "a", "c", 3), ie.CauseFound(Reason.BAD_CREDENTIALS, "rel_1", "X")])
    assert (one.onset_at, one.reason, one.release) == (5, "network", "rel_1")
