"""Something is lost: operators are paged after a minute, each once, and told of the end; a read between two writes is nothing."""

from pathlib import Path

import apsw

from heliograph.announce.calls import Alertmanager, Calls
from heliograph.announce.rooms import Rooms
from heliograph.services.balance import Balance, standing
from tests.incidents.town import SECOND, Town, town
from tests.notices.outside import Outside, outside


def balance(made: Town, there: Outside, *rooms: str) -> Balance:
    targets = [there.target(room) for room in rooms]
    return Balance(made.context, made.context.channels.vault, announce=Rooms(), targets=targets, alerts=Alertmanager(there.url, Calls()))


def lose(folder: Path) -> None:
    """What must never happen: a part of a reply is gone, and nobody wrote that down."""
    connection = apsw.Connection(str(folder / "heliograph.db"))
    connection.set_busy_timeout(5000)
    connection.execute("CREATE TABLE gone AS SELECT * FROM delivery")
    connection.execute("DELETE FROM delivery")
    connection.close()


def find(folder: Path) -> None:
    """It is there again."""
    connection = apsw.Connection(str(folder / "heliograph.db"))
    connection.set_busy_timeout(5000)
    connection.execute("INSERT INTO delivery SELECT * FROM gone")
    connection.close()


async def rounds(made: Town, processes: list[Balance], seconds: int) -> None:
    for _ in range(seconds):
        made.clock.at += SECOND
        for process in processes:
            await process.reconcile()


def pages(there: Outside) -> list[tuple[str, str]]:
    return [(path, told["title"]) for _, path, told in there.taken if path != "/api/v2/alerts"]


async def test_a_loss_is_told_once_to_each_after_a_minute_and_its_end_too(tmp_path: Path) -> None:
    async with town(tmp_path) as made, outside() as there:
        processes = [balance(made, there, "one", "two") for _ in range(2)]
        await made.say(made.homes[0])
        await rounds(made, processes, 40)
        assert await standing(made.store) == (None, 0)
        lose(tmp_path)
        await rounds(made, processes, 55)
        assert pages(there) == []
        await rounds(made, processes, 120)
        title = "Heliograph: replies do not add up, off by 1"
        assert sorted(pages(there)) == [("/one", title), ("/two", title)]
        alerts = [told[0] for _, path, told in there.taken if path == "/api/v2/alerts"]
        assert {alert["labels"]["alertname"] for alert in alerts} == {"HeliographUnaccounted"}
        assert alerts[0]["endsAt"] > alerts[0]["startsAt"]
        there.taken.clear()
        find(tmp_path)
        await rounds(made, processes, 40)
        over = "Heliograph: replies add up again"
        assert sorted(pages(there)) == [("/one", over), ("/two", over)]
        assert await standing(made.store) == (None, 0)


async def test_a_pager_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    async with town(tmp_path) as made, outside() as there:
        await made.say(made.homes[0])
        lose(tmp_path)
        there.answers = [500, 500]
        await rounds(made, [balance(made, there, "one")], 180)
        assert len([path for path, _ in pages(there)]) >= 2
        known, _ = await standing(made.store)
        assert known is not None and len(known.told) == 1


async def test_what_is_gone_within_a_minute_wakes_nobody(tmp_path: Path) -> None:
    async with town(tmp_path) as made, outside() as there:
        process = balance(made, there, "one")
        await made.say(made.homes[0])
        lose(tmp_path)
        await rounds(made, [process], 45)
        assert (await standing(made.store))[0] is not None
        find(tmp_path)
        await rounds(made, [process], 60)
        assert there.taken == []
        assert await standing(made.store) == (None, 0)
