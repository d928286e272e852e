"""A process starts fast and small, stops in order, and does not share its store by accident."""

import asyncio
import contextlib
import json
import signal
from pathlib import Path

from aiohttp import ClientSession

from tests.e2e import ledger
from tests.e2e.processes import Desk, command, start

#: Generous, since other tests run beside this one; the figures are printed.
SECONDS, MEGABYTES = 6.0, 150


def resident(pid: int) -> float:
    """Megabytes of a process and its children."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if int(fields["Pid"]) == pid or int(fields["PPid"]) == pid:
                total += int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    return total


async def test_the_demonstration_is_ready_soon_and_small(tmp_path: Path, http: ClientSession) -> None:
    child = await start(tmp_path / "demo.out", "heliograph", "up", "--demo", "--port", "0", "--no-browser")
    async with http.get(f"{child.url}/readyz") as answer:
        assert answer.status == 200
    async with http.get(f"{child.url}/") as answer:
        assert answer.status == 200
    print(f"ready after {child.ready_after:.2f} s, {resident(child.process.pid):.0f} MB")
    assert child.ready_after < SECONDS
    assert resident(child.process.pid) < MEGABYTES
    assert await child.stop() == 0
    lines = child.text().splitlines()
    assert [line for line in lines if line.startswith("http")] == []
    assert "paste a Telegram bot token" in child.text()
    folder = next(line for line in lines if "Its data are in" in line).split()[4]
    assert not Path(folder).exists(), "a demonstration leaves nothing behind"


async def test_a_second_process_on_the_same_store_is_refused(desk: Desk) -> None:
    await desk.start()
    code, _, err = await command("work", "--data", str(desk.data))
    assert code == 1
    assert "Another process is working on heliograph.db" in err and "PostgreSQL" in err
    # Before its port, which is taken too, and before anything sounds as if it ran.
    for arguments in (("serve",), ("up", "--no-browser")):
        code, out, err = await command(*arguments, "--port", str(desk.port), "--data", str(desk.data))
        assert (code, out) == (1, "")
        assert err.startswith("✗ Another process is working on heliograph.db") and len(err.splitlines()) == 1, err
    # Looking is allowed, and writing goes through the process that runs.
    code, out, _ = await command("status", "--json", "--data", str(desk.data))
    assert code == 0 and json.loads(out)["waiting"] == []
    code, out, err = await command("agent", "create", "Grace", "--account", desk.account, "--json", "--data", str(desk.data))
    assert code == 0, err
    assert json.loads(out)["agent"].startswith("agt_")


async def test_stopping_finishes_what_is_under_way(desk: Desk) -> None:
    await desk.start()
    await desk.contacts(4)
    await desk.remote.ask("POST", "faults", {"service": "sunshine", "mode": "slow", "operation": "send", "delay": 1.5})
    conversations = list(desk.tickets)
    await asyncio.gather(*(desk.reply(each, "One that is under way", order=0) for each in conversations))
    await desk.remote.until(accepted=4)
    assert desk.child is not None
    assert await desk.child.stop() == 0
    async with ledger.opened(desk) as store:
        # The provider's answers came after the signal and were written down all the same.
        assert set(await ledger.states(store)) <= {"accepted", "delivered"}
        assert await ledger.one(store, "SELECT count(*) FROM delivery WHERE attempt_open = 1") == 0


async def test_a_second_signal_ends_it_at_once(desk: Desk) -> None:
    child = await desk.start()
    await desk.contacts(1)
    await desk.remote.ask("POST", "faults", {"service": "sunshine", "mode": "slow", "operation": "send", "delay": 8})
    await desk.reply(next(iter(desk.tickets)), "One that takes long", order=0)
    await desk.remote.until(accepted=1)
    child.process.send_signal(signal.SIGTERM)
    while "Stopping" not in child.text():
        await asyncio.sleep(0.01)
    child.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(child.process.wait(), 4) == 128 + signal.SIGTERM
    await desk.remote.ask("DELETE", "faults")
    await desk.start()
    await desk.settled(1)
    verdict = await desk.remote.ask("POST", "final")
    assert (verdict["delivered"], verdict["doubled"]) == (1, 0)
