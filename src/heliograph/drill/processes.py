"""Heliograph and the sandbox as processes of their own: started, stopped and asked from outside."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession

_READY = re.compile(r"(http://[\w.:\[\]]+)")
#: Seconds in which anything that is waited for must have happened.
PATIENCE = 60.0


class NotDrilled(Exception):
    """The drill itself could not go on. The message says where."""


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The variables of a child: of ours, only what the drill sets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")} | dict(given)


async def command(*arguments: str, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run `heliograph …` to its end: exit code, and all that it wrote."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heliograph", *arguments, env=environment({**variables, "COLUMNS": "200"}),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(child.communicate(), 2 * PATIENCE)
    return int(child.returncode or 0), out.decode("utf-8", "replace")


@dataclass(slots=True)
class Child:
    """A running process."""

    process: asyncio.subprocess.Process
    url: str
    output: Path
    #: Seconds, of the monotonic clock and of the wall's.
    started: float
    started_at: float

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), PATIENCE)

    def kill(self) -> None:
        """As a power cut would."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)


async def start(output: Path, module: str, *arguments: str, variables: Mapping[str, str]) -> Child:
    """Start `python -m module` and wait for the line with its address. Raises NotDrilled."""
    begun, begun_at = time.monotonic(), time.time()
    with output.open("ab") as sink:
        seen = sink.tell()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, env=environment(variables),
            stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink,
        )  # fmt: skip
    child = Child(process, "", output, begun, begun_at)
    try:
        while time.monotonic() - begun < PATIENCE and process.returncode is None:
            with output.open("rb") as written:
                written.seek(seen)
                for line in written.read().decode("utf-8", "replace").split("\n")[:-1]:
                    found = _READY.search(line) if not line.startswith("{") else None
                    if found:
                        child.url = found[1]
                        return child
            await asyncio.sleep(0.01)
        raise NotDrilled(f"a process did not start:\n{output.read_text('utf-8', errors='replace')[-2000:]}")
    finally:
        if not child.url:
            child.kill()


@dataclass(slots=True)
class Sandbox:
    """The messaging service, steered over its control interface."""

    child: Child
    http: ClientSession

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One control request that must succeed."""
        async with self.http.request(method, f"{self.child.url}/sandbox/{path}", json=body) as answer:
            data = await answer.json()
            if answer.status != 200:
                raise NotDrilled(f"the sandbox refuses {path}: {data}")
            return data


async def request(http: ClientSession, method: str, url: str, token: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    """One API request, repeated while nobody answers or it is asked to come again."""
    headers = {"authorization": f"Bearer {token}"} | ({"idempotency-key": key} if key else {})
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            async with http.request(method, url, json=body, headers=headers) as answer:
                if answer.status != 503:
                    return answer.status, await answer.json(content_type=None)
        except (ClientError, OSError, TimeoutError):
            pass
        if time.monotonic() > deadline:
            raise NotDrilled(f"nobody answers at {url}")
        await asyncio.sleep(0.05)
