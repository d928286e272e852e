"""Frames cross whole however the bytes are cut, in order, in few writes, and hold back what the other end has no room for."""

import asyncio
import itertools
from typing import cast

import msgspec
from hypothesis import given, strategies as st

from heliograph.ports.http import HttpFile
from heliograph.providers.courier_wire import FRAME_BYTES, Answer, Call, Pipe
from tests.providers.test_http import SECRET


class Wire:
    """A transport that keeps each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))


def ignore(*_: object) -> None:
    """Not of interest here."""


class End:
    """One end of a pipe with what arrived at it."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.frames: list[list[Call]] = []
        self.unsendable: list[int] = []
        self.pipe: Pipe[Call] = Pipe(
            asyncio.get_running_loop(), on_frame=self.arrive, on_lost=ignore, on_unsendable=lambda call: self.unsendable.append(call.number)
        )
        self.pipe.connection_made(cast(asyncio.BaseTransport, self.wire))

    def arrive(self, frame: memoryview) -> None:
        self.frames.append(msgspec.msgpack.decode(frame, type=list[Call]))

    def put(self, *calls: Call) -> None:
        for each in calls:
            self.pipe.put(each, each.weight())


def sized(number: int, size: int) -> Call:
    return Call(number, "POST", "http://x/", {"a": "b"}, bytes(size))


async def turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_calls_of_one_turn_leave_in_one_write() -> None:
    end = End()
    end.pipe.unblock()
    end.put(*(sized(number, 10) for number in range(100)))
    assert not end.wire.writes
    await turn()
    assert len(end.wire.writes) == 1


async def test_large_bodies_do_not_share_a_frame_and_nothing_is_lost_or_reordered() -> None:
    end, other = End(), End()
    end.pipe.unblock()
    calls = [sized(number, FRAME_BYTES if number % 3 == 0 else 1000) for number in range(10)]
    end.put(*calls)
    await turn()
    assert max(map(len, end.wire.writes)) < 2 * FRAME_BYTES
    other.pipe.data_received(b"".join(end.wire.writes))
    assert [each for frame in other.frames for each in frame] == calls
    assert not end.pipe.waiting and end.pipe._weight == 0


async def test_nothing_leaves_while_the_other_end_has_no_room() -> None:
    end = End()
    end.put(sized(1, 1))
    await turn()
    assert not end.wire.writes, "it is not ready yet"
    end.pipe.unblock()
    end.pipe.pause_writing()
    end.put(sized(2, 1), sized(3, 1))
    await turn()
    assert len(end.wire.writes) == 1 and end.pipe.withdraw({1, 2}) == {2}
    end.pipe.resume_writing()
    other = End()
    other.pipe.data_received(b"".join(end.wire.writes))
    assert [[each.number for each in frame] for frame in other.frames] == [[1], [3]]


async def test_what_cannot_be_encoded_is_told_and_the_rest_leaves() -> None:
    end, other = End(), End()
    end.pipe.unblock()
    end.put(sized(1, 1), Call(2, "GET", "http://\ud800/"), sized(3, 1))
    await turn()
    other.pipe.data_received(b"".join(end.wire.writes))
    assert [each.number for frame in other.frames for each in frame] == [1, 3] and end.unsendable == [2]


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=6), cuts=st.lists(st.integers(0, 2500), max_size=12))
def test_bytes_may_be_cut_anywhere(sizes: list[int], cuts: list[int]) -> None:
    async def check() -> None:
        end, other = End(), End()
        calls = [sized(number, size) for number, size in enumerate(sizes)]
        for each in calls:
            end.pipe.write([each])
        stream = b"".join(end.wire.writes)
        places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        for start, stop in itertools.pairwise(places):
            other.pipe.data_received(stream[start:stop])
        assert other.frames == [[each] for each in calls]

    asyncio.run(check())


def test_messages_do_not_show_what_they_carry() -> None:
    call = Call(1, "GET", SECRET, {"a": SECRET}, SECRET.encode(), {"a": SECRET}, (HttpFile("a", "b", "c", SECRET.encode()),))
    answer = Answer(1, 0, 200, {"a": SECRET}, SECRET.encode())
    assert SECRET not in f"{call!r}{call}{answer!r}{answer}"
