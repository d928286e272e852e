"""The sandbox's own record of a scenario: which replies were held up, told without asking Heliograph."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from heliograph.drill.place import Place, Reply

#: Microseconds in a second.
SECOND = 1_000_000
#: A reply that the service took later than this was held up: without trouble it takes milliseconds. In seconds.
LATE = 1.5
#: Seconds around the beginning and the end of trouble in which two clocks may disagree about a reply.
EDGE = 0.15
NEVER = 2.0**40


class Span(NamedTuple):
    """From a key's first refused call to the next one that was taken, in seconds."""

    start: float
    end: float


async def held_up(place: Place) -> tuple[set[str], set[str]]:
    """Replies that were held up, and those of which the record cannot tell.

    Held up is what was refused, what was written between a key's first refusal and the first call that was taken again, and what was
    taken late. It cannot tell of what was written while the others went out, nor within EDGE of the beginning and the end of that.
    """
    accepted = (await place.sandbox.ask("GET", "accepted"))["accepted"]
    calls = (await place.sandbox.ask("GET", "requests?operation=send"))["requests"]
    taken: dict[str, float] = {}
    for message in accepted:
        for label in message["labels"]:
            taken.setdefault(label.partition(".")[0], message["at"] / SECOND)
    # Trouble with a key concerns everybody who uses it.
    user = {talk.conversation: talk.account if talk.account in place.own else "" for talk in place.talks}
    held = _refused(place.replies, calls, taken)
    untold: set[str] = set()
    for who in set(user.values()):
        mine = [reply for reply in place.replies if user.get(reply.conversation, "") == who]
        for span in _spans(call for call in calls if user.get(call["conversation"], "") == who):
            waited = [reply for reply in mine if span.start <= reply.at <= span.end]
            held |= {reply.delivery for reply in waited}
            gone = max((taken.get(reply.delivery, NEVER) for reply in waited), default=span.end)
            untold |= {r.delivery for r in mine if abs(span.start - r.at) <= EDGE or span.end - EDGE <= r.at <= gone + EDGE}
    late = {reply.delivery for reply in place.replies if taken.get(reply.delivery, NEVER) - reply.at > LATE}
    return (held - untold) | late, untold - late


def _spans(calls: Iterable[dict[str, Any]]) -> list[Span]:
    found: list[Span] = []
    since = NEVER
    for call in calls:
        at = call["at"] / SECOND
        if not call["taken"]:
            since = min(since, at)
        elif since < NEVER:
            found.append(Span(since, at))
            since = NEVER
    return found + ([Span(since, NEVER)] if since < NEVER else [])


def _refused(replies: Iterable[Reply], calls: Iterable[dict[str, Any]], taken: dict[str, float]) -> set[str]:
    """A conversation's replies go in order, so a refused call was for the first that was not taken yet."""
    found: set[str] = set()
    written = list(replies)
    for call in calls:
        if not call["taken"]:
            open_ = (
                r.delivery for r in written if r.conversation == call["conversation"] and taken.get(r.delivery, NEVER) > call["at"] / SECOND
            )
            found |= set([next(open_, "")]) - {""}
    return found
