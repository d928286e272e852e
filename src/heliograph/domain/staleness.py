"""Whether a reply that had to wait may still go by itself. Most may: asking is for when sending it now would be wrong."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from heliograph.domain.delivery import Question
from heliograph.domain.retry import SECOND

#: A reply that waited less is as fresh as any.
FRESH = 60 * SECOND
#: What an account's limit is unless it says otherwise.
LIMIT = 4 * 3600 * SECOND
#: A ticket solved so soon after a reply was solved with it.
SAME_ACT = 15 * SECOND
#: From this share of words in common, in their order, one text says the other again.
ALIKE = 0.75
#: Scripts that leave no space between words: each of their characters counts as one.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SPOKEN = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s!-/:-@\[-`{{-~]")
_APOSTROPHES = str.maketrans("", "", "'\u2019")
_NUMBERS = re.compile(r"\d+")
_WORDS = re.compile(r"[^\W\d_]+", re.UNICODE)
#: Who only says that they wait has said nothing that could change the answer. English, Spanish and Portuguese, without accents.
_WAITING = frozenset(
    _WORDS.findall(
        """
        hello hi hey anyone anybody somebody someone there are you is still waiting wait please pls ok okay thanks thank any news update
        yet answer reply me i am we can help with this the good morning afternoon evening
        hola buenas buenos dias tardes noches hay alguien ahi sigue siguen sigo esperando espero por favor gracias novedades respuesta una
        oi ola bom boa dia tarde noite alguem ai estou aguardando aguardo obrigado obrigada novidades resposta alguma tem
        """
    )
)


class Circumstances(NamedTuple):
    """What has happened since the reply was written, or since a person last decided about one of the ticket. Times in microseconds."""

    now: int
    #: When the reply was written, or a person decided later that replies of this ticket are to go.
    since: int
    #: For how long a reply may wait without being asked about.
    limit: int
    #: When the provider's reply window closes; None where it has none.
    window_closes_at: int | None
    #: When the ticket was solved, 0 while it is open.
    solved_at: int
    #: What the contact has written since; "" for a file.
    inbound: Sequence[str]
    text: str
    #: Later replies of the same agent.
    later: Sequence[str]


def stale(found: Circumstances) -> Question | None:
    """Why a person must decide about a reply that waited; None where it may go."""
    if found.window_closes_at is not None and found.now >= found.window_closes_at:
        return Question.WINDOW_CLOSED
    if found.now - found.since > found.limit:
        return Question.WAITED_TOO_LONG
    if found.solved_at > found.since + SAME_ACT:
        return Question.SOLVED_SINCE
    if any(substantial(text) for text in found.inbound):
        return Question.CONTACT_WROTE
    if any(alike(found.text, text) for text in found.later):
        return Question.WRITTEN_AGAIN
    return None


def substantial(text: str) -> bool:
    """Whether a contact's message may change what the right answer is: anything but a sign that they wait. A file may always."""
    if not text.strip():
        return True
    if any(char.isdigit() for char in text):
        return True
    bare = "".join(char for char in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(char))
    return any(word not in _WAITING for word in _WORDS.findall(bare))


def alike(one: str, other: str) -> bool:
    """Whether two texts say the same."""
    # Two parcels, two amounts, two times of day: nearly all words are the same, and nothing is said again.
    if _NUMBERS.findall(one) != _NUMBERS.findall(other):
        return False
    a, b = (_SPOKEN.findall(text.lower().translate(_APOSTROPHES)) for text in (one, other))
    if not a or not b:
        # Nothing but marks, such as "?!".
        return bool(one.strip()) and one.split() == other.split()
    return 2 * _in_common(a, b) / (len(a) + len(b)) >= ALIKE


def _in_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest sequence in both. One step for each of `b` on a number of as many bits as `a` has words (Hyyrö 2004): texts
    are anybody's, and comparing letter by letter takes a minute on some that fit a message.
    """
    places: dict[str, int] = {}
    for index, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << index
    missing = everything = (1 << len(a)) - 1
    for word in b:
        found = missing & places.get(word, 0)
        missing = ((missing + found) | (missing - found)) & everything
    return len(a) - missing.bit_count()
