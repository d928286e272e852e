"""A reply that may have been taken stays in doubt until that is disproved: through refusals, holds and restarts of its attempts."""

import pytest

from heliograph.domain import decide, delivery as deliveries, events as ev
from heliograph.domain.delivery import Delivery, Question, State
from heliograph.domain.outcomes import Absent, Accepted, DedupeClass, Deferred, Inconclusive, Refused, Unknown
from heliograph.domain.reasons import Reason

HOUR = 3_600_000_000
KEYED = decide.Policy(DedupeClass.KEY, 0, key_lifetime=24 * HOUR)
LISTED = decide.Policy(DedupeClass.LOOKUP, 60_000_000)


class Life:
    """A delivery that is taken through events, one hour apart unless said otherwise."""

    def __init__(self, policy: decide.Policy) -> None:
        self.now = HOUR
        self.policy = policy
        self.row: Delivery = deliveries.queued(
            account="a", id="d", ticket="t", comment="c", channel="ch", lane="l", seq=1, event=ev.ReplyQueued(1, 1), now=self.now
        )

    def fold(self, events: list[ev.Event]) -> None:
        for event in events:
            self.row = deliveries.evolve(self.row, event, self.now)

    def attempt(self, result: Accepted | Refused | Deferred | Unknown) -> None:
        self.fold(decide.start(self.row, fingerprint="f", overtaken=False))
        self.fold(decide.conclude(self.row, result, self.policy, now=self.now, jitter=0.0))

    def settle(self, found: Absent | None = None) -> None:
        self.fold(decide.settle(self.row, found, self.policy, now=self.now, jitter=0.0))

    def expired(self) -> bool:
        return decide.key_expired(self.row, self.policy, now=self.now)


def test_a_key_grows_old_from_its_first_use_whatever_is_refused_since() -> None:
    life = Life(KEYED)
    life.attempt(Unknown(Reason.NO_ANSWER))
    life.settle()
    for _ in range(23):
        life.now += HOUR
        life.attempt(Deferred(Reason.PROVIDER_DOWN))
    assert (life.row.state, life.expired()) == (State.QUEUED, False)
    life.now += HOUR
    assert life.expired()


def test_a_reply_whose_key_is_too_old_asks_instead_of_being_repeated() -> None:
    life = Life(KEYED)
    life.attempt(Unknown(Reason.NO_ANSWER))
    life.settle()
    life.now += 30 * HOUR
    life.attempt(Deferred(Reason.NO_ANSWER, code=decide.KEY_EXPIRED))
    assert (life.row.state, life.row.question, life.row.spent) == (State.ASKING, Question.MAY_HAVE_BEEN_SENT, 0)


def test_an_unknown_repeat_counts_from_the_first_use_too() -> None:
    life = Life(KEYED)
    life.attempt(Unknown(Reason.NO_ANSWER))
    life.settle()
    life.now += 23 * HOUR
    life.attempt(Unknown(Reason.NO_ANSWER))
    life.now += 2 * HOUR
    life.settle()
    assert life.row.question == Question.MAY_HAVE_BEEN_SENT


def test_what_may_have_left_cannot_be_cancelled_as_if_it_had_not() -> None:
    life = Life(KEYED)
    life.attempt(Unknown(Reason.NO_ANSWER))
    life.settle()
    assert life.row.state is State.QUEUED
    with pytest.raises(decide.Refusal, match="may be on its way"):
        decide.cancel(life.row)
    life.attempt(Refused(Reason.BAD_CREDENTIALS))
    with pytest.raises(decide.Refusal, match="may be on its way"):
        decide.cancel(life.row)


def test_absence_a_decision_and_acceptance_end_the_doubt() -> None:
    absent = Life(LISTED)
    absent.attempt(Unknown(Reason.NO_ANSWER))
    assert absent.row.doubt_since == HOUR
    absent.settle(Absent())
    assert (absent.row.state, absent.row.doubt_since) == (State.QUEUED, 0)
    assert decide.cancel(absent.row) == [ev.ReplyCancelled()]
    accepted = Life(KEYED)
    accepted.attempt(Unknown(Reason.NO_ANSWER))
    accepted.settle()
    accepted.attempt(Accepted("p"))
    assert accepted.row.doubt_since == 0


def test_who_must_decide_about_a_spent_reply_is_told_that_it_may_have_been_sent() -> None:
    life = Life(decide.Policy(DedupeClass.KEY, 0, key_lifetime=24 * HOUR, provider_well=True))
    for _ in range(6):
        life.attempt(Unknown(Reason.NO_ANSWER))
        life.settle()
    assert life.row.question == Question.MAY_HAVE_BEEN_SENT


def test_a_standing_decision_is_not_carried_out_for_ever() -> None:
    life = Life(decide.Policy(DedupeClass.NONE, 0, standing=decide.Standing.RISK_DUPLICATE))
    for _ in range(decide.STANDING_RESENDS):
        life.attempt(Unknown(Reason.NO_ANSWER))
        assert life.row.state is State.QUEUED
    life.attempt(Unknown(Reason.NO_ANSWER))
    assert (life.row.state, life.row.attempt) == (State.ASKING, decide.STANDING_RESENDS + 1)


def test_looking_up_in_vain_becomes_rare_and_stays_lively() -> None:
    row = deliveries.queued(account="a", id="d", ticket="t", comment="c", channel="h", lane="l", seq=1, event=ev.ReplyQueued(1, 1), now=0)
    for event in (ev.AttemptStarted(1, "f"), ev.AttemptUnknown(1, Reason.NO_ANSWER, "", 0)):
        row = deliveries.evolve(row, event, 0)
    looks = now = 0
    while now < 2 * HOUR:
        [postponed] = decide.settle(row, Inconclusive(Reason.PROVIDER_DOWN), LISTED, now=now, jitter=0.5)
        assert isinstance(postponed, ev.SettlePostponed)
        assert postponed.settle_at - now <= 60_000_000
        row, now, looks = deliveries.evolve(row, postponed, now), postponed.settle_at, looks + 1
    assert looks < 150


def test_a_stale_reply_in_doubt_asks_whether_it_has_arrived_and_not_whether_it_is_old() -> None:
    life = Life(KEYED)
    life.attempt(Unknown(Reason.NO_ANSWER))
    life.settle()
    life.now += 6 * HOUR
    life.attempt(Deferred(Reason.STALE, code=Question.WAITED_TOO_LONG))
    assert (life.row.state, life.row.question) == (State.ASKING, Question.MAY_HAVE_BEEN_SENT)
    certain = Life(KEYED)
    certain.attempt(Deferred(Reason.STALE, code=Question.WAITED_TOO_LONG))
    assert (certain.row.state, certain.row.question) == (State.ASKING, Question.WAITED_TOO_LONG)
