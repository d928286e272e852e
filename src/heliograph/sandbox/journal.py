"""What arrived at a service and how it was answered, without bodies, secrets or handles."""

from collections import deque
from dataclasses import asdict, dataclass, replace

from heliograph.sandbox.wire import Cut, Drip, Drop, Json, Outcome, Park, Refuse, Reply


@dataclass(slots=True)
class Arrival:
    """One request. `outcome` is the code answered, or what happened instead; `taken` whether the service acted on it."""

    sequence: int
    at: int
    service: str
    operation: str
    group: str
    key: str
    conversation: str
    outcome: str = "pending"
    taken: bool = False


class Journal:
    """The latest arrivals, bounded."""

    def __init__(self, limit: int = 100_000) -> None:
        self._arrivals: deque[Arrival] = deque(maxlen=limit)
        self._count = 0

    def arrive(self, *, at: int, service: str, operation: str, group: str, key: str, conversation: str) -> Arrival:
        """Note a request before anything is decided about it."""
        self._count += 1
        arrival = Arrival(self._count, at, service, operation, group, key, conversation)
        self._arrivals.append(arrival)
        return arrival

    def find(
        self, *, service: str | None = None, operation: str | None = None, key: str | None = None, after: int = 0, limit: int = 10_000
    ) -> list[Json]:
        """Arrivals with a sequence above `after`, oldest first; `operation` may be a group."""
        found = [
            asdict(a)
            for a in self._arrivals
            if a.sequence > after
            and (service is None or a.service == service)
            and (operation is None or operation in (a.operation, a.group))
            and (key is None or a.key == key)
        ]
        return found[:limit]

    def first_with_outcome(self, outcome: str) -> int | None:
        """Sequence of the first request that was answered like that."""
        return next((a.sequence for a in self._arrivals if a.outcome == outcome), None)


def noted(arrival: Arrival, outcome: Outcome) -> Outcome:
    """The outcome, once it is written down beside what arrived; of one that is still to come, also what becomes of it."""
    arrival.outcome = _in_a_word(outcome)
    if isinstance(outcome, Park):
        again = outcome.again
        return replace(outcome, again=lambda: noted(arrival, again()))
    return outcome


def _in_a_word(outcome: Outcome) -> str:
    match outcome:
        case Reply(response=response):
            return str(response.code)
        case Drop(taken=taken):
            return "dropped_after" if taken else "dropped_before"
        case Refuse():
            return "refused"
        case Drip(response=response):
            return f"{response.code}_drip"
        case Cut(response=response):
            return f"{response.code}_cut"
        case Park():
            return "parked"
