"""One process that runs one `heliograph …` after the other, for what tests only prepare: starting Python each time costs more than they do.

What a test is about runs in a process of its own (`tests.e2e.processes.command`).
"""

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from typing import Any

from heliograph.cli.main import main
from tests.e2e.processes import PATIENCE, environment


class Clerk:
    """The process, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.clerk"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    async def made(self, *arguments: str, lines: str = "", **extra: str) -> dict[str, Any]:
        """Run `heliograph … --json`, which must succeed, and return its answer."""
        asked = json.dumps({"arguments": [*arguments, "--json"], "lines": lines, "environment": environment(COLUMNS="200", **extra)})
        answer = json.loads(await asyncio.wait_for(asyncio.to_thread(self._ask, asked), PATIENCE))
        assert answer["code"] == 0, answer["err"]
        return dict(json.loads(answer["out"]))

    def _ask(self, asked: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(asked + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it; it must end well."""
        self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode == 0


def run(arguments: list[str], lines: str, environment: dict[str, str]) -> dict[str, Any]:
    """One command, with everything that a process has of its own."""
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = io.StringIO(lines)
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def serve() -> None:
    """Answer each line with a line until there are no more."""
    asked, answers = sys.stdin, sys.stdout
    for line in asked:
        answers.write(json.dumps(run(**json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
