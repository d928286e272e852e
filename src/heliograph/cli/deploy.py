"""`heliograph deploy`: new settings or new code on one host, let through only if they prove themselves."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from heliograph.bootstrap.envfile import BadEnvFile, read_env_file
from heliograph.bootstrap.presence import Present, present
from heliograph.bootstrap.settings import PREFIX, Settings, SettingsError, load
from heliograph.bootstrap.system import SystemClock
from heliograph.cli.options import HERE, OK, OPEN, PROBLEM, USAGE, Fault, Place, err, print_json, say, settings_of
from heliograph.domain.retry import SECOND

#: Set by the service manager for the process that it started, and for no other.
SUPERVISED = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "INVOCATION_ID"})
#: Seconds beyond the gate's own that a candidate may need to start, to hand over and to be tried.
MARGIN = 60.0
LOOK = 0.1


def deploy(
    *,
    env_file: Annotated[Path, Parameter(help="All its variables, as in systemd's EnvironmentFile: NAME=VALUE a line.")],
    wait: Annotated[bool, Parameter(negative="", help="Wait also until the former process has ended.")] = False,
    timeout: Annotated[float, Parameter(help="Seconds to be let through.")] = 60.0,
    force: Annotated[bool, Parameter(negative="", help="Break glass: pass the gate; say why with --reason.")] = False,
    reason: Annotated[str, Parameter(help="Why it is forced; kept and shown.")] = "",
    share: Annotated[int, Parameter(help="With --force on PostgreSQL: on how many of 100 conversations.")] = 100,
    output: Annotated[Path | None, Parameter(help="Where the new process writes. Default: heliograph.out in the data folder")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    place: Place = HERE,
) -> int:
    """Put new settings (or the new code that this command belongs to) into service on this host.

    The settings are checked, then a candidate is started beside the process that runs and proves itself, while that one goes on. Only
    if it is let through does it answer requests at the same address, and the other one ends once the candidate's first replies have
    arrived. If it is refused, the candidate ends and nothing was stopped; if its replies fail where the former one's succeed, the
    former one takes over again.

    For example: heliograph deploy --data /srv/desk --env-file /etc/heliograph/new.env --wait

    Exit codes: 0 it sends · 1 refused or fenced, and the last line names the variable · 2 the command was not understood · 3 undecided
    when the time was over (the provider is down, say); what ran still does.
    """
    if force and not reason.strip():
        raise Fault("Say why it is forced with --reason: it is kept, and shown with the release.", code=USAGE)
    new = _checked(env_file, place)
    data = _folder(place, new)
    others = present(data)
    if len(others) > 1:
        raise Fault("More than one process runs on this folder. Start each new one yourself, and wait with: heliograph release wait")
    command = others[0].command if others else ["up", "--no-browser", "--data", str(data.resolve())]
    forced = ["--force", reason, "--share", str(share)] if force else []
    arguments = [*command, "--beside", "--within", str(timeout), *forced]
    ended = asyncio.run(_deploy(arguments, new, output or data / "heliograph.out", timeout + MARGIN))
    if wait and ended["code"] == OK and others and not ended.get("unchanged"):
        asyncio.run(_gone(data, others[0]))
    if json:
        print_json({**ended, "outcome": {OK: "admitted", OPEN: "undecided"}.get(ended["code"], ended.get("stage", "refused"))})
    else:
        say(str(ended["said"]))
    return int(ended["code"])


def _checked(path: Path, place: Place) -> dict[str, str]:
    """The environment of the candidate: this one's, but for our variables, and the file's. Raises SettingsError."""
    try:
        given = read_env_file(path)
    except BadEnvFile as bad:
        raise SettingsError(bad.problems) from bad
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name not in SUPERVISED}
    load(given, file=place.config)
    return kept | given


def _folder(place: Place, environ: dict[str, str]) -> Path:
    """Where the installation is: the option, or what the new settings say."""
    settings: Settings = load({k: v for k, v in environ.items() if k.startswith(PREFIX)}, file=place.config)
    return place.data or (settings.folder if settings.data else settings_of(place).folder)


async def _deploy(arguments: list[str], environ: dict[str, str], output: Path, seconds: float) -> dict[str, Any]:
    """Start the candidate and follow it until it has taken over or has ended."""
    reading, writing = os.pipe()
    output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as sink:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "heliograph", *arguments, "--report", str(writing), env=environ, stdin=asyncio.subprocess.DEVNULL,
            stdout=sink, stderr=sink, pass_fds=(writing,), start_new_session=True,
        )  # fmt: skip
    os.close(writing)
    told: dict[str, Any] = {}
    begun = SystemClock().now()
    try:
        async with asyncio.timeout(seconds):
            async for step in _steps(reading):
                told = step | {"seconds": round((SystemClock().now() - begun) / SECOND, 2)}
                if step["at"] == "started":
                    err.print(f"A candidate runs (process {child.pid}) and proves itself.")
                elif step["at"] == "listening":
                    err.print("It is let through and answers requests; its first replies decide.")
                else:
                    break
    except TimeoutError:
        child.terminate()
        told = {"at": "ended", "code": OPEN, "said": f"undecided: the candidate did not answer within {seconds:g} s and was stopped."}
    if told.get("at") == "settled":
        return {**told, "code": OK}
    if not told.get("stays"):
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), 30)
    if told.get("at") != "ended":
        said = f"refused: the candidate ended by itself (exit code {child.returncode}). What it wrote is in {output}."
        return {"code": PROBLEM, "said": said}
    return told


async def _steps(reading: int) -> Any:
    """What the candidate tells, until it ends or has told all."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb")
    )
    try:
        while line := await stream.readline():
            yield msgspec.json.decode(line, type=dict[str, Any])
    finally:
        transport.close()


async def _gone(data: Path, former: Present) -> None:
    while any(one.pid == former.pid for one in present(data)):
        await SystemClock().sleep(LOOK)
