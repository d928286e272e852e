"""The master key: made, read and kept, never shown by accident."""

import base64
import binascii
import os
import secrets
from pathlib import Path

#: The key file in the data folder, and the variable that takes its place.
FILE, VARIABLE, VARIABLE_OLD = "master.key", "HELIOGRAPH_MASTER_KEY", "HELIOGRAPH_MASTER_KEY_OLD"
SIZE = 32


class BadKey(ValueError):
    """A master key is not one. The message tells what to do and nothing of the key."""


def new_master_key() -> str:
    """32 random bytes as text."""
    return base64.b64encode(secrets.token_bytes(SIZE)).decode()


def parse_master_key(text: str, *, source: str) -> bytes:
    """The key from base64 or hexadecimal text; `source` is named in the complaint. Raises BadKey."""
    cleaned = text.strip()
    try:
        key = (
            bytes.fromhex(cleaned)
            if len(cleaned) == 2 * SIZE
            else base64.b64decode(cleaned.replace("-", "+").replace("_", "/"), validate=True)
        )
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != SIZE:
        raise BadKey(f"{source} must be {SIZE} bytes in base64 or hexadecimal. Make one with: heliograph keys new")
    return key


def parse_old_keys(text: str) -> tuple[bytes, ...]:
    """Former keys, separated by blanks or commas. Raises BadKey."""
    return tuple(parse_master_key(each, source=f"each key in {VARIABLE_OLD}") for each in text.replace(",", " ").split())


def read_key_file(data: Path) -> tuple[bytes, ...]:
    """The keys of a data folder, the one that seals first; none where there is none yet.

    One key a line: a new one is put above the old one. Raises BadKey, also where others may read the file.
    """
    path = data / FILE
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii", errors="replace")
    except FileNotFoundError:
        return ()
    except OSError as unreadable:
        raise BadKey(f"{path} cannot be read: {unreadable.strerror}.") from unreadable
    if mode & 0o077:
        raise BadKey(f"{path} may be read by other users. Take that away: chmod 600 {path}")
    return tuple(parse_master_key(line, source=str(path)) for line in text.splitlines() or [""])


def create_key_file(data: Path) -> bytes:
    """Make a key, durably, readable by this user alone. Raises FileExistsError where there is one, BadKey where none can be written."""
    text = new_master_key()
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_durably(data / FILE, f"{text}\n".encode())
    except FileExistsError:
        raise
    except OSError as refused:
        raise BadKey(f"{data / FILE} cannot be written: {refused.strerror}.") from refused
    return parse_master_key(text, source=FILE)


def _write_durably(path: Path, data: bytes) -> None:
    """Whole and for good, or not at all: half a key would be taken for one that somebody has spoiled."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
    except OSError:
        path.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
