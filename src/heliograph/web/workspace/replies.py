"""What an agent is told about a reply: one word, one sentence, what can be done, and which decisions are theirs, in the page's language."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from heliograph.domain.delivery import Delivery, Question, State
from heliograph.domain.health import Condition
from heliograph.projections.timeline import REASON_ROWS
from heliograph.web.workspace.language import mark, say
from heliograph.web.workspace.standing import Standing


class Decision(NamedTuple):
    """A button; `name` is a key of services.decisions."""

    name: str
    label: str
    weight: str = ""


class ReplyState(NamedTuple):
    """State of one comment's way to the contact, all parts together."""

    #: A State's value, or "held" for a queued one whose channel is on hold.
    name: str
    word: str
    sentence: str
    remedy: str
    code: str
    parts: str
    decisions: tuple[Decision, ...]


#: The state that speaks for a comment of several parts: what needs a person comes first, what went well comes last.
WEIGHT = (
    State.ASKING, State.FAILED, State.UNKNOWN, State.SENDING, State.QUEUED, State.CANCELLED, State.ACCEPTED, State.DELIVERED, State.READ,
)  # fmt: skip
WORDS = {
    State.QUEUED: mark("Queued"),
    State.SENDING: mark("Sending"),
    State.UNKNOWN: mark("Being checked"),
    State.ASKING: mark("Needs your decision"),
    State.ACCEPTED: mark("Sent"),
    State.DELIVERED: mark("Delivered"),
    State.READ: mark("Read"),
    State.FAILED: mark("Could not be sent"),
    State.CANCELLED: mark("Not sent"),
}
QUESTIONS = {
    Question.MAY_HAVE_BEEN_SENT: (
        mark("It may have arrived, and this provider offers no way to find out."),
        mark("Sending it again may show it twice; treating it as sent may mean that it never arrived."),
    ),
    Question.OVERTAKEN: (
        mark("The provider handed it back, and a later reply has arrived meanwhile."),
        mark("Sent now, it would stand after the later one."),
    ),
    Question.WAITED_TOO_LONG: (
        mark("It waited longer than your organisation lets replies wait unasked."),
        mark("Read what has happened since, then send it or drop it."),
    ),
    Question.WINDOW_CLOSED: (
        mark("While it waited, the time in which the provider allows a reply ran out."),
        mark("Sent now, the provider will probably refuse it, until the contact writes again."),
    ),
    Question.SOLVED_SINCE: (
        mark("The ticket was solved while it waited."),
        mark("Send it if the contact still needs it, or drop it."),
    ),
    Question.CONTACT_WROTE: (
        mark("The contact has written while it waited."),
        mark("Read that first: it may call for another answer."),
    ),
    Question.WRITTEN_AGAIN: (
        mark("The same has been written again since."),
        mark("Sent now, the contact would read it twice."),
    ),
    Question.EXHAUSTED: (
        mark("The provider failed on this one message again and again, while it was well otherwise."),
        mark("Send it again, or drop it and write it differently."),
    ),
}
RESEND = Decision("resend", mark("Send again"))
MARK = Decision("mark_sent", mark("Treat as sent"))
DROP = Decision("cancel", mark("Don’t send"), "quiet")


def reply_state(deliveries: Sequence[Delivery], standing: Standing | None, *, before: int) -> ReplyState:
    """Sum up a comment's deliveries. `before`: how many older replies of the conversation go first."""
    leading = min(deliveries, key=lambda d: WEIGHT.index(d.state))
    held = leading.state is State.QUEUED and standing is not None and standing.condition is not Condition.WELL
    name, word = ("held", say("Held")) if held else (leading.state.value, say(WORDS[leading.state]))
    if leading.state is State.ACCEPTED and not leading.provider_id:
        word = say("Treated as sent")
    sentence, remedy = _explained(leading, standing if held else None, before)
    return ReplyState(name, word, sentence, remedy, leading.code, _parts(deliveries), _decisions(leading.state))


def _explained(leading: Delivery, held: Standing | None, before: int) -> tuple[str, str]:
    match leading.state:
        case State.QUEUED:
            return _waiting(leading, held, before)
        case State.SENDING:
            return say("The provider is being called."), ""
        case State.UNKNOWN:
            sentence = _reason(leading)[0] or say("It may have been sent.")
            return sentence, say("Nothing to do: Heliograph asks the provider whether it has arrived.")
        case State.ASKING:
            sentence, remedy = QUESTIONS[Question(leading.question)]
            return say(sentence), say(remedy)
        case State.FAILED:
            return _reason(leading)
        case State.CANCELLED:
            return say("Somebody decided not to send it."), ""
        case State.ACCEPTED if not leading.provider_id:
            return say("Somebody decided so; there is no proof that it arrived."), ""
        case _:
            return "", ""


def _waiting(leading: Delivery, held: Standing | None, before: int) -> tuple[str, str]:
    if before:
        # The reason stands at the one that goes next, and once for all in the banner.
        return say("Waits in order, {before} before it.").format(before=before), ""
    if held is not None:
        return say("Next to go. {reason}").format(reason=say(held.sentence)), say(held.remedy)
    sentence, remedy = _reason(leading)
    return (say("{reason} It keeps its place.").format(reason=sentence), remedy) if sentence else ("", "")


def _reason(delivery: Delivery) -> tuple[str, str]:
    known = REASON_ROWS.get(delivery.reason)
    return (say(known.sentence), say(known.remedy)) if known else ("", "")


def _parts(deliveries: Sequence[Delivery]) -> str:
    if len(deliveries) < 2:
        return ""
    counted: dict[str, int] = {}
    for delivery in sorted(deliveries, key=lambda d: WEIGHT.index(d.state), reverse=True):
        word = say(WORDS[delivery.state]).lower()
        counted[word] = counted.get(word, 0) + 1
    return say("{number} parts:").format(number=len(deliveries)) + " " + ", ".join(f"{number} {word}" for word, number in counted.items())


def _decisions(state: State) -> tuple[Decision, ...]:
    match state:
        case State.ASKING:
            return (RESEND, MARK, DROP)
        case State.FAILED | State.CANCELLED:
            return (RESEND,)
        case State.QUEUED:
            return (DROP,)
        case _:
            return ()


#: From which states a decision on a whole comment takes a part along.
APPLIES: Mapping[str, frozenset[State]] = {
    "resend": frozenset({State.ASKING, State.FAILED, State.CANCELLED}),
    "mark_sent": frozenset({State.ASKING}),
    "cancel": frozenset({State.QUEUED, State.ASKING}),
}
