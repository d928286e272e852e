"""The master key is exchanged beside a running process, which goes on opening and sealing."""

from pathlib import Path

from tests.e2e.processes import MASTER_KEY, command, free_port, made, start

NEW = "ab" * 32


async def test_a_running_process_seals_everything_anew(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "desk"))
    account = (await made("account", "create", "Lighthouse", "--admin", "Sam", *data))["account"]
    await made("channel", "add", "telegram", "--account", account, "--set", "token=1:canary", *data)
    both = {"HELIOGRAPH_MASTER_KEY": NEW, "HELIOGRAPH_MASTER_KEY_OLD": MASTER_KEY}
    up = ("up", "--no-browser", "--port", str(free_port()), *data)

    former = await start(tmp_path / "former.log", "heliograph", *up)
    # It does not hold the new key yet: nothing is done.
    code, _, err = await command("keys", "rotate", *data, **both)
    assert code == 1 and "seals with key" in err
    assert await former.stop() == 0

    child = await start(tmp_path / "both.log", "heliograph", *up, extra=both)
    try:
        assert (await made("keys", "rotate", *data, **both))["resealed"] == 1
        added = await made("channel", "add", "telegram", "--account", account, "--set", "token=2:canary", *data, **both)
        found = await made("keys", "status", *data, HELIOGRAPH_MASTER_KEY=NEW)
        assert found["still_needed"] == [] and sum(one["number"] for one in found["sealed"] if one["kind"] == "telegram") == 2
        assert added["channel"]
        code, _, err = await command("keys", "rotate", *data)
        assert code == 1 and MASTER_KEY not in err
    finally:
        assert await child.stop() == 0
    assert "canary" not in child.text() and NEW not in child.text()
    code, out, _ = await command("check", "--no-probes", *data)
    assert code == 1 and "HG.E031" in out and "HG.E032" in out
