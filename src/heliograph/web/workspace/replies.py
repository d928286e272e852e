"""What an agent is told about a reply: one word, one sentence, what can be done, and which decisions are theirs. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from heliograph.domain.delivery import Delivery, Question, State
from heliograph.domain.health import Condition
from heliograph.projections.timeline import REASON_ROWS
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
    State.QUEUED: "Queued",
    State.SENDING: "Sending",
    State.UNKNOWN: "Being checked",
    State.ASKING: "Needs your decision",
    State.ACCEPTED: "Sent",
    State.DELIVERED: "Delivered",
    State.READ: "Read",
    State.FAILED: "Could not be sent",
    State.CANCELLED: "Not sent",
}
QUESTIONS = {
    Question.MAY_HAVE_BEEN_SENT: (
        "It may have arrived, and this provider offers no way to find out.",
        "Sending it again may show it twice; treating it as sent may mean that it never arrived.",
    ),
    Question.OVERTAKEN: (
        "The provider handed it back, and a later reply has arrived meanwhile.",
        "Sent now, it would stand after the later one.",
    ),
    Question.WAITED_TOO_LONG: (
        "It waited longer than your organisation lets replies wait unasked.",
        "Read what has happened since, then send it or drop it.",
    ),
    Question.WINDOW_CLOSED: (
        "While it waited, the time in which the provider allows a reply ran out.",
        "Sent now, the provider will probably refuse it, until the contact writes again.",
    ),
    Question.SOLVED_SINCE: (
        "The ticket was solved while it waited.",
        "Send it if the contact still needs it, or drop it.",
    ),
    Question.CONTACT_WROTE: (
        "The contact has written while it waited.",
        "Read that first: it may call for another answer.",
    ),
    Question.WRITTEN_AGAIN: (
        "The same has been written again since.",
        "Sent now, the contact would read it twice.",
    ),
    Question.EXHAUSTED: (
        "The provider failed on this one message again and again, while it was well otherwise.",
        "Send it again, or drop it and write it differently.",
    ),
}
RESEND = Decision("resend", "Send again")
MARK = Decision("mark_sent", "Treat as sent")
DROP = Decision("cancel", "Don’t send", "quiet")


def reply_state(deliveries: Sequence[Delivery], standing: Standing | None, *, before: int) -> ReplyState:
    """Sum up a comment's deliveries. `before`: how many older replies of the conversation go first."""
    leading = min(deliveries, key=lambda d: WEIGHT.index(d.state))
    held = leading.state is State.QUEUED and standing is not None and standing.condition is not Condition.WELL
    name, word = ("held", "Held") if held else (leading.state.value, WORDS[leading.state])
    if leading.state is State.ACCEPTED and not leading.provider_id:
        word = "Treated as sent"
    sentence, remedy = _explained(leading, standing if held else None, before)
    return ReplyState(name, word, sentence, remedy, leading.code, _parts(deliveries), _decisions(leading.state))


def _explained(leading: Delivery, held: Standing | None, before: int) -> tuple[str, str]:
    match leading.state:
        case State.QUEUED:
            return _waiting(leading, held, before)
        case State.SENDING:
            return "The provider is being called.", ""
        case State.UNKNOWN:
            sentence = _reason(leading)[0] or "It may have been sent."
            return sentence, "Nothing to do: Heliograph asks the provider whether it has arrived."
        case State.ASKING:
            return QUESTIONS[Question(leading.question)]
        case State.FAILED:
            return _reason(leading)
        case State.CANCELLED:
            return "Somebody decided not to send it.", ""
        case State.ACCEPTED if not leading.provider_id:
            return "Somebody decided so; there is no proof that it arrived.", ""
        case _:
            return "", ""


def _waiting(leading: Delivery, held: Standing | None, before: int) -> tuple[str, str]:
    if before:
        # The reason stands at the one that goes next, and once for all in the banner.
        return f"Waits in order, {before} before it.", ""
    if held is not None:
        return f"Next to go. {held.sentence}", held.remedy
    sentence, remedy = _reason(leading)
    return (f"{sentence} It keeps its place.", remedy) if sentence else ("", "")


def _reason(delivery: Delivery) -> tuple[str, str]:
    known = REASON_ROWS.get(delivery.reason)
    return (known.sentence, known.remedy) if known else ("", "")


def _parts(deliveries: Sequence[Delivery]) -> str:
    if len(deliveries) < 2:
        return ""
    counted: dict[str, int] = {}
    for delivery in sorted(deliveries, key=lambda d: WEIGHT.index(d.state), reverse=True):
        word = WORDS[delivery.state].lower()
        counted[word] = counted.get(word, 0) + 1
    return f"{len(deliveries)} parts: " + ", ".join(f"{number} {word}" for word, number in counted.items())


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
