"""Starting the benchmark's provider, and asking it what it took."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Report:
    """The provider's own count; see `Book.report`."""

    taken: int
    distinct: int
    doubled: int
    overtaken: int
    unreadable: int
    conversations: int
    other: int
    first_ns: int
    last_ns: int


@contextmanager
def provider(python: str = sys.executable) -> Iterator[str]:
    """A provider in its own process for the length of the block; yields its base URL."""
    process = subprocess.Popen([python, "-m", "bench.provider"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None and process.stdin is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the provider did not start")
        yield url
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def reset(url: str) -> None:
    """Make the provider forget what it took."""
    _call(url, "POST", "/bench/reset")


def report(url: str) -> Report:
    """What the provider took since the last reset."""
    return Report(**_call(url, "GET", "/bench/report"))


def arrivals(url: str) -> dict[tuple[str, int], int]:
    """First arrival of each (conversation, sequence) in monotonic nanoseconds."""
    first: dict[tuple[str, int], int] = {}
    for conversation, sequence, at in _call(url, "GET", "/bench/arrivals"):
        first.setdefault((conversation, sequence), at)
    return first


def _call(url: str, method: str, path: str) -> Any:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
