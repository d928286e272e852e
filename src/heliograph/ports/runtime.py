"""The world outside the rules: time, chance, files, secrets, failpoints and what is observed."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol


class Clock(Protocol):
    """Time. A simulation brings its own."""

    def now(self) -> int:
        """Microseconds since the epoch, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let others run for that long."""
        ...


class Rng(Protocol):
    """Chance. A simulation seeds it."""

    def bits(self) -> int:
        """40 random bits, for ids."""
        ...

    def jitter(self) -> float:
        """A number in [0, 1)."""
        ...


class Files(Protocol):
    """Where bytes live: a disk now, an object store later."""

    async def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key`, durably. Safe to repeat."""
        ...

    async def get(self, key: str) -> bytes:
        """The bytes. Raises KeyError."""
        ...


class SealBroken(Exception):
    """A sealed secret does not open: another master key, or moved between rows."""


class Vault(Protocol):
    """Seals an account's secrets before they reach the store."""

    @property
    def key_id(self) -> str:
        """The name of the master key that seals."""
        ...

    @property
    def key_ids(self) -> Collection[str]:
        """The names of all master keys that are held: each opens what it has sealed."""
        ...

    @property
    def prints(self) -> bytes:
        """The key of the fingerprints; secret."""
        ...

    def sealed_by(self, sealed: str) -> str:
        """The name of the master key that has sealed it."""
        ...

    def seal(self, secrets: Mapping[str, str], *, place: str) -> str:
        """Ciphertext that opens only at the same `place` (account, table and row)."""
        ...

    def open(self, sealed: str, *, place: str) -> dict[str, str]:
        """The secrets. Raises SealBroken."""
        ...

    def fingerprint(self, secrets: Mapping[str, str]) -> str:
        """A keyed digest that tells versions apart and gives nothing away."""
        ...


#: Called with a name at a point where a crash is interesting. A test kills the process there; production does nothing.
Failpoint = Callable[[str], Awaitable[None]]

#: Called with the name of what happened and its fields: ids, codes and numbers only.
Observe = Callable[[str, Mapping[str, str | int | float]], None]
