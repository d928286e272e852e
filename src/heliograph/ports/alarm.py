"""How machines outside are told that something is wrong, and that we are still there to say so."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Alert(NamedTuple):
    """Something that an alert manager groups, silences and routes. Same labels, same alert. Times are microseconds UTC."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: int
    #: In the future while it goes on: when to forget it unless it is repeated.
    ends_at: int


class Alerts(Protocol):
    """An alert manager."""

    async def alert(self, alerts: Sequence[Alert]) -> None:
        """Tell all of them. Raises ports.announce.NotTold."""
        ...


class Heartbeat(Protocol):
    """Somebody outside who notices when we fall silent."""

    async def beat(self) -> None:
        """We are well. Raises ports.announce.NotTold."""
        ...
