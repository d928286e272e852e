"""The heartbeat stops when something is lost or stuck, and only then."""

from pathlib import Path

from heliograph.announce.calls import Calls, Pulse
from heliograph.services.heartbeat import Heartbeats
from tests.incidents.town import SECOND, town
from tests.notices.outside import outside


async def test_it_beats_once_a_minute_while_the_loop_turns(tmp_path: Path) -> None:
    async with town(tmp_path) as made, outside() as there:
        beats = Heartbeats(made.context, Pulse(f"{there.url}/ping", Calls()))
        await beats.beat()
        assert not there.taken, "no round was done yet"
        await made.say(made.homes[0])
        for _ in range(180):
            made.clock.at += SECOND
            await beats.turned()
            await beats.beat()
        assert [path for _, path, _ in there.taken] == ["/ping"] * 3
        there.taken.clear()
        for _ in range(120):
            made.clock.at += SECOND
            await beats.beat()
        assert len(there.taken) <= 1, "the watching loop is stuck"


async def test_a_beat_that_got_lost_is_sent_again(tmp_path: Path) -> None:
    async with town(tmp_path) as made, outside() as there:
        there.answers = [500]
        beats = Heartbeats(made.context, Pulse(f"{there.url}/ping", Calls()))
        for _ in range(15):
            made.clock.at += SECOND
            await beats.turned()
            await beats.beat()
        assert len(there.taken) == 2
