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
#: A reply that the service took sooner than this after it was asked for was not held up, in seconds.
SOON = 0.15
#: What stands behind a held one for longer than this, seconds, was held up by it: an impact leaves out what waits less than 0.3.
BEHIND = 0.45


class Span(NamedTuple):
    """From a key's first refused call to the next one that was taken, in seconds."""

    start: float
    end: float


async def held_up(place: Place) -> tuple[set[str], set[str]]:
    """Replies that were held up, and those of which the record cannot tell.

    Held up is what was refused, what was written between a key's first refusal and the first call that was taken again, and what was
    taken late. It cannot tell of what was written while the others went out, nor within EDGE of the beginning and the end of that, nor of
    what had to wait no longer than BEHIND.
    """
    accepted = (await place.sandbox.ask("GET", "accepted"))["accepted"]
    calls = (await place.sandbox.ask("GET", "requests?operation=send"))["requests"]
    taken: dict[str, float] = {}
    for message in accepted:
        for label in message["labels"]:
            taken.setdefault(label.partition(".")[0], message["at"] / SECOND)
    # Trouble with a key concerns everybody who uses it.
    user = {talk.conversation: talk.account if talk.account in place.own else "" for talk in place.talks}
    refused = _refused(place.replies, calls, taken)
    held = set(refused)
    untold: set[str] = set()
    for who in set(user.values()):
        mine = [reply for reply in place.replies if user.get(reply.conversation, "") == who]
        for span in _spans(call for call in calls if user.get(call["conversation"], "") == who):
            waited = [reply for reply in mine if span.start <= reply.at <= span.end]
            held |= {reply.delivery for reply in waited}
            gone = max((taken.get(reply.delivery, NEVER) for reply in waited), default=span.end)
            untold |= {r.delivery for r in mine if abs(span.start - r.at) <= EDGE or span.end - EDGE <= r.at <= gone + EDGE}
            untold |= {r.delivery for r in waited if taken.get(r.delivery, NEVER) - r.at <= BEHIND} - refused
    late = {reply.delivery for reply in place.replies if taken.get(reply.delivery, NEVER) - reply.at > LATE}
    return (held - untold) | late, untold - late


async def judged_by_time(place: Place, broken: Span) -> tuple[set[str], set[str]]:
    """The same for trouble of any kind, see by_time. `broken`: when the drill broke something, and mended it."""
    accepted = (await place.sandbox.ask("GET", "accepted"))["accepted"]
    calls = (await place.sandbox.ask("GET", "requests"))["requests"]
    return by_time(place.replies, accepted, calls, broken)


def by_time(
    replies: Iterable[Reply], accepted: Iterable[dict[str, Any]], calls: Iterable[dict[str, Any]], broken: Span
) -> tuple[set[str], set[str]]:
    """Replies that were held up, and those of which the record cannot tell. `accepted` and `calls` are the sandbox's own records.

    Held up is what was refused, what was taken without an answer, what was taken late, and what was written while a held one of its
    conversation was still to be taken. Not held up is what was taken soon, or while nothing was broken and no call failed. It cannot tell
    of the rest: what was taken after SOON and before LATE in trouble, or as it ended.
    """
    replies, calls = list(replies), list(calls)
    sends = [call for call in calls if call["group"] == "send"]
    taken: dict[str, float] = {}
    places: dict[str, list[tuple[float, str]]] = {}
    for message in accepted:
        for id in {label.partition(".")[0] for label in message["labels"]}:
            taken.setdefault(id, message["at"] / SECOND)
            places.setdefault(message["conversation"], []).append((message["at"] / SECOND, id))
    held: set[str] = set()
    for call in sends:
        if call["taken"] and call["outcome"].startswith("dropped"):
            # The calls of a conversation follow each other: it is the first that was taken from then on.
            held |= {min(((at, id) for at, id in places.get(call["conversation"], []) if at >= call["at"] / SECOND), default=(0, ""))[1]}
    held &= {reply.delivery for reply in replies}
    held |= _refused(replies, sends, taken)
    held |= {reply.delivery for reply in replies if taken.get(reply.delivery, NEVER) - reply.at > LATE}
    held |= _behind(replies, held, taken)
    troubled = _troubled(calls, broken)
    # On a busy machine it may have been saved long before its writer was told so.
    untold = {
        reply.delivery for reply in replies if (at := taken.get(reply.delivery, NEVER)) - reply.asked_at > SOON
        if any(reply.asked_at < span.end and span.start < at for span in troubled)
    }  # fmt: skip
    return held, untold - held


def _behind(replies: Iterable[Reply], held: set[str], taken: dict[str, float]) -> set[str]:
    """What was written while a held one of its conversation was still to be taken."""
    free: dict[str, float] = {}
    found: set[str] = set()
    for reply in replies:
        at = taken.get(reply.delivery, NEVER)
        if at - reply.at > BEHIND and free.get(reply.conversation, 0) > reply.at:
            found.add(reply.delivery)
        if reply.delivery in held | found:
            free[reply.conversation] = max(free.get(reply.conversation, 0), at)
    return found


def _troubled(calls: Iterable[dict[str, Any]], broken: Span) -> list[Span]:
    """From each call that failed, of whatever kind, until a message was taken again and what waited had time to follow.

    A service that is down notes no calls: that something was broken counts as one that fails.
    """
    found: list[Span] = []
    since = NEVER
    told = [(call["at"] / SECOND, call["group"] == "send", not call["outcome"].startswith("2")) for call in calls]
    for at, sent, failed in sorted([*told, (broken.start, False, True), (broken.end, False, True)]):
        if failed or broken.start <= at <= broken.end:
            since = min(since, at)
        elif since < NEVER and sent:
            found.append(Span(since - EDGE, at + LATE))
            since = NEVER
    return found + ([Span(since - EDGE, NEVER)] if since < NEVER else [])


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
