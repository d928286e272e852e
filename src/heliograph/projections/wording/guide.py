"""The short help page: what has happened with my replies, and what must I do."""

from typing import NamedTuple

from heliograph.projections.wording.catalogs import translate


class Section(NamedTuple):
    """A heading and its paragraphs."""

    heading: str
    paragraphs: tuple[str, ...]


TITLE = "What has happened with my replies?"
SECTIONS = (
    Section(
        "What has happened?",
        (
            "For a while a messaging service could not be reached, or did not accept our credentials. Replies that were written meanwhile "
            "were saved, and wait in the order in which they were written.",
            "None of them was sent twice, and no later reply goes out before an earlier one of the same conversation.",
        ),
    ),
    Section(
        "What becomes of them?",
        (
            "Waiting: the reply goes out by itself as soon as sending works again.",
            "Sent late: the customer has it, later than you meant.",
            "Needs a decision: sending it by itself could be wrong, because it may have arrived already, is out of date, or the customer "
            "has written again. It waits until you decide.",
            "Could not be sent: the messaging service refused this one reply. The reason is on the reply.",
            "Dropped: you or a colleague decided not to send it.",
        ),
    ),
    Section(
        "What must I do?",
        (
            "Nothing about replies that are waiting. Go on writing as usual, and do not write the same reply again: the "
            "customer would get it twice.",
            "Decide about replies that need a decision: send it again, treat it as sent, or drop it. The buttons are below the reply.",
            "Before you call a customer, look at the Events tab of the ticket: it says when each reply was written and when it went out.",
        ),
    ),
    Section(
        "Who is told?",
        (
            "Only agents whose own replies are affected, and the admins of their account. The notice counts down as replies go out, and is "
            "gone when nothing waits and nothing needs a decision.",
        ),
    ),
)  # fmt: skip


def guide(language: str) -> tuple[str, tuple[Section, ...]]:
    """Title and sections in this language."""
    sections = tuple(
        Section(translate(language, section.heading), tuple(translate(language, text) for text in section.paragraphs))
        for section in SECTIONS
    )
    return translate(language, TITLE), sections
