"""Deploys on one host with real processes while replies are written: nothing lost, doubled or overtaken, whatever is deployed."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.databases import fresh_database
from tests.e2e.clerk import Clerk
from tests.e2e.deploying import SECRET, SharedDesk, Writing
from tests.e2e.processes import Remote, command, free_port, start

BOTH = pytest.mark.parametrize("desk", ["sqlite", "postgres"], indirect=True)
RIGHT = {"lost": 0, "doubled": 0, "overtaken": 0, "unexpected": 0, "given_up": 0, "waiting": 0}
CONVERSATIONS = 4


@pytest.fixture
async def desk(
    request: pytest.FixtureRequest, tmp_path: Path, http: ClientSession, remote: Remote, clerk: Clerk
) -> AsyncIterator[SharedDesk]:
    async with AsyncExitStack() as stack:
        database = ""
        if request.param == "postgres":
            database = await stack.enter_async_context(fresh_database(request.getfixturevalue("postgres_server"), "template1"))
        made = SharedDesk(tmp_path, free_port(), database, http, remote)
        stack.push_async_callback(made.end_all)
        await made.create(clerk.made)
        await made.admitted()
        await made.contacts(CONVERSATIONS)
        yield made


def crowded() -> float:
    """The bars are of a machine of its own: where more wants to run than there are cores, everything takes longer by as much."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def right(verdict: dict[str, Any]) -> dict[str, Any]:
    return {name: verdict[name] for name in RIGHT}


@BOTH
async def test_a_wrong_secret_is_refused_by_name_and_what_ran_goes_on(desk: SharedDesk) -> None:
    writing = Writing(desk).start()
    code, said, _ = await desk.deploy(**{SECRET: "not-the-right-secret-0123456789"})
    assert code == 1 and said["stage"] == "refused" and said["variable"] == SECRET, said
    assert str(said["said"]).endswith(SECRET)
    assert said["seconds"] <= 10 * crowded(), said
    verdict = await writing.end()
    assert right(verdict) == RIGHT and verdict["delivered"] == writing.written
    assert desk.child is not None and desk.child.process.returncode is None
    place = ("--data", str(desk.data))
    code, out, _ = await command("release", "wait", "--release", said["release"], "--timeout", "1", *place, **desk.variables())
    assert code == 1 and out.strip().endswith(SECRET), out
    code, out, _ = await command("release", "diff", "current", said["release"], *place, **desk.variables())
    assert code == 0 and f"{SECRET}: changed" in out and "not-the-right" not in out, out
    await desk.end_all()
    assert await desk.attempts_by(said["release"]) == 0
    print(f"refused after {said['seconds']:.2f} s; {writing.written} replies; longest pause {writing.pause:.2f} s")


@BOTH
async def test_a_good_one_takes_over_and_the_former_one_again_and_nobody_waits_long(desk: SharedDesk) -> None:
    writing = Writing(desk).start()
    before = desk.child
    code, said, seconds = await desk.deploy("--wait", HELIOGRAPH_CONCURRENCY="50")
    assert code == 0, said
    assert before is not None and await asyncio.wait_for(before.process.wait(), 10) == 0
    await asyncio.sleep(1)
    code, back, _ = await desk.deploy("--wait")
    assert code == 0 and back["release"] != said["release"], back
    verdict = await writing.end()
    print(f"took over in {seconds:.2f} s; {writing.written} replies; longest pause {writing.pause:.2f} s")
    assert right(verdict) == RIGHT and verdict["delivered"] == writing.written
    await desk.end_all()
    assert await desk.attempts_by(said["release"]) > 0 and await desk.attempts_by(back["release"]) > 0
    assert writing.pause <= 1.0 * crowded()


@BOTH
async def test_while_the_provider_is_down_it_is_undecided_and_what_ran_stays(desk: SharedDesk) -> None:
    await desk.remote.ask("POST", "faults", {"service": "sunshine", "mode": "down"})
    code, said, _ = await desk.deploy("--timeout", "3", HELIOGRAPH_CONCURRENCY="50")
    assert code == 3 and said["outcome"] == "undecided", said
    assert desk.child is not None and desk.child.process.returncode is None
    await desk.remote.ask("DELETE", "faults")
    writing = Writing(desk).start()
    await asyncio.sleep(0.5)
    verdict = await writing.end()
    assert right(verdict) == RIGHT
    code, said, _ = await desk.deploy(HELIOGRAPH_CONCURRENCY="50")
    assert code == 0, said


@BOTH
async def test_forced_through_it_is_fenced_by_its_own_failures_and_what_ran_sends_on(desk: SharedDesk) -> None:
    writing = Writing(desk).start()
    wrong = {SECRET: "not-the-right-secret-0123456789"}
    code, said, seconds = await desk.deploy("--force", "--reason", "the probe is wrong", **wrong)
    assert code == 1 and said["stage"] == "fenced" and said["variable"] == SECRET, said
    verdict = await writing.end()
    print(f"fenced after {seconds:.2f} s; {writing.written} replies; longest pause {writing.pause:.2f} s")
    assert right(verdict) == RIGHT and verdict["delivered"] == writing.written
    assert desk.child is not None and desk.child.process.returncode is None
    shown = {one["release"]: one for one in await desk.releases()}
    assert shown[said["release"]]["stage"] == "fenced" and shown[said["release"]]["forced_because"] == "the probe is wrong"
    assert [one["stage"] for one in shown.values()].count("admitted") == 1


@pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
async def test_a_candidate_that_dies_at_its_first_call_loses_the_role_to_the_process_before_it(desk: SharedDesk) -> None:
    writing = Writing(desk).start()
    dying = {"HELIOGRAPH_FAILPOINT": "deliver:before_call", "HELIOGRAPH_TESTING": "1", "HELIOGRAPH_CONCURRENCY": "50"}
    code, said, _ = await desk.deploy(**dying)
    assert code == 1 and "ended by itself" in said["said"], said
    written = writing.written
    verdict = await writing.end()
    assert right(verdict) == RIGHT and verdict["delivered"] == writing.written > written
    assert desk.child is not None and desk.child.process.returncode is None
    stages = {one["stage"]: one["basis"] for one in await desk.releases()}
    assert stages == {"admitted": "known", "fenced": "gone"}
    print(f"longest pause {writing.pause:.2f} s")


@pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
async def test_a_service_manager_is_told_once_it_has_taken_over_and_need_not_start_again_what_was_refused(desk: SharedDesk) -> None:
    before = desk.child
    assert before is not None
    up = ("up", "--beside", "--within", "20", "--no-browser", "--data", str(desk.data), "--port", str(desk.port))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(desk.folder / "notify"))
        manager.setblocking(False)
        told = {"NOTIFY_SOCKET": str(desk.folder / "notify"), "WATCHDOG_USEC": "1000000"}
        code, out, _ = await command(*up, **desk.variables() | told | {SECRET: "not-the-right-secret-0123456789"})
        assert code == 78 and out.strip().endswith(SECRET)
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        await start(desk.output, "heliograph", *up, extra=desk.variables() | told | {"HELIOGRAPH_CONCURRENCY": "50"})
        loop = asyncio.get_running_loop()
        heard: set[bytes] = set()
        async with asyncio.timeout(60):
            while not {b"READY=1", b"WATCHDOG=1"} <= heard:
                heard.add(await loop.sock_recv(manager, 100))
            assert await before.process.wait() == 0
        await desk.end_all()
        async with asyncio.timeout(60):
            while b"STOPPING=1" not in heard:
                heard.add(await loop.sock_recv(manager, 100))
