"""What crosses between Heliograph and its courier process: frames of calls one way, frames of answers the other."""

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from heliograph.ports.http import HttpFile

#: A frame begins with the length of the rest, big endian; the rest is a msgpack array of messages.
PREFIX = 4

#: Bytes of bodies that share a frame. What is larger travels alone, so that few of them are in memory twice.
FRAME_BYTES = 262_144

#: What a message takes beside its bodies; only the order of magnitude matters.
ENVELOPE_BYTES = 512

#: What msgpack cannot carry: text with lone surrogates, foreign types, huge numbers.
UNSENDABLE = (UnicodeError, TypeError, ValueError, OverflowError, msgspec.MsgspecError)


class Setup(Struct, frozen=True, array_like=True):
    """The first frame to the process: the arguments of its client. It answers with an empty frame when it is ready."""

    guarded: bool
    allow: tuple[str, ...]
    limit: int
    keepalive: float


class Call(Struct, array_like=True, gc=False):
    """One request. `asked` is the system's monotonic clock in seconds, which both processes share.

    Without a method it asks to give up the call of this number, whose answer nobody awaits any more.
    """

    number: int
    method: str = ""
    url: str = ""
    headers: dict[str, str] = {}
    body: bytes | None = None
    form: dict[str, str] | None = None
    files: tuple[HttpFile, ...] = ()
    asked: float = 0.0
    timeout: float = 0.0
    max_bytes: int = 0

    def __repr__(self) -> str:
        return f"Call({self.number})"

    def weight(self) -> int:
        """About how many bytes it takes on the way."""
        return ENVELOPE_BYTES + len(self.body or b"") + sum(len(file.data) for file in self.files)


class Outcome(IntEnum):
    """How a call ended; the failures are those of `ports.http`."""

    ANSWERED = 0
    NOT_SENT = 1
    MAYBE_SENT = 2


class Answer(Struct, array_like=True, gc=False):
    """How the call of this number ended. `word` is the stage that a failure names."""

    number: int
    outcome: int
    status: int = 0
    headers: dict[str, str] = {}
    body: bytes = b""
    word: str = ""

    def __repr__(self) -> str:
        return f"Answer({self.number})"

    def weight(self) -> int:
        """About how many bytes it takes on the way."""
        return ENVELOPE_BYTES + len(self.body)


M = TypeVar("M", Call, Answer)


class Pipe(asyncio.Protocol, Generic[M]):
    """One end of the connection. Messages put in the same turn of the loop leave in one write.

    `waiting` has not been written at all. It starts blocked: nothing leaves before `unblock`.
    `on_unsendable` is told what cannot be encoded, and may give something that can be, in its place.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        on_frame: Callable[[memoryview], None],
        on_lost: Callable[[], None],
        on_unsendable: Callable[[M], M | None],
    ) -> None:
        self.waiting: list[M] = []
        self._loop = loop
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_unsendable: Callable[[M], M | None] = on_unsendable
        self._encoder = msgspec.msgpack.Encoder()
        self._transport: asyncio.Transport | None = None
        self._blocked = True
        self._scheduled = False
        self._weight = 0
        self._rest = bytearray()
        self._missing_until = 0

    # --- out ------------------------------------------------------------------------------------

    def put(self, message: M, weight: int) -> None:
        """Send it with whatever else this turn of the loop has to send. `weight` is what its `weight()` says."""
        self.waiting.append(message)
        self._weight += weight
        if not self._scheduled and not self._blocked:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def withdraw(self, numbers: set[int]) -> set[int]:
        """Take back what has not been written yet; returns which of `numbers` that were."""
        taken = {each.number for each in self.waiting} & numbers
        if taken:
            self._weight -= sum(each.weight() for each in self.waiting if each.number in taken)
            self.waiting = [each for each in self.waiting if each.number not in taken]
        return taken

    def unblock(self) -> None:
        """The other end is ready."""
        self._blocked = False
        self._flush()

    def write(self, content: object) -> None:
        """Write one frame at once. Raises what `UNSENDABLE` lists, and then nothing was written."""
        frame = bytearray(PREFIX)
        self._encoder.encode_into(content, frame, PREFIX)
        frame[:PREFIX] = (len(frame) - PREFIX).to_bytes(PREFIX, "big")
        if self._transport is not None:
            self._transport.write(frame)

    def _flush(self) -> None:
        self._scheduled = False
        while self.waiting and not self._blocked:
            batch = self._take()
            try:
                self.write(batch)
            except UNSENDABLE:
                self._write_one_by_one(batch)

    def _take(self) -> list[M]:
        if self._weight <= FRAME_BYTES:
            batch, self.waiting, self._weight = self.waiting, [], 0
            return batch
        count, size = 1, self.waiting[0].weight()
        for message in self.waiting[1:]:
            if size + (weight := message.weight()) > FRAME_BYTES:
                break
            count, size = count + 1, size + weight
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        self._weight -= size
        return batch

    def _write_one_by_one(self, batch: list[M]) -> None:
        """One message that cannot be encoded must not take the others with it."""
        for message in batch:
            try:
                self.write([message])
            except UNSENDABLE:
                other = self._on_unsendable(message)
                if other is not None:
                    self.write([other])

    def pause_writing(self) -> None:
        """The other end does not keep up."""
        self._blocked = True

    def resume_writing(self) -> None:
        """It does again."""
        self.unblock()

    # --- in -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The other end can be written to; it may not be ready yet."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand out every frame that is complete."""
        whole: bytes | bytearray = data
        if self._rest:
            self._rest += data
            if len(self._rest) < self._missing_until:
                return
            whole, self._rest = self._rest, bytearray()
        view, at, end = memoryview(whole), 0, len(whole)
        self._missing_until = PREFIX
        while end - at >= PREFIX:
            stop = at + PREFIX + int.from_bytes(view[at : at + PREFIX], "big")
            if stop > end:
                self._missing_until = stop - at
                break
            self._on_frame(view[at + PREFIX : stop])
            at = stop
        if at < end:
            self._rest = bytearray(view[at:])

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone."""
        self._blocked = True
        self._transport = None
        self._on_lost()

    def abort(self) -> None:
        """Have done with it now; `on_lost` follows where a connection stood."""
        if self._transport is not None:
            self._transport.abort()
