"""Plain rows are grouped without a change to what an act means."""

from typing import NamedTuple

from heliograph.ports import rows
from heliograph.storage.postgres.plain import ORDER, row_written, waves
from tests.storage.acts import NOW, founding, opening, reply


def writes() -> set[type]:
    """Every class of ports.rows that can be put: what is read only says so."""
    classes = {cls for cls in vars(rows).values() if isinstance(cls, type) and issubclass(cls, tuple) and cls.__module__ == rows.__name__}
    return {cls for cls in classes if not (cls.__doc__ or "").startswith("Read:")}


def test_every_row_that_can_be_written_has_its_place() -> None:
    assert set(ORDER) == writes()


def test_what_services_write_is_one_wave() -> None:
    opened = [opening(n) for n in range(3)]
    moving_in = [put for act in [founding(channels=3), *(act for act, _ in opened)] for put in act.puts]
    replies = [reply(place, f"r{n}", parts=2).puts for n, (_, place) in enumerate(opened)]
    [wave] = waves([moving_in, *replies])
    assert [put for puts in wave.values() for put in puts if isinstance(put, rows.Ticket)] == [act.puts[1] for act, _ in opened]
    assert sum(map(len, wave.values())) == len(moving_in) + sum(map(len, replies))


def test_an_act_s_own_order_on_a_table_is_kept() -> None:
    conversation = rows.Conversation("a", "c2", "chn", "address", "con", "", "", 0, 0, NOW)
    puts: list[NamedTuple] = [
        conversation,
        rows.Readdress("a", "c2", "elsewhere", 0),
        rows.Ticket("a", "t", 0, "c2", "chn", "con", "open", NOW, NOW),
    ]
    first, second = waves([puts])
    assert list(first) == [rows.Conversation]
    assert list(second) == [rows.Readdress, rows.Ticket]


def test_a_row_is_named_by_table_and_key() -> None:
    assert row_written(rows.HeardFrom("a", "c", "t", 1)) == row_written(rows.SetControl("a", "c", "ours"))
    assert row_written(rows.Seen("a", "chn", "e1", 1)) != row_written(rows.Seen("a", "chn", "e2", 1))
    assert row_written(rows.Account("a", "n", "en", "ask", 1)) == (rows.Account, "a")
