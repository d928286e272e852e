"""What is drawn by chance is the same for the same seed, and covers everything that may break."""

import random

from heliograph.drill.chance import STANDING, TROUBLES, draw, scenarios


def test_a_seed_makes_the_same_drills() -> None:
    one, two, other = (scenarios(30, seed, ("sqlite", "postgres")) for seed in ("7", "7", "8"))
    assert [(s.title, s.stores) for s in one] == [(s.title, s.stores) for s in two] != [(s.title, s.stores) for s in other]
    assert [s.letter for s in one][:2] == ["7/0", "7/1"]


def test_every_trouble_occurs_on_every_store_and_has_somebody_to_hit() -> None:
    drawn = [draw(random.Random(str(n))) for n in range(300)]
    assert {one.trouble for one in drawn} == set(TROUBLES)
    assert all(one.own >= 1 for one in drawn if one.trouble == "own")
    # A shared key or a release is of no account that has a key of its own.
    assert all(one.own < one.accounts for one in drawn if one.trouble in ("key", "deploy", "forced"))
    assert any(one.killed for one in drawn) and all(one.trouble in STANDING for one in drawn if one.killed)
    assert {store for s in scenarios(30, "1", ("sqlite", "postgres")) for store in s.stores} == {"sqlite", "postgres"}
    assert {store for s in scenarios(30, "1", ("sqlite",)) for store in s.stores} == {"sqlite"}
