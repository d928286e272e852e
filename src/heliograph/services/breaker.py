"""Counts failures of distinct messages on a channel, to tell a sick channel from a sick message."""

from heliograph.domain.delivery import Delivery
from heliograph.domain.outcomes import Accepted, Refused, SendResult
from heliograph.domain.reasons import REASONS, Effect, Reason

#: Distinct messages that fail in a row before the channel goes on hold although its probe passes.
LIMIT = 3
COUNTED = frozenset({Reason.PROVIDER_DOWN, Reason.NETWORK, Reason.NO_ANSWER, Reason.OTHER})


class Breaker:
    """One per process. What it finds becomes a hold, which is in the store and survives; the count itself need not."""

    def __init__(self) -> None:
        self._failing: dict[str, set[str]] = {}
        self._well_since: dict[str, int] = {}
        self._arrived: dict[str, dict[str, int]] = {}
        self._handed_back: dict[str, dict[str, int]] = {}

    def would_open(self, delivery: Delivery, result: SendResult) -> bool:
        """Whether this result is the one too many."""
        return _counts(result) and len(self._failing.get(delivery.channel, set()) | {delivery.id}) >= LIMIT

    def concluded(self, delivery: Delivery, result: SendResult) -> None:
        """An answer was written down."""
        if isinstance(result, Accepted) or (isinstance(result, Refused) and REASONS[result.reason].effect is Effect.FAIL):
            self._failing.pop(delivery.channel, None)
        elif _counts(result):
            self._failing.setdefault(delivery.channel, set()).add(delivery.id)

    def probed(self, channel: str, *, passed: bool, now: int) -> None:
        """A probe was made; 0 remembers that it did not pass."""
        self._well_since[channel] = now if passed else 0

    def message_at_fault(self, delivery: Delivery) -> bool:
        """Whether the channel was seen well since the delivery's last attempt, and no other message fails on it."""
        others = self._failing.get(delivery.channel, set()) - {delivery.id}
        return not others and self._well_since.get(delivery.channel, 0) > delivery.started_at > 0

    def arrived(self, delivery: Delivery) -> None:
        """A receipt says that it got further than to the provider."""
        _note(self._arrived.setdefault(delivery.channel, {}), delivery)

    def handed_back(self, delivery: Delivery) -> None:
        """A receipt says that the provider has accepted it and gives it back."""
        _note(self._handed_back.setdefault(delivery.channel, {}), delivery)

    def alone_handed_back(self, delivery: Delivery) -> bool:
        """Whether of what was sent on the channel later than this one something arrived, and nothing was handed back."""
        return _later(self._arrived, delivery) and not _later(self._handed_back, delivery)


def _note(starts: dict[str, int], delivery: Delivery) -> None:
    """Keep when the last two messages were started: one of them is another one than any that is asked about."""
    starts[delivery.id] = delivery.started_at
    if len(starts) > 2:
        del starts[min(starts, key=lambda id: starts[id])]


def _later(starts: dict[str, dict[str, int]], delivery: Delivery) -> bool:
    return any(id != delivery.id and started > delivery.started_at for id, started in starts.get(delivery.channel, {}).items())


def _counts(result: SendResult) -> bool:
    return not isinstance(result, Accepted) and result.reason in COUNTED
