"""The HTTP client in a process of its own: what both clients share is in test_http.py; here is what can befall the process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import uvloop

from heliograph.ports.http import HttpFile, HttpResponse, MaybeSent, NotSent
from heliograph.providers import courier_child
from heliograph.providers.courier import CourierHttp
from tests.providers import misbehaving
from tests.providers.misbehaving import MisbehavingServer, Seen, answer
from tests.providers.test_http import SECRET, call

MEGABYTE = 1_048_576


@pytest.fixture
async def server() -> AsyncIterator[MisbehavingServer]:
    async with MisbehavingServer() as server:
        server.behave(answer(200, b"ok"))
        yield server


@pytest.fixture
async def http() -> AsyncIterator[CourierHttp]:
    async with CourierHttp(guarded=False) as http:
        await http.start()
        yield http


async def until(true: Callable[[], bool], *, within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.005)


def running(process: int) -> bool:
    """Whether a process does anything yet; a zombie that nobody has collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def pid(http: CourierHttp) -> int:
    assert http.process_id is not None
    return http.process_id


def replaced(http: CourierHttp, victim: int) -> bool:
    return http.process_id not in (None, victim)


# --- the process dies -----------------------------------------------------------------------------


async def test_killed_in_mid_call_is_maybe_sent_and_the_next_call_works(http: CourierHttp, server: MisbehavingServer) -> None:
    server.behave(misbehaving.hang, answer(200))
    first, victim = asyncio.create_task(call(http, server.base_url)), pid(http)
    await until(lambda: bool(server.seen))
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(MaybeSent, match=r"^closed$"):
        await first
    assert (await call(http, server.base_url)).status == 200
    assert pid(http) != victim and not running(victim)
    assert len(server.seen) == 2, "nothing may be repeated"


async def test_killed_between_calls_is_replaced_at_once(http: CourierHttp, server: MisbehavingServer) -> None:
    await call(http, server.base_url)
    for _ in range(3):
        victim = pid(http)
        os.kill(victim, signal.SIGKILL)
        await until(partial(replaced, http, victim))
        assert (await call(http, server.base_url)).status == 200


async def test_killed_while_starting_is_not_sent(server: MisbehavingServer) -> None:
    async with CourierHttp(guarded=False) as http:
        first = asyncio.create_task(call(http, server.base_url))
        await until(lambda: http.process_id is not None)
        os.kill(pid(http), signal.SIGKILL)
        with pytest.raises(NotSent, match=r"^courier$"):
            await first
        assert not server.seen
        assert (await call(http, server.base_url)).status == 200


async def test_a_call_waits_for_a_starting_process_no_longer_than_its_deadline(server: MisbehavingServer) -> None:
    async with CourierHttp(guarded=False) as http:
        first = asyncio.create_task(call(http, server.base_url, timeout=0.3))
        await until(lambda: http.process_id is not None)
        os.kill(pid(http), signal.SIGSTOP)
        with pytest.raises(NotSent, match=r"^courier$"):
            await first
        os.kill(pid(http), signal.SIGCONT)
        assert (await call(http, server.base_url)).status == 200
        assert len(server.seen) == 1


async def test_a_process_that_cannot_start_is_told_and_tried_again(server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with CourierHttp(guarded=False) as http:
        with monkeypatch.context() as patched:
            patched.setattr(courier_child, "MODULE", "heliograph.providers.no_such_module")
            with pytest.raises(RuntimeError, match="did not start"):
                await http.start()
            with pytest.raises(NotSent, match=r"^courier$"):
                await call(http, server.base_url)
            patched.setattr(sys, "executable", "/no/such/python")
            with pytest.raises(NotSent, match=r"^courier$"):
                await call(http, server.base_url)
        # It goes on trying, at growing intervals; the call may still meet an attempt that was under way.
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await call(http, server.base_url)).status == 200
                    break
                except NotSent:
                    continue


async def test_a_process_that_hangs_is_found_out_and_replaced(http: CourierHttp, server: MisbehavingServer) -> None:
    victim = pid(http)
    os.kill(victim, signal.SIGSTOP)
    got = await asyncio.gather(
        *(http.request("POST", server.base_url, headers={}, body=bytes(MEGABYTE), timeout=0.3) for _ in range(12)), return_exceptions=True
    )
    kinds = {(type(each), str(each)) for each in got}
    # What the pipe has taken may have been sent; what it had no room for was not, and never will be.
    assert kinds == {(MaybeSent, "read_timeout"), (NotSent, "courier")}, kinds
    await until(partial(replaced, http, victim))
    assert (await call(http, server.base_url)).status == 200
    assert len(server.seen) == 1


async def test_close_ends_the_process_and_fails_what_is_under_way(http: CourierHttp, server: MisbehavingServer) -> None:
    server.behave(misbehaving.hang, answer(200))
    first, process = asyncio.create_task(call(http, server.base_url)), pid(http)
    await until(lambda: bool(server.seen))
    await http.close()
    assert not running(process) and http.process_id is None
    with pytest.raises(MaybeSent, match=r"^closed$"):
        await first
    assert (await call(http, server.base_url)).status == 200, "it can be used again"


# --- this process dies ----------------------------------------------------------------------------

PARENT = """
import asyncio, signal, sys
from heliograph.providers.courier import CourierHttp

# A shell has its background jobs ignore this one, and they hand that on.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    http = CourierHttp(guarded=False)
    await http.start()
    print(http.process_id, flush=True)
    await http.request("POST", sys.argv[1], headers={}, body=b"x", timeout=60)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
async def test_the_process_ends_with_its_parent(server: MisbehavingServer, number: signal.Signals) -> None:
    server.behave(misbehaving.hang)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, server.base_url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert parent.stdout is not None
        child = int(await asyncio.to_thread(parent.stdout.readline))
        await until(lambda: bool(server.seen))
        assert running(child)
        parent.send_signal(number)
        await asyncio.to_thread(parent.wait, 5)
        await until(lambda: not running(child), within=1.0)
    finally:
        parent.kill()
        parent.communicate()


async def test_it_leaves_signals_to_its_parent(http: CourierHttp, server: MisbehavingServer) -> None:
    process = pid(http)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process, number)
    assert (await call(http, server.base_url)).status == 200
    assert pid(http) == process and os.getpgid(process) != os.getpgid(0)


# --- secrets --------------------------------------------------------------------------------------


async def test_nothing_secret_is_in_its_command_line_or_environment(server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", SECRET)
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    async with CourierHttp(guarded=False) as http:
        await http.request("POST", f"{server.base_url}/{SECRET}", headers={"Authorization": SECRET}, timeout=5)
        assert server.seen[0].headers["authorization"] == SECRET
        for name in ("cmdline", "environ"):
            shown = Path(f"/proc/{pid(http)}/{name}").read_bytes()
            assert shown and SECRET.encode() not in shown and b"HELIOGRAPH" not in shown and server.base_url.encode() not in shown


async def test_names_that_nobody_answers_for_leave_threads_for_others(http: CourierHttp, server: MisbehavingServer) -> None:
    await call(http, server.base_url)
    environment = dict(line.split("=", 1) for line in Path(f"/proc/{pid(http)}/environ").read_text().split("\0") if line)
    assert int(environment["UV_THREADPOOL_SIZE"]) >= 100 and "timeout:" in environment["RES_OPTIONS"]


# --- what crosses ---------------------------------------------------------------------------------


async def test_five_hundred_calls_at_once(http: CourierHttp, server: MisbehavingServer) -> None:
    async def echo(seen: Seen, writer: asyncio.StreamWriter) -> bool:
        return await answer(200, seen.body)(seen, writer)

    server.behave(echo)

    async def one(number: int) -> None:
        got = await http.request("POST", server.base_url, headers={}, body=b"%d" % number, timeout=30)
        assert got.body == b"%d" % number

    await asyncio.gather(*map(one, range(500)))
    assert len(server.seen) == 500


async def test_large_bodies_cross_whole_and_beside_small_ones(http: CourierHttp, server: MisbehavingServer) -> None:
    async def echo(seen: Seen, writer: asyncio.StreamWriter) -> bool:
        return await answer(200, seen.body)(seen, writer)

    server.behave(echo)
    bodies = [os.urandom(10 * MEGABYTE), b"small", os.urandom(3 * MEGABYTE), b"", os.urandom(300_000)]
    got = await asyncio.gather(
        *(http.request("POST", server.base_url, headers={}, body=each, timeout=30, max_bytes=11 * MEGABYTE) for each in bodies)
    )
    assert [each.body for each in got] == bodies


async def test_a_file_of_fifty_megabytes(http: CourierHttp, server: MisbehavingServer) -> None:
    file = HttpFile("source", "video.mp4", "video/mp4", os.urandom(50 * MEGABYTE))
    got = await http.request("POST", server.base_url, headers={}, form={"a": "b"}, files=(file,), timeout=30)
    assert got.status == 200 and file.data in server.seen[0].body


async def test_what_cannot_be_carried_harms_nobody_else(http: CourierHttp, server: MisbehavingServer) -> None:
    bad_text = http.request("POST", server.base_url, headers={"X": "\ud800"}, timeout=5)
    bad_type = http.request("POST", server.base_url, headers={"X": 1}, timeout=5)  # type: ignore[dict-item]
    got = await asyncio.gather(call(http, server.base_url), bad_text, bad_type, call(http, server.base_url), return_exceptions=True)
    assert [each.status if isinstance(each, HttpResponse) else str(each) for each in got] == [200, "courier", "courier", 200]
    assert isinstance(got[1], NotSent) and isinstance(got[2], NotSent) and len(server.seen) == 2


async def test_header_bytes_that_are_no_text_do_not_lose_the_answer(http: CourierHttp, server: MisbehavingServer) -> None:
    server.behave(misbehaving.raw(b"HTTP/1.1 200 OK\r\nX-Name: caf\xe9\r\nContent-Length: 2\r\n\r\nok"))
    got = await call(http, server.base_url)
    assert got.body == b"ok" and got.headers["x-name"] == "caf?"


async def test_a_cancelled_call_is_broken_off(http: CourierHttp, server: MisbehavingServer) -> None:
    gone = asyncio.Event()

    async def hang(seen: Seen, writer: asyncio.StreamWriter) -> bool:
        await misbehaving.hang(seen, writer)
        gone.set()
        return False

    server.behave(hang, answer(200))
    first = asyncio.create_task(call(http, server.base_url, timeout=60))
    await until(lambda: bool(server.seen))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    # The server's end must notice while the client lives on.
    async with asyncio.timeout(5):
        while not gone.is_set():
            for writer in list(server._writers):
                writer.write(b" ")
            await asyncio.sleep(0.01)
    assert (await call(http, server.base_url)).status == 200


async def test_a_call_cancelled_before_it_left_is_never_made(server: MisbehavingServer) -> None:
    async with CourierHttp(guarded=False) as http:
        first = asyncio.create_task(call(http, server.base_url))
        await until(lambda: http.process_id is not None)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await call(http, server.base_url)).status == 200
        assert len(server.seen) == 1


# --- loops and speed ------------------------------------------------------------------------------


async def some_calls() -> None:
    async with MisbehavingServer() as server, CourierHttp(guarded=False) as http:
        server.behave(answer(200, b"y" * 1000))
        await asyncio.gather(*(call(http, server.base_url) for _ in range(50)))
        got = await http.request("POST", server.base_url, headers={}, body=bytes(5 * MEGABYTE), timeout=10)
        assert got.body == b"y" * 1000
        server.behave(misbehaving.hang, answer(200))
        first = asyncio.create_task(call(http, server.base_url))
        await until(lambda: len(server.seen) == 52)
        os.kill(pid(http), signal.SIGKILL)
        with pytest.raises(MaybeSent, match=r"^closed$"):
            await first
        assert (await call(http, server.base_url)).status == 200


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_works_on_either_loop(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(some_calls())


@pytest.fixture
def bench_provider() -> Iterator[str]:
    """The benchmark's provider, in a process of its own, so that its work is not counted here."""
    serving = subprocess.Popen(
        [sys.executable, "-m", "bench.provider"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert serving.stdin is not None and serving.stdout is not None
    yield serving.stdout.readline().strip()
    serving.communicate()


def test_a_call_costs_this_process_little(bench_provider: str) -> None:
    """Processor time, not duration, so that a busy machine does not matter much; the bound is three times what was measured."""

    async def measure() -> float:
        async with CourierHttp(guarded=False) as http:
            url = f"{bench_provider}/sc/v2/apps/a/conversations/c/messages"

            async def calls(count: int) -> None:
                for _ in range(count):
                    await http.request("POST", url, headers={"Authorization": "Basic x"}, body=b'{"content":{"text":"#1"}}', timeout=30)

            await asyncio.gather(*(calls(2) for _ in range(64)))
            began = time.process_time()
            await asyncio.gather(*(calls(30) for _ in range(64)))
            return (time.process_time() - began) / (64 * 30)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        cost = runner.run(measure())
    print(f"{cost * 1e6:.1f} µs of this process per call at 64 calls at once")
    assert cost < 25e-6


async def test_it_is_ready_soon() -> None:
    async def duration() -> float:
        began = time.perf_counter()
        async with CourierHttp(guarded=False) as http:
            await http.start()
        return time.perf_counter() - began

    # The best of three: the machine may be busy, the process may not be slow.
    assert min([await duration() for _ in range(3)]) < 0.6
