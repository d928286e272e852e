"""The courier process: makes the HTTP calls that arrive on one socket, and ends when whoever asks for them does."""

import asyncio
import os
import signal
import socket
import sys
import time

import msgspec
import uvloop

from heliograph.ports.http import MaybeSent, NotSent
from heliograph.providers.courier_wire import ENVELOPE_BYTES, Answer, Call, Outcome, Pipe, Setup
from heliograph.providers.http import AiohttpHttp

#: Seconds on the way that are not deducted from a deadline: whole deadlines are few, and the client remembers them.
NEGLIGIBLE = 0.02


class Courier:
    """The process's end of the pipe."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._setups = msgspec.msgpack.Decoder(Setup)
        self._calls = msgspec.msgpack.Decoder(list[Call])
        self._http: AiohttpHttp | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.pipe: Pipe[Answer] = Pipe(loop, on_frame=self._on_frame, on_lost=_end, on_unsendable=_plain)

    def _on_frame(self, frame: memoryview) -> None:
        if self._http is None:
            setup = self._setups.decode(frame)
            self._http = AiohttpHttp(guarded=setup.guarded, allow=setup.allow, limit=setup.limit, keepalive=setup.keepalive)
            self.pipe.write([])
            self.pipe.unblock()
            return
        try:
            calls = self._calls.decode(frame)
        except msgspec.ValidationError:
            calls = self._what_is_sound(frame)
        for call in calls:
            if call.method:
                self._tasks[call.number] = self._loop.create_task(self._carry(self._http, call))
            elif (task := self._tasks.pop(call.number, None)) is not None:
                task.cancel()

    def _what_is_sound(self, frame: memoryview) -> list[Call]:
        """One call with a wrong type in it must not take the others with it."""
        sound: list[Call] = []
        for each in msgspec.msgpack.decode(frame):
            try:
                sound.append(msgspec.convert(each, Call))
            except msgspec.ValidationError:
                self._reply(Answer(each[0], Outcome.NOT_SENT, word="courier"))
        return sound

    async def _carry(self, http: AiohttpHttp, call: Call) -> None:
        answer = await _answer(http, call)
        self._tasks.pop(call.number, None)
        self._reply(answer)

    def _reply(self, answer: Answer) -> None:
        self.pipe.put(answer, ENVELOPE_BYTES + len(answer.body))


async def _answer(http: AiohttpHttp, call: Call) -> Answer:
    late = time.monotonic() - call.asked
    timeout = call.timeout if late < NEGLIGIBLE else round(call.timeout - late, 2)
    if timeout <= 0:
        return Answer(call.number, Outcome.NOT_SENT, word="courier")
    try:
        got = await http.request(
            call.method,
            call.url,
            headers=call.headers,
            body=call.body,
            form=call.form,
            files=call.files,
            timeout=timeout,
            max_bytes=call.max_bytes,
        )
    except NotSent as certain:
        return Answer(call.number, Outcome.NOT_SENT, word=str(certain))
    except MaybeSent as uncertain:
        return Answer(call.number, Outcome.MAYBE_SENT, word=str(uncertain))
    except Exception:
        # A fault of our own: whoever asked must not wait for an answer that never comes.
        return Answer(call.number, Outcome.MAYBE_SENT, word="internal")
    return Answer(call.number, Outcome.ANSWERED, got.status, dict(got.headers), got.body)


def _plain(answer: Answer) -> Answer:
    """The same answer with readable header values: a server may send bytes that are no text."""
    headers = {_text(name): _text(value) for name, value in answer.headers.items()}
    return Answer(answer.number, answer.outcome, answer.status, headers, answer.body, answer.word)


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _end() -> None:
    """Nobody is there to answer to. At once: a thread that resolves a name may take its time."""
    os._exit(0)


async def serve(connection: socket.socket) -> None:
    """Make calls until the other end is gone, and the process with it."""
    loop = asyncio.get_running_loop()
    courier = Courier(loop)
    await loop.create_unix_connection(lambda: courier.pipe, sock=connection)
    await loop.create_future()


def main() -> None:
    """Serve the inherited socket whose number is the only argument."""
    # A terminal and a service manager signal every process; when to end is for the parent to decide, after its last call.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.settimeout(0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(connection))


if __name__ == "__main__":
    main()
