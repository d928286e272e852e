"""What agents in another desk are told about replies that they wrote there: on the comment, in a note on the ticket, and in its app."""

from collections.abc import Mapping, Sequence
from typing import Any

from heliograph.domain.delivery import Question
from heliograph.projections.facts import Facts
from heliograph.projections.wording import notice
from heliograph.projections.wording.catalogs import plural, translate
from heliograph.projections.wording.languages import LANGUAGES
from heliograph.projections.wording.pieces import Message, Piece, Values, fill, flat, joined, one
from heliograph.projections.wording.values import cause, moment, numbers, values

FAILED = one("This reply was not sent: {cause}.")
DROPPED = one("This reply was not sent: it was decided in Heliograph not to send it.")
FILE_GONE = one("This reply was not sent: its file could not be fetched from here. Attach it anew and send the reply again.")
NOT_CARRIED = one("This reply was not sent: the channel cannot carry what it contains. Write it differently and send it again.")
ASKING: Mapping[str, Message] = {
    Question.MAY_HAVE_BEEN_SENT: one("It cannot be proved whether this reply was sent."),
    Question.OVERTAKEN: one("This reply was handed back, and a later one has been sent already."),
    Question.EXHAUSTED: one("The provider has failed on this reply again and again."),
    Question.WAITED_TOO_LONG: one("This reply has waited longer than your account lets replies wait unasked."),
    Question.WINDOW_CLOSED: one("The time in which the provider allows a reply has ended while this one waited."),
    Question.SOLVED_SINCE: one("The ticket was solved while this reply waited."),
    Question.CONTACT_WROTE: one("The contact has written since, which may change the answer."),
    Question.WRITTEN_AGAIN: one("The same was written again since."),
}
UNSURE = one("A person must decide what happens with this reply.")
DECIDE = one("It waits until somebody decides: send it again, treat it as sent, or drop it.")
WHERE = one("Decide here: {link}")
WAITING = one("Replies on this ticket have been waiting to be sent since {since}.")
BY_THEMSELVES = one("They go out by themselves, in their order. Please do not write them again.")
STANDING = one("How it stands: {link}")
ALL_SENT = one("The replies that waited on this ticket have been sent.")
NOT_ALL_SENT = one("The replies on this ticket wait no more. Not all of them have been sent.")
SENT_AFTER_ALL = one("A reply on this ticket that had to be decided about has been sent after all.")


def failed(language: str, reason: str) -> str:
    """A reply was finally refused."""
    return flat(fill(language, FAILED, {"cause": cause(language, reason)}, {}))


def dropped(language: str, code: str = "") -> str:
    """A reply is not sent; `code` says why, where it never became one."""
    return translate(language, {"file_gone": FILE_GONE, "": DROPPED}.get(code, NOT_CARRIED).one)


def asking(language: str, question: str, link: str) -> str:
    """A person must decide about a reply; `link` leads to where, "" where nobody outside reaches us."""
    first = ASKING[Question(question)] if question in ASKING else UNSURE
    return _said(language, (first, DECIDE, *((WHERE,) if link else ())), {"link": Piece(link)})


def waiting(language: str, since: int, link: str) -> str:
    """A note: replies wait. `since` in microseconds."""
    messages = (WAITING, BY_THEMSELVES, *((STANDING,) if link else ()))
    return _said(language, messages, {"since": moment(language, since, "since"), "link": Piece(link)})


def wait_over(language: str, *, all_sent: bool) -> str:
    """A note: they wait no more."""
    return translate(language, (ALL_SENT if all_sent else NOT_ALL_SENT).one)


def sent_after_all(language: str) -> str:
    """A note: what was asked about has been sent."""
    return translate(language, SENT_AFTER_ALL.one)


def _said(language: str, messages: Sequence[Message], given: Values) -> str:
    return flat(joined([fill(language, message, given, {}) for message in messages]))


def app(facts: Facts) -> dict[str, dict[str, Any]]:
    """What an app in the desk says about an incident, by language: whole sentences, and those that a number bends in both forms.

    Only the desk knows which replies are whose, so the app counts, and fills `{waiting}` and its like.
    """
    return {language.tag: _phrases(language.tag, facts) for language in LANGUAGES}


def _phrases(language: str, facts: Facts) -> dict[str, Any]:
    written, bends = values(language, facts), numbers(facts)
    over = bool(facts.mitigated_at)
    said: dict[str, Any] = {
        "title": flat(fill(language, notice.TITLE_AFTER if over else notice.TITLE, written, bends)),
        "told": flat(fill(language, notice.FREED if over else notice.HELD, written, bends)),
        "go_on": translate(language, notice.GO_ON.one),
        "decide": translate(language, notice.DECIDE.one),
        "settled": translate(language, notice.SETTLED.one),
    }
    for name, message in notice.BECAME.items():
        said[name] = {form: plural(language, message.one, message.many, number) for form, number in (("one", 1), ("other", 2))}
    return said
