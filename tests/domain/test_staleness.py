"""Which waiting replies may go by themselves: nearly all, and none where sending it now would be wrong."""

import random
import time
from typing import Any

import pytest

from heliograph.domain import staleness
from heliograph.domain.delivery import Question
from heliograph.domain.retry import SECOND
from heliograph.domain.staleness import LIMIT, Circumstances, alike, stale, substantial

HOUR = 3600 * SECOND
PLAIN = Circumstances(HOUR, 0, LIMIT, None, 0, [], "Your parcel left Hamburg yesterday.", [])


@pytest.mark.parametrize(
    ("changes", "question"),
    [
        ({}, None),
        ({"now": LIMIT}, None),
        ({"now": LIMIT + 1}, Question.WAITED_TOO_LONG),
        ({"window_closes_at": HOUR + 1}, None),
        ({"window_closes_at": HOUR}, Question.WINDOW_CLOSED),
        # Solve on send is one act.
        ({"solved_at": 3 * SECOND}, None),
        ({"solved_at": 20 * 60 * SECOND}, Question.SOLVED_SINCE),
        ({"inbound": ["hello?", "???", "Is anybody there"]}, None),
        ({"inbound": ["hello?", "never mind, found it"]}, Question.CONTACT_WROTE),
        ({"inbound": [""]}, Question.CONTACT_WROTE),
        # One burst goes together.
        ({"later": ["It should arrive on Friday.", "Anything else?"]}, None),
        ({"later": ["Your parcel left Hamburg yesterday!"]}, Question.WRITTEN_AGAIN),
    ],
)
def test_questions(changes: dict[str, Any], question: Question | None) -> None:
    assert stale(PLAIN._replace(**changes)) is question


@pytest.mark.parametrize(
    "text", ["hello?", "Hola, ¿hay alguien ahí?", "oi, alguém aí?", "still waiting…", "???", "Buenos días", "Any update please?", "👋"]
)
def test_who_only_waits_has_said_nothing(text: str) -> None:
    assert not substantial(text)


@pytest.mark.parametrize("text", ["Cancel my order", "order 4711", "Ya no lo necesito", "Deixa, já resolvi", "", "我的包裹在哪里"])
def test_anything_else_may_change_the_answer(text: str) -> None:
    assert substantial(text)


def test_alike() -> None:
    assert alike("Your parcel left  Hamburg", "your parcel left hamburg.")
    assert not alike("Your parcel left Hamburg", "Please send us your order number")
    assert not alike("", "")
    assert not alike("Your parcel 7001 is on its way", "Your parcel 7002 is on its way"), "another number is another thing said"
    assert alike("Your parcel 7001 is on its way", "your parcel 7001 is on its way!")
    assert alike("It's on its way, I promise you", "Its on its way - I promise you!!")
    assert alike("お荷物は明日届きます", "お荷物は明日に届きます。") and not alike("お荷物は明日届きます", "返金いたしました")
    assert alike("👍👍", "👍 👍") and not alike("👍", "👎")
    assert alike("??", "??") and not alike("??", "!!")


def test_words_in_common_are_counted_as_the_textbook_does() -> None:
    dice = random.Random(11)
    for _ in range(200):
        a, b = (dice.choices("abcd", k=dice.randrange(1, 40)) for _ in range(2))
        rows = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, left in enumerate(a, 1):
            for j, right in enumerate(b, 1):
                rows[i][j] = rows[i - 1][j - 1] + 1 if left == right else max(rows[i - 1][j], rows[i][j - 1])
        assert staleness._in_common(a, b) == rows[-1][-1]


@pytest.mark.parametrize(
    "pair", [("abc" * 666, "acb" * 666), ("a b c " * 333, "a c b " * 333), ("a " * 1000, "b a " * 500), ("的" * 2000, "的地" * 1000)]
)
def test_nobody_writes_two_texts_that_take_long_to_compare(pair: tuple[str, str]) -> None:
    begun = time.process_time()
    for _ in range(10):
        alike(*pair)
    assert time.process_time() - begun < 1
