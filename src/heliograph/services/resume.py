"""Resume: how what an incident held back goes out again, and decisions of a person about many replies at once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heliograph.domain.decide import Refusal
from heliograph.domain.delivery import Question, State
from heliograph.domain.incident import Incident
from heliograph.domain.retry import SECOND
from heliograph.ports.store import Store
from heliograph.projections.facts import Affected
from heliograph.services.context import Context, Invalid, Missing
from heliograph.services.decisions import DECISIONS, decide_on
from heliograph.services.impact import impact

#: Most decisions of one call.
MOST = 500
#: The rate is measured over this, microseconds.
WINDOW = 10 * SECOND


class Drain(NamedTuple):
    """How far what was held back has gone out, of one channel. Times are microseconds UTC."""

    account: str
    channel: str
    affected: int
    remaining: int
    sent: int
    asked: int
    failed: int
    dropped: int
    #: Sent in the last seconds, per second.
    rate: float
    #: When the oldest that remains was written; 0 where none does.
    oldest_at: int
    #: When the last will have gone at this rate; 0 where nothing can be said.
    ends_at: int


class Decided(NamedTuple):
    """What became of one call of `decide_all`."""

    done: list[str]
    #: Delivery -> why not.
    refused: dict[str, str]
    #: Where to go on, "" at the end.
    following: str


class Asked(NamedTuple):
    """Which asked replies of an incident are meant; "" is any."""

    account: str = ""
    channel: str = ""
    question: str = ""


ANY = Asked()


async def drains(store: Store, incident: Incident, affected: Sequence[Affected], *, now: int) -> list[Drain]:
    """By channel, the one with most remaining first."""
    places: dict[tuple[str, str], list[Affected]] = {}
    for one in affected:
        places.setdefault((one.account, one.channel), []).append(one)
    found = [await _drain(store, account, channel, members, now=now) for (account, channel), members in places.items()]
    return sorted(found, key=lambda drain: (-drain.remaining, drain.account, drain.channel))


async def _drain(store: Store, account: str, channel: str, members: Sequence[Affected], *, now: int) -> Drain:
    became = Counter(one.became for one in members)
    remaining = became["waiting"]
    oldest = min((one.queued_at for one in members if one.became == "waiting"), default=0)
    sent = sum(1 for one in members if one.became == "sent_late" and one.accepted_at > now - WINDOW)
    rate = sent / (WINDOW / SECOND)
    ends_at = now + int(remaining / rate * SECOND) if remaining and rate else 0
    return Drain(
        account, channel, len(members), remaining, became["sent_late"], became["asked"], became["failed"], became["dropped"],
        rate, oldest, ends_at,
    )  # fmt: skip


async def asked(context: Context, incident: Incident, which: Asked = ANY) -> list[Affected]:
    """The affected replies that a person must decide about, in the order in which they were written."""
    return _chosen(await impact(context.store, incident, which.account), which)


def _chosen(affected: Iterable[Affected], which: Asked) -> list[Affected]:
    return [
        one for one in affected
        if one.became == "asked" and which.channel in ("", one.channel) and which.question in ("", one.question)
        and which.account in ("", one.account)
    ]  # fmt: skip


async def decide_all(
    context: Context, incident: Incident, decision: str, *, actor: str, which: Asked = ANY, after: str = "", limit: int = MOST
) -> Decided:
    """Decide the same about asked replies: "resend", "mark_sent" or "cancel"; each is an act of its own.

    Goes on after delivery `after`, where an earlier call ended. Raises Invalid for a decision or question that does not exist.
    """
    if decision not in DECISIONS:
        raise Invalid(f"A decision is one of {', '.join(DECISIONS)}.")
    if which.question and which.question not in set(Question):
        raise Invalid(f"A question is one of {', '.join(Question)}.")
    left = [one for one in await asked(context, incident, which) if one.delivery > after]
    done, refused = [], {}
    for one in left[: min(limit, MOST)]:
        try:
            row = await context.store.delivery(one.account, one.delivery)
            if row is None or row.state is not State.ASKING:
                # Somebody has decided, or proof came, since it was listed.
                refused[one.delivery] = "It does not ask any more."
                continue
            await decide_on(context, one.account, one.delivery, decision, actor=actor)
            done.append(one.delivery)
        except (Refusal, Missing) as no:
            refused[one.delivery] = str(no)
    more = len(left) > min(limit, MOST)
    return Decided(done, refused, left[min(limit, MOST) - 1].delivery if more else "")
