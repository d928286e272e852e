"""What is remembered of channels that have something to send never leaves one out."""

import random

from heliograph.storage.sqlite.awake import Awake

A, B, C = ("a", "1"), ("a", "2"), ("b", "1")


def test_they_come_in_order_from_the_one_after_the_last_on_and_round() -> None:
    awake = Awake(lambda: iter([C, A, B]))
    assert list(awake.beginning_after(("", ""))) == [A, B, C]
    assert list(awake.beginning_after(A)) == [B, C, A]
    assert list(awake.beginning_after(("a", "15"))) == [B, C, A]
    assert list(awake.beginning_after(C)) == [A, B, C]


def test_it_is_a_set_that_looks_only_when_it_has_forgotten() -> None:
    looked = 0
    there = {A, B}

    def look() -> set[tuple[str, str]]:
        nonlocal looked
        looked += 1
        return there

    awake, chance = Awake(look), random.Random(5)
    places = [(account, str(channel)) for account in "abc" for channel in range(4)]
    list(awake.beginning_after(A))
    for _ in range(500):
        place = chance.choice(places)
        if chance.random() < 0.5:
            awake.add(*place)
            there.add(place)
        else:
            awake.discard(place)
            there.discard(place)
        assert list(awake.beginning_after(("", ""))) == sorted(there)
    assert looked == 1
    awake.forget()
    there.clear()
    assert not list(awake.beginning_after(A)) and looked == 2
