"""When next: a pure function of how often, with jitter given from outside."""

SECOND = 1_000_000

#: Faults that may be the message's own, before a person is asked.
BUDGET = 6
BASE = 1.0
CAP = 60.0


def backoff(spent: int, jitter: float, *, base: float = BASE, cap: float = CAP) -> int:
    """Microseconds to wait after `spent` failures; `jitter` in [0, 1) spreads the upper half."""
    span = min(cap, base * 2.0 ** min(spent, 30))
    return int(SECOND * span * (0.5 + jitter / 2))
