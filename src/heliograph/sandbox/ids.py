"""Identifiers and times in the services' own formats, deterministic for a given clock and random source."""

from datetime import UTC, datetime, timedelta

from heliograph.sandbox.wire import SECOND, Now, Rand

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


class Ids:
    """Makes ids that sort in order of making, and tokens that do not."""

    def __init__(self, now: Now, rand: Rand) -> None:
        self._now = now
        self._rand = rand
        self._machine = self._hex(10)
        self._count = 0
        self._second = 0

    def object_id(self) -> str:
        """24 hex digits: seconds, maker, counter. Never smaller than an earlier one, even if the clock steps back."""
        self._count += 1
        self._second = max(self._second, self._now() // SECOND)
        return f"{self._second & 0xFFFFFFFF:08x}{self._machine}{self._count & 0xFFFFFF:06x}"

    def token(self, length: int) -> str:
        """A secret-looking string."""
        return "".join(_ALPHABET[int(self._rand() * len(_ALPHABET))] for _ in range(length))

    def number(self, low: int, high: int) -> int:
        """A whole number in [low, high)."""
        return low + int(self._rand() * (high - low))

    def hex_token(self, length: int) -> str:
        """`length` random hex digits."""
        return self._hex(length)

    def _hex(self, length: int) -> str:
        return "".join("0123456789abcdef"[int(self._rand() * 16)] for _ in range(length))


def iso(microseconds: int) -> str:
    """YYYY-MM-DDThh:mm:ss.SSSZ."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
