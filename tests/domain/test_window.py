"""Answers open the window, silence closes it, and one silent call among answers says nothing."""

from heliograph.domain.window import FLOOR, FRESH, START, Window


def test_answers_open_it_as_far_as_it_is_used() -> None:
    window = Window(100)
    for now in range(1, 400):
        while window.left(now):
            window.under_way += 1
        window.answered(now)
        window.under_way -= 1
    assert window.size == 100
    idle = Window(100)
    for now in range(1, 400):
        idle.under_way += 1
        idle.answered(now)
        idle.under_way -= 1
    assert idle.size == START


def test_silence_leaves_a_few_and_answers_bring_it_back() -> None:
    window = Window(100)
    for started in range(20):
        window.silent(started + 1)
    assert (window.size, window.left(20)) == (FLOOR, FLOOR)
    for now in range(100, 100 + START):
        window.under_way += 1
        window.answered(now)
        window.under_way -= 1
    assert window.size == START


def test_a_silent_call_among_answers_speaks_of_itself_alone() -> None:
    window = Window(100)
    window.answered(50)
    window.silent(49)
    assert window.size == START
    window.silent(51)
    assert window.size == START / 2


def test_where_the_last_answer_is_a_while_ago_no_more_start_than_at_the_beginning() -> None:
    window = Window(100, size=90, answered_at=1)
    assert window.left(FRESH) == 90
    assert window.left(FRESH + 2) == START
    window.answered(FRESH + 2)
    assert window.left(FRESH + 2) == 90
